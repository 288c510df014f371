"""What of a configuration says which devices hold the conductances."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mho.errors import InputError
from mho.experiments.data_fields import DataFields

DEVICE_NAMES = (
    "ideal",
    "levels",
    "program-verify",
    "constant-step",
    "linear-step",
    "soft-bounds",
    "exponential-step",
    "power-step",
    "piecewise-step",
    "reram-es",
    "reram-sb",
    "capacitor",
    "ecram",
    "ecram-mo",
    "gokmen-vlasov",
    "idealized",
    "pcm",
    "reram-array-om",
    "reram-array-hfo2",
    "cmo",
)
"""The keys of `mho.devices.DEVICES`, known without loading JAX."""

AGEING = (
    "dead",
    "stuck_low",
    "stuck_high",
    "drift",
    "drift_spread",
    "retention_time",
    "retention_level",
    "endurance",
    "endurance_spread",
)
"""Fields of `mho.devices.AgeingDevice`, of which those that are not 0 do something."""


@dataclass(frozen=True, kw_only=True)
class DeviceFields(DataFields):
    """Which devices the trained conductances are, and their window [g_min, g_max]."""

    device: str = "ideal"
    """What takes the updates: ideal conductances; levels; program-verify, with its preset cmo; pulsed devices
    (constant-step, linear-step, soft-bounds, exponential-step, power-step, piecewise-step) or their published presets
    (reram-es, reram-sb, capacitor, ecram, ecram-mo, gokmen-vlasov, idealized, pcm, reram-array-om, reram-array-hfo2); or
    a file of mho pulses, FILE.toml, whose settings come before others; or one's own, module:name."""
    device_settings: tuple[str, ...] = ()
    """Changes of its settings, KEY=VALUE, such as dw_min_dtod=0.5; values of piecewise_up with colons between them."""
    levels: int = 64
    """Conductances that a device with levels has."""
    rounding: Literal["stochastic", "nearest"] = "stochastic"
    """How the changes asked for become levels, or whole pulses."""
    pulses_per_update: int = 31
    """Pulses that a device gets at an update, at the most."""
    on_off_ratio: float | None = None
    """g_max/g_min of ideal and other devices; the lower bound is g_min if not given."""
    floor: Literal["clipped", "mapped"] = "clipped"
    """What becomes of first conductances: those below g_min are g_min, or 0 to g_max is mapped onto the window."""
    headroom: float = 4.0
    """Where the upper bound is infinite and there is a window, g_max in units of a layer's largest first conductance."""
    dead: float = 0.0
    """Share of devices that are open, 0 S, whatever they are programmed to."""
    stuck_low: float = 0.0
    """Share of devices stuck at the least conductance."""
    stuck_high: float = 0.0
    """Share of devices stuck at the largest."""
    drift: float = 0.0
    """Mean exponent ν by which devices drift from each programming on, as ((t + t0)/t0)^-ν; phase-change memory: 0.05 to
    0.1."""
    drift_spread: float = 0.0
    """Its deviation from device to device."""
    drift_start: float = 20.0
    """t0 [s]."""
    retention_time: float = 0.0
    """Time τ in which devices relax to 1/e of their distance from a level [s]; 0 for none."""
    retention_level: float = 0.0
    """The level that they relax to, as a share of the window."""
    endurance: float = 0.0
    """Median number of programmings after which a device stays where it is; 0 for no limit."""
    endurance_spread: float = 0.0
    """Deviation of its logarithm from device to device."""
    update_time: float = 1e-3
    """Time between two updates, in which devices drift and relax [s]."""
    idle_time: float = 0.0
    """Time between the first programming and all else [s]: with --start and --epochs 0, the age of a trained chip."""

    def __post_init__(self) -> None:
        if self.device.lower().endswith(".toml"):
            self._read_device()
        super().__post_init__()
        if self.levels < 2:
            raise InputError(f"--levels {self.levels}: a device has two at least")
        if self.pulses_per_update < 1:
            raise InputError(f"--pulses-per-update {self.pulses_per_update}: must be at least 1")
        if self.on_off_ratio is not None and not 1 < self.on_off_ratio < float("inf"):
            raise InputError(f"--on-off-ratio {self.on_off_ratio}: must be above 1 and finite")
        if not 1 <= self.headroom < float("inf"):
            raise InputError(f"--headroom {self.headroom}: must be at least 1 and finite")
        self.refuse_negative(*AGEING, "drift_start", "update_time", "idle_time")
        if self.dead + self.stuck_low + self.stuck_high > 1:
            raise InputError("--dead, --stuck-low, --stuck-high: are shares of the devices, 1 together at the most")

    @property
    def has_window(self) -> bool:
        """Whether conductances are held by anything but ideal devices without a largest one."""
        bounded = self.on_off_ratio is not None or self.stuck_high > 0 or self.retention_time > 0
        return self.device != "ideal" or bounded

    @property
    def ideal_devices(self) -> bool:
        """Whether devices are programmed as they should be, and stay so."""
        return self.device == "ideal" and not any(getattr(self, name) for name in AGEING)

    def _read_device(self) -> None:
        """Put what a file says in its place: a run is of its device, wherever the file goes."""
        path = Path(self.device)
        try:
            given = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as problem:
            raise InputError(
                f"--device {path}: cannot be read: {getattr(problem, 'strerror', 'no UTF-8')}"
            ) from problem
        except tomllib.TOMLDecodeError as problem:
            raise InputError(f"--device {path}: not TOML: {problem}") from problem
        name, settings = given.pop("device", None), given.pop("device_settings", [])
        if given or name not in DEVICE_NAMES or not all(isinstance(s, str) for s in settings):
            raise InputError(f"--device {path}: is no device of mho pulses: it has device and device_settings")
        object.__setattr__(self, "device", name)
        object.__setattr__(self, "device_settings", (*settings, *self.device_settings))

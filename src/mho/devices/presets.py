"""Published devices by name, and the families with aihwkit's default settings.

Numbers are those of aihwkit 1.1.0, `simulator/presets/devices.py`, which names where they were measured; `cmo`'s are of its
`inference/noise/reram.py`. Where a preset there has a pair of devices or a reset, this is one device pulsed both ways.
"""

import dataclasses
import difflib
from collections.abc import Sequence
from typing import Any

from mho.devices.constant_step import ConstantStep
from mho.devices.device import Device, Ideal
from mho.devices.exponential_step import ExponentialStep
from mho.devices.levels import Levels, ProgramVerify
from mho.devices.linear_step import LinearStep, SoftBounds
from mho.devices.power_step import PiecewiseStep, PowerStep
from mho.errors import InputError

_ECRAM: dict[str, Any] = {
    "dw_min_dtod": 0.1,
    "up_down_dtod": 0.01,
    "w_max_dtod": 0.05,
    "w_min_dtod": 0.05,
    "gamma_up_dtod": 0.05,
    "gamma_down_dtod": 0.05,
}
_ARRAY: dict[str, Any] = {
    "dw_min_dtod_log_normal": True,
    "w_max": 1.0,
    "w_min": -1.0,
    "mult_noise": False,
    "up_down_dtod": 0.01,
    "corrupt_devices_range": 0.01,
    "subtract_symmetry_point": True,
    "reference_std": 0.05,
}

DEVICES: dict[str, Device] = {
    "ideal": Ideal(),
    "levels": Levels(),
    "program-verify": ProgramVerify(),
    "constant-step": ConstantStep(),
    "linear-step": LinearStep(),
    "soft-bounds": SoftBounds(),
    "exponential-step": ExponentialStep(),
    "power-step": PowerStep(),
    "piecewise-step": PiecewiseStep(),
    # Filamentary ReRAM: Gong et al. 2018, Nat. Commun. 9, 2102, doi:10.1038/s41467-018-04485-1.
    "reram-es": ExponentialStep(
        dw_min=0.00135,
        up_down=0.259359,
        w_max=1.0,
        w_min=-1.0,
        a=-0.5,
        b=-0.5,
        gamma_up=5.0,
        gamma_down=5.0,
        A_up=-1.18445,
        A_down=-0.081404,
        dw_min_dtod=0.2,
        up_down_dtod=0.05,
        w_max_dtod=0.3,
        w_min_dtod=0.3,
        dw_min_std=5.0,
        write_noise_std=75.0,
    ),
    # The same data, a looser fit, calibrated to the symmetry point.
    "reram-sb": SoftBounds(
        dw_min=0.002,
        w_max=1.25,
        w_min=-0.75,
        mult_noise=False,
        dw_min_dtod=0.3,
        up_down_dtod=0.01,
        w_max_dtod=0.3 / 1.25,
        w_min_dtod=0.3 / 0.75,
        dw_min_std=3.75,
        write_noise_std=56.0,
    ),
    # CMOS capacitor: Li et al. 2018, VLSI Technology, ieeexplore 8510648.
    "capacitor": LinearStep(
        dw_min=0.005,
        w_max=1.0,
        w_min=-1.0,
        mult_noise=False,
        gamma_up=0.05,
        gamma_down=0.05,
        dw_min_dtod=0.1,
        up_down_dtod=0.06,
        w_max_dtod=0.07,
        w_min_dtod=0.07,
        gamma_up_dtod=0.01,
        gamma_down_dtod=0.01,
        dw_min_std=0.3,
        lifetime=1e6,
        lifetime_dtod=0.3,
    ),
    # Lithium ECRAM: Tang et al. 2018, IEDM, ieeexplore 8614551.
    "ecram": LinearStep(
        dw_min=0.002, w_max=1.1724, w_min=-0.8276, gamma_up=0.1153, gamma_down=0.5085, dw_min_std=0.3, **_ECRAM
    ),
    # Metal-oxide ECRAM: Kim et al. 2019, IEDM, ieeexplore 8993463.
    "ecram-mo": LinearStep(
        dw_min=2.8214e-4, w_max=1.1714, w_min=-0.8286, gamma_up=0.4152, gamma_down=0.7342, dw_min_std=2.0, **_ECRAM
    ),
    # Specifications: Gokmen & Vlasov 2016, doi:10.3389/fnins.2016.00333; on w from −1 to 1.
    "gokmen-vlasov": ConstantStep(dw_min=0.0016, w_max=1.0, w_min=-1.0),
    # Those with eight times as many steps: Rasch, Gokmen & Haensch 2019, arXiv:1906.02698.
    "idealized": ConstantStep(dw_min=0.0002, up_down_dtod=0.0, w_max=1.0, w_min=-1.0),
    # Ge₂Sb₂Te₅ phase-change memory: Nandakumar et al. 2020, doi:10.3389/fnins.2020.00406.
    "pcm": ExponentialStep(
        dw_min=0.01,
        w_max=2.0,
        w_min=0.0,
        a=-1.0,
        b=0.0,
        gamma_up=2.5,
        gamma_down=2.5,
        A_up=-27.235,
        A_down=-2.235,
        dw_min_dtod=0.2,
        up_down_dtod=0.05,
        w_max_dtod=0.1,
        w_min_dtod=0.0,
        dw_min_std=0.6,
        dw_min_std_add=0.042,
        dw_min_std_slope=0.108,
    ),
    # ReRAM arrays, optimised material and baseline HfO₂: Gong, Rasch et al. 2022, IEDM, ieeexplore 10019569. Of the measured
    # devices 13.5 and 9.8 % were stuck: that is corrupt_devices_prob, 0 here as there.
    "reram-array-om": SoftBounds(
        dw_min=0.0949,
        dw_min_dtod=0.7829,
        w_max_dtod=0.3499,
        w_min_dtod=0.5695,
        dw_min_std=0.4158,
        write_noise_std=1.4113,
        **_ARRAY,
    ),
    "reram-array-hfo2": SoftBounds(
        dw_min=0.4622,
        dw_min_dtod=0.7125,
        w_max_dtod=0.4295,
        w_min_dtod=0.5990,
        dw_min_std=0.2174,
        write_noise_std=0.5841,
        **_ARRAY,
    ),
    # CMO/HfOₓ ReRAM within 2 % of the target: Falcone et al. 2025, arXiv:2502.04524; its single pulses are not in aihwkit.
    "cmo": ProgramVerify(noise=0.0112185391, noise_slope=0.01129027418, acceptance=0.02),
}
"""Devices by the names that configurations have for them."""


def named_device(name: str, settings: Sequence[str] = (), **more: Any) -> Device:
    """A device by its name.

    Args:
        name: of `DEVICES`.
        settings: changes of its settings, as `dw_min=0.002`; values of `piecewise_up` with colons between them.
        more: settings that are made where the device has them.

    Raises:
        InputError: for an unknown name or setting, or a value that the device refuses.
    """
    if name not in DEVICES:
        close = difflib.get_close_matches(name, DEVICES, n=1)
        told = f"did you mean {close[0]}?" if close else f"expected one of {', '.join(DEVICES)}"
        raise InputError(f"device {name}: {told}")
    device: Any = DEVICES[name]
    known = {f.name: getattr(device, f.name) for f in dataclasses.fields(device) if f.metadata.get("static")}
    known.pop("train", None)
    changes = {key: value for key, value in more.items() if key in known}
    for setting in settings:
        key, _, text = setting.partition("=")
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1)
            told = (
                f"did you mean {close[0]}?" if close else f"expected one of {', '.join(known) or 'none'}, as KEY=VALUE"
            )
            raise InputError(f"--device-settings {setting}: {name} has no {key!r}; {told}")
        changes[key] = _read(setting, text, known[key])
    return dataclasses.replace(device, **changes)


def _read(setting: str, text: str, before: Any) -> Any:
    try:
        if isinstance(before, bool):
            return {"true": True, "false": False}[text.lower()]
        if isinstance(before, tuple):
            return tuple(map(float, text.split(":")))
        return type(before)(text)
    except (ValueError, KeyError):
        kind = {bool: "true or false", int: "a whole number", tuple: "numbers with colons between"}
        raise InputError(
            f"--device-settings {setting}: expected {kind.get(type(before), 'a number')} for {setting.split('=')[0]}"
        ) from None

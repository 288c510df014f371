"""What of a configuration says how its parts differ from what they should be."""

from dataclasses import dataclass

from mho.errors import InputError
from mho.experiments.data_fields import DataFields

SPREAD_FIELDS = {
    "elements": "element_mismatch",
    "gains": "gain_mismatch",
    "current_gains": "current_gain_mismatch",
    "offset": "element_offset",
}
"""What `mho.mismatched` takes, and the fields of layered networks that tell it."""


@dataclass(frozen=True, kw_only=True)
class FlawFields(DataFields):
    """Mismatch of the parts: one chip of those that would be made. See `mho.mismatched`."""

    mismatch: float = 0.0
    """By what share parts that are drawn alike differ: parameters of diodes and other nonlinear elements, resistors that do
    not learn, amplifiers' voltage and current gains, each apart. Standard deviation of their logarithms."""
    flaw_seed: int | None = None
    """Which chip it is; by --seed if not given."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.refuse_negative("mismatch")
        if self.flaw_seed is not None and self.flaw_seed < 0:
            raise InputError(f"--flaw-seed {self.flaw_seed}: must not be negative")

    @property
    def spreads(self) -> dict[str, float]:
        """As `mho.mismatched` takes them; those that are not 0."""
        return {"elements": self.mismatch} if self.mismatch else {}


@dataclass(frozen=True, kw_only=True)
class LayeredFlawFields(FlawFields):
    """And what layered networks have beside them."""

    element_mismatch: float | None = None
    """Mismatch of the nodes' elements; --mismatch if not given, as for the next two."""
    gain_mismatch: float | None = None
    """Mismatch of the amplifiers' voltage gains. With it or the next one the circuit has no energy, and equilibrium
    propagation's gradient is not exact."""
    current_gain_mismatch: float | None = None
    """Mismatch of the amplifiers' current gains."""
    element_offset: float = 0.0
    """Standard deviation of a voltage in series with each hidden node's element [V]."""
    input_step: float = 0.0
    """Step of the converter that sets the sources [V]; 0 for none."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.refuse_negative(
            "element_mismatch", "gain_mismatch", "current_gain_mismatch", "element_offset", "input_step"
        )

    @property
    def spreads(self) -> dict[str, float]:
        """As `mho.mismatched` takes them; those that are not 0."""
        named = {name: getattr(self, field) for name, field in SPREAD_FIELDS.items()}
        found = {name: self.mismatch if value is None else value for name, value in named.items()}
        return {name: value for name, value in found.items() if value}

"""Models of switches: the parameters of `.model … SW(…)` and `CSW(…)`.

Source: ngspice 39 manual, section 3.2.3.
"""

from collections.abc import Mapping

from mho.errors import InputError
from mho.netlists.reading.model_parameters import Parameter, ParameterTable
from mho.netlists.reading.netlist import SwitchModel
from mho.netlists.reading.values import shown


def _table(what: str, threshold: str, hysteresis: str) -> ParameterTable:
    return ParameterTable(
        what=what,
        known={
            threshold: Parameter("threshold", 0.0),
            hysteresis: Parameter("hysteresis", 0.0),
            "ron": Parameter("closed_resistance", 1.0),
            "roff": Parameter("open_resistance", None),
        },
        aliases={},
        without_effect=frozenset(),
    )


VOLTAGE_SWITCH = _table("voltage-controlled switch", "vt", "vh")
CURRENT_SWITCH = _table("current-controlled switch", "it", "ih")


def switch_model(name: str, kind: str, parameters: Mapping[str, float], nominal_temperature: float) -> SwitchModel:
    """A switch's model with the defaults filled in.

    Args:
        name: The model's name.
        kind: ``sw`` or ``csw``.
        parameters: By the names that the table's `first_name` gives.
        nominal_temperature: The circuit's (°C), which a switch doesn't depend on.

    Raises:
        InputError: A resistance isn't above 0.
    """
    table = VOLTAGE_SWITCH if kind == "sw" else CURRENT_SWITCH
    fields = table.fields(name, parameters)
    for what, field in (("RON", "closed_resistance"), ("ROFF", "open_resistance")):
        value = fields[field]
        if value is not None and not value > 0:
            raise InputError(f"{what} of {table.what} model {shown(name)} is {value:g} ohm; it must be above 0")
    return SwitchModel(name=name, **fields)  # pyright: ignore[reportArgumentType]

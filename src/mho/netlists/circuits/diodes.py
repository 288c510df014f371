"""The diodes of a netlist as elements: models at each diode's temperature, area and multiplier.

Source: ngspice 39, whose way with every parameter this is; see `mho.elements.junction_diode` for the law.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mho.constants import ROOM_TEMPERATURE, ZERO_CELSIUS
from mho.elements import JunctionDiode
from mho.elements.junction_temperature import heated
from mho.errors import InputError
from mho.netlists.circuits.model_fields import model_fields
from mho.netlists.reading.netlist import Diodes, Netlist

_BREAKDOWN_ACCURACY = 1e-14
_MOST_GRADING = 0.9


def junction_diodes(netlist: Netlist, diodes: Diodes, rows: np.ndarray, celsius: float) -> JunctionDiode:
    """The elements of some diodes, (rows,), of one temperature [°C]."""
    parameter = diode_parameters(netlist, diodes, rows)
    multiplier = diodes.multiplier[rows]
    depletion = depletion_layers(netlist, diodes, rows)[0]
    nominal = parameter("nominal_temperature")
    warmer = celsius - nominal
    falling = parameter("breakdown_temperature") * warmer
    absolute = parameter("breakdown_temperature_law") == 0
    at_nominal = parameter("breakdown_voltage")
    breakdown = np.where(absolute, at_nominal - falling, at_nominal * (1.0 - falling))
    wrong = np.flatnonzero(~(breakdown > 0))
    if wrong.size:
        k = int(rows[wrong[0]])
        raise InputError(
            f"{netlist.where(diodes, k)}: {diodes.names[k]}: its BV and TCV give a breakdown voltage of "
            f"{breakdown[wrong[0]]:g} V at {celsius:g} °C; it must be above 0"
        )
    area = diodes.area[rows] / multiplier
    breakdown_current = parameter("breakdown_current") * np.where(parameter("level") == 3, area, 1.0)
    emission, breakdown_emission = parameter("emission"), parameter("breakdown_emission")
    return JunctionDiode.from_model(
        saturation_current=parameter("saturation_current"),
        ideality=emission,
        series_resistance=parameter("series_resistance"),
        resistance_coefficient=parameter("resistance_temperature_1"),
        resistance_coefficient_2=parameter("resistance_temperature_2"),
        breakdown_voltage=breakdown,
        breakdown_current=breakdown_current,
        breakdown_ideality=np.where(np.isfinite(breakdown_emission), breakdown_emission, emission),
        activation_energy=parameter("activation_energy"),
        saturation_exponent=parameter("saturation_exponent"),
        nominal_temperature=nominal + ZERO_CELSIUS,
        temperature=celsius + ZERO_CELSIUS,
        area=area,
        multiplier=multiplier,
        perimeter=diodes.perimeter[rows] / multiplier,
        sidewall_current=parameter("sidewall_current"),
        sidewall_ideality=parameter("sidewall_emission"),
        recombination_current=parameter("recombination_current"),
        recombination_ideality=parameter("recombination_emission"),
        junction_potential=depletion.potential,
        grading=depletion.grading,
        tunnelling_current=parameter("tunnelling_current"),
        tunnelling_sidewall_current=parameter("tunnelling_sidewall_current"),
        tunnelling_ideality=parameter("tunnelling_emission"),
        tunnelling_exponent=parameter("tunnelling_exponent"),
        tunnelling_energy_factor=parameter("tunnelling_energy_factor"),
        forward_knee=parameter("forward_knee"),
        reverse_knee=parameter("reverse_knee"),
        gmin=netlist.gmin,
        reltol=_BREAKDOWN_ACCURACY,
    )


def diode_parameters(netlist: Netlist, diodes: Diodes, rows: np.ndarray) -> Callable[[str], np.ndarray]:
    """A field of the models of some diodes, by its name, (rows,); infinite where the model has none."""
    return model_fields(netlist.models, diodes.model[rows], np.inf)


@dataclass(frozen=True)
class DepletionLayer:
    """The depletion capacitance of some junctions, at their temperature and area, (rows,) each."""

    zero_bias: np.ndarray
    """C_J at 0 V [F]."""
    potential: np.ndarray
    """VJ [V]."""
    grading: np.ndarray
    """M."""
    forward_bias: np.ndarray
    """FC."""


def depletion_layers(netlist: Netlist, diodes: Diodes, rows: np.ndarray) -> tuple[DepletionLayer, DepletionLayer]:
    """The bottoms and the sidewalls of some diodes.

    As in ngspice 39 a grading coefficient is at most 0.9 at its temperature, and a potential at most 1/FC.
    """
    parameter = diode_parameters(netlist, diodes, rows)
    nominal, celsius = parameter("nominal_temperature"), diodes.temperature[rows]
    warmer = celsius - nominal
    drift = 1.0 + parameter("grading_temperature_1") * warmer + parameter("grading_temperature_2") * warmer**2
    silicon = parameter("capacitance_temperature_law") == 0
    from_room = celsius + ZERO_CELSIUS - ROOM_TEMPERATURE

    def layer(capacitance: np.ndarray, potential: np.ndarray, grading: np.ndarray, forward: np.ndarray, side: str):
        own = heated(capacitance, potential, grading, nominal + ZERO_CELSIUS, celsius + ZERO_CELSIUS)
        falls, grows = parameter(f"{side}potential_temperature"), parameter(f"{side}capacitance_temperature")
        at_temperature = np.where(silicon, own[1], potential - falls * from_room)
        with np.errstate(divide="ignore"):
            at_temperature = np.minimum(at_temperature, 1.0 / forward)
        zero_bias = np.where(silicon, own[0], capacitance * (1.0 + grows * from_room))
        return DepletionLayer(zero_bias, at_temperature, grading, forward)

    return (
        layer(
            parameter("junction_capacitance") * diodes.area[rows],
            parameter("junction_potential"),
            np.minimum(parameter("grading") * drift, _MOST_GRADING),
            parameter("forward_bias"),
            "",
        ),
        layer(
            parameter("sidewall_capacitance") * diodes.perimeter[rows],
            parameter("sidewall_potential"),
            parameter("sidewall_grading"),
            parameter("sidewall_forward_bias"),
            "sidewall_",
        ),
    )


def transit_times(netlist: Netlist, diodes: Diodes, rows: np.ndarray) -> np.ndarray:
    """TT of some diodes at their temperature [s], (rows,)."""
    parameter = diode_parameters(netlist, diodes, rows)
    warmer = diodes.temperature[rows] - parameter("nominal_temperature")
    first, second = parameter("transit_temperature_1"), parameter("transit_temperature_2")
    return parameter("transit_time") * (1.0 + first * warmer + second * warmer**2)

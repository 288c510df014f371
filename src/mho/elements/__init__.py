"""Circuit elements: each law, its co-content, its derivative and its SPICE card in one place."""

from mho.elements.amplifier import BidirectionalAmplifier
from mho.elements.bipolar_transistor import BaseResistance, GummelPoonTransport
from mho.elements.controlled_law import ControlledLaw
from mho.elements.ideal_diode import IdealDiode
from mho.elements.junction_diode import JunctionDiode
from mho.elements.mosfet import ShichmanHodgesChannel
from mho.elements.piecewise_diode import PiecewiseDiode
from mho.elements.resistor import ProgrammableResistor
from mho.elements.shockley_diode import AntiparallelDiodes, ShockleyDiode
from mho.elements.sources import CurrentSource, VoltageSource
from mho.elements.switch import Switch
from mho.elements.two_terminal import TwoTerminal

__all__ = [
    "AntiparallelDiodes",
    "BaseResistance",
    "BidirectionalAmplifier",
    "ControlledLaw",
    "CurrentSource",
    "GummelPoonTransport",
    "IdealDiode",
    "JunctionDiode",
    "PiecewiseDiode",
    "ProgrammableResistor",
    "ShichmanHodgesChannel",
    "ShockleyDiode",
    "Switch",
    "TwoTerminal",
    "VoltageSource",
]

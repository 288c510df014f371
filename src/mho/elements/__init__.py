"""Circuit elements: each law, its co-content, its derivative and its SPICE card in one place."""

from mho.elements.amplifier import BidirectionalAmplifier
from mho.elements.bipolar_transistor import BaseResistance, GummelPoonTransport
from mho.elements.controlled_law import ControlledLaw
from mho.elements.ideal_diode import IdealDiode
from mho.elements.jfet import JunctionFieldEffectChannel
from mho.elements.junction_diode import JunctionDiode
from mho.elements.measured import Curve, MeasuredElement
from mho.elements.mosfet import ShichmanHodgesChannel
from mho.elements.offset import OffsetElement
from mho.elements.piecewise_diode import PiecewiseDiode
from mho.elements.resistor import ProgrammableResistor
from mho.elements.shockley_diode import AntiparallelDiodes, ShockleyDiode
from mho.elements.sinh_conductor import SinhConductor
from mho.elements.sources import CurrentSource, VoltageSource
from mho.elements.switch import Switch
from mho.elements.two_terminal import TwoTerminal
from mho.elements.verilog_a import VerilogAElement, read_verilog_a

__all__ = [
    "AntiparallelDiodes",
    "BaseResistance",
    "BidirectionalAmplifier",
    "ControlledLaw",
    "CurrentSource",
    "Curve",
    "GummelPoonTransport",
    "IdealDiode",
    "JunctionDiode",
    "JunctionFieldEffectChannel",
    "MeasuredElement",
    "OffsetElement",
    "PiecewiseDiode",
    "ProgrammableResistor",
    "ShichmanHodgesChannel",
    "ShockleyDiode",
    "SinhConductor",
    "Switch",
    "TwoTerminal",
    "VerilogAElement",
    "VoltageSource",
    "read_verilog_a",
]

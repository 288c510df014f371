"""Steady states: the node voltages at which a network obeys Kirchhoff's laws."""

from mho.steady.clamp import Clamp
from mho.steady.coordinate_descent import Load, OperatingPoint, Settle
from mho.steady.deviation import settle_deviation
from mho.steady.layered import settles_by_mean_field
from mho.steady.phase import Network, linear_response, load, settle
from mho.steady.residual import kirchhoff_residual
from mho.steady.solve import operating_point

__all__ = [
    "Clamp",
    "Load",
    "Network",
    "OperatingPoint",
    "Settle",
    "kirchhoff_residual",
    "linear_response",
    "load",
    "operating_point",
    "settle",
    "settle_deviation",
    "settles_by_mean_field",
]

"""Steady states: the node voltages at which a network obeys Kirchhoff's laws."""

from mho.steady.coordinate_descent import Load, OperatingPoint, Settle, load, settle
from mho.steady.linear_response import linear_response
from mho.steady.residual import kirchhoff_residual
from mho.steady.solve import operating_point

__all__ = [
    "Load",
    "OperatingPoint",
    "Settle",
    "kirchhoff_residual",
    "linear_response",
    "load",
    "operating_point",
    "settle",
]

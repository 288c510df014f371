"""Steady states: the node voltages at which a network obeys Kirchhoff's laws."""

from mho.steady.attachment import Attached, Attachment, Clamp
from mho.steady.auto import Auto
from mho.steady.coordinate_descent import Sweeps
from mho.steady.dense_newton import DenseNewton
from mho.steady.mean_field import MeanFieldSweeps
from mho.steady.nodal_newton import NodalNewton
from mho.steady.pooled import PooledSweeps
from mho.steady.residual import kirchhoff_residual
from mho.steady.solve import solve
from mho.steady.solver import Solution, Solver

__all__ = [
    "Attached",
    "Attachment",
    "Auto",
    "Clamp",
    "DenseNewton",
    "MeanFieldSweeps",
    "NodalNewton",
    "PooledSweeps",
    "Solution",
    "Solver",
    "Sweeps",
    "kirchhoff_residual",
    "solve",
]

"""Learning: costs, nudging, gradients and updates."""

from mho.learning.cost import Cost, CrossEntropy, SquaredError
from mho.learning.coupled_learning import coupled_learning
from mho.learning.equilibrium_propagation import equilibrium_propagation
from mho.learning.gradient import PARAMETERS, Gradient
from mho.learning.implicit_gradient import implicit_gradient
from mho.learning.nudging import EnergyNudge, held_nudge
from mho.learning.update import OPTIMIZERS, apply_updates, coordinate_slope, optimizer

__all__ = [
    "OPTIMIZERS",
    "PARAMETERS",
    "Cost",
    "CrossEntropy",
    "EnergyNudge",
    "Gradient",
    "SquaredError",
    "apply_updates",
    "coordinate_slope",
    "coupled_learning",
    "equilibrium_propagation",
    "held_nudge",
    "implicit_gradient",
    "optimizer",
]

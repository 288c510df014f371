"""Learning: costs, nudging, rules and updates."""

from mho.learning.cost import Cost, CrossEntropy, SquaredError
from mho.learning.coupled_learning import CoupledLearning
from mho.learning.equilibrium_propagation import EquilibriumPropagation
from mho.learning.gradient import Gradient, Phase, trained_part
from mho.learning.implicit_gradient import ImplicitGradient
from mho.learning.nudging import EnergyNudge, held_nudge
from mho.learning.nudging_factor import suited_beta
from mho.learning.readout import Readout
from mho.learning.rule import Rule
from mho.learning.update import (
    OPTIMIZERS,
    Programming,
    apply_updates,
    coordinate_slope,
    optimizer,
    programming,
    trained_parameters,
    updated,
)

__all__ = [
    "OPTIMIZERS",
    "Cost",
    "CoupledLearning",
    "CrossEntropy",
    "EnergyNudge",
    "EquilibriumPropagation",
    "Gradient",
    "ImplicitGradient",
    "Phase",
    "Programming",
    "Readout",
    "Rule",
    "SquaredError",
    "apply_updates",
    "coordinate_slope",
    "held_nudge",
    "optimizer",
    "programming",
    "suited_beta",
    "trained_parameters",
    "trained_part",
    "updated",
]

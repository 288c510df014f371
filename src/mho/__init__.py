"""mho: analog neural networks, trained by equilibrium propagation.

The public names below are loaded when they are first used, so that `import mho` costs next to nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_PUBLIC = {
    "mho.chip.estimate": ("estimate",),
    "mho.devices": ("check_device",),
    "mho.drawing.draw": ("draw",),
    "mho.element_checks": ("check_element",),
    "mho.element_fit": ("fit_element",),
    "mho.elements": (
        "AntiparallelDiodes",
        "BidirectionalAmplifier",
        "CurrentSource",
        "Curve",
        "IdealDiode",
        "JunctionDiode",
        "MeasuredElement",
        "OffsetElement",
        "PiecewiseDiode",
        "ProgrammableResistor",
        "ShockleyDiode",
        "SinhConductor",
        "TwoTerminal",
        "VerilogAElement",
        "read_verilog_a",
    ),
    "mho.errors": ("InputError", "MhoError"),
    "mho.estimators": ("CircuitClassifier", "CircuitRegressor"),
    "mho.experiments.curves": ("read_curve",),
    "mho.experiments.data": ("Dataset", "load_dataset"),
    "mho.experiments.fit": ("fit",),
    "mho.experiments.prediction": ("load", "predict"),
    "mho.reporting.page": ("report",),
    "mho.experiments.pulse_series": ("read_pulses",),
    "mho.experiments.reproduction": ("reproduce",),
    "mho.experiments.sweep": ("sweep",),
    "mho.learning": (
        "CoupledLearning",
        "CrossEntropy",
        "EquilibriumPropagation",
        "ImplicitGradient",
        "Readout",
        "Rule",
        "SquaredError",
        "programming",
        "trained_parameters",
        "updated",
    ),
    "mho.learning.start_statistics": ("start_statistics",),
    "mho.netlists": ("read_netlist",),
    "mho.netlists.circuits.circuit": ("netlist_circuit",),
    "mho.netlists.circuits.network": ("netlist_network",),
    "mho.netlists.circuits.operating_point": ("operating_point",),
    "mho.netlists.circuits.transient": ("transient",),
    "mho.netlists.writing.network_netlist": ("write_netlist",),
    "mho.networks": ("Circuit", "CircuitBuilder", "LayeredNetwork", "convolutional_network", "layered_network"),
    "mho.networks.mismatch": ("mismatched",),
    "mho.networks.random_graph": ("random_graph",),
    "mho.networks.square_lattice": ("square_lattice",),
    "mho.networks.weights": ("weights", "with_weights"),
    "mho.ngspice.solver": ("Ngspice",),
    "mho.pulse_fit": ("fit_pulses",),
    "mho.steady": (
        "Auto",
        "Clamp",
        "DenseNewton",
        "MeanFieldSweeps",
        "PooledSweeps",
        "Solution",
        "Solver",
        "Sweeps",
        "kirchhoff_residual",
        "solve",
    ),
}
"""Public names by the module that has them."""
_MODULES = {name: module for module, names in _PUBLIC.items() for name in names}

__all__ = [*sorted(_MODULES), "__version__"]  # pyright: ignore[reportUnsupportedDunderAll]

if TYPE_CHECKING:
    from mho.chip.estimate import estimate
    from mho.devices import check_device
    from mho.drawing.draw import draw
    from mho.element_checks import check_element
    from mho.element_fit import fit_element
    from mho.elements import (
        AntiparallelDiodes,
        BidirectionalAmplifier,
        CurrentSource,
        Curve,
        IdealDiode,
        JunctionDiode,
        MeasuredElement,
        OffsetElement,
        PiecewiseDiode,
        ProgrammableResistor,
        ShockleyDiode,
        SinhConductor,
        TwoTerminal,
        VerilogAElement,
        read_verilog_a,
    )
    from mho.errors import InputError, MhoError
    from mho.estimators import CircuitClassifier, CircuitRegressor
    from mho.experiments.curves import read_curve
    from mho.experiments.data import Dataset, load_dataset
    from mho.experiments.fit import fit
    from mho.experiments.prediction import load, predict
    from mho.experiments.pulse_series import read_pulses
    from mho.experiments.reproduction import reproduce
    from mho.experiments.sweep import sweep
    from mho.learning import (
        CoupledLearning,
        CrossEntropy,
        EquilibriumPropagation,
        ImplicitGradient,
        Readout,
        Rule,
        SquaredError,
        programming,
        trained_parameters,
        updated,
    )
    from mho.learning.start_statistics import start_statistics
    from mho.netlists import read_netlist
    from mho.netlists.circuits.circuit import netlist_circuit
    from mho.netlists.circuits.network import netlist_network
    from mho.netlists.circuits.operating_point import operating_point
    from mho.netlists.circuits.transient import transient
    from mho.netlists.writing.network_netlist import write_netlist
    from mho.networks import Circuit, CircuitBuilder, LayeredNetwork, convolutional_network, layered_network
    from mho.networks.mismatch import mismatched
    from mho.networks.random_graph import random_graph
    from mho.networks.square_lattice import square_lattice
    from mho.networks.weights import weights, with_weights
    from mho.ngspice.solver import Ngspice
    from mho.pulse_fit import fit_pulses
    from mho.reporting.page import report
    from mho.steady import (
        Auto,
        Clamp,
        DenseNewton,
        MeanFieldSweeps,
        PooledSweeps,
        Solution,
        Solver,
        Sweeps,
        kirchhoff_residual,
        solve,
    )


def __getattr__(name: str) -> Any:
    if name == "devices":
        return importlib.import_module("mho.devices")
    if name not in _MODULES:
        raise AttributeError(f"module 'mho' has no attribute {name!r}")
    found = getattr(importlib.import_module(_MODULES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return __all__

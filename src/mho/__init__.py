"""mho: analog neural networks, trained by equilibrium propagation."""

__version__ = "0.1.0"

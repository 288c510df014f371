"""Random circuits by family: mho against ngspice and a solution in high precision."""

from mho_benchmarks.referee.measurement import measure, table

__all__ = ["measure", "table"]

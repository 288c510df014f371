"""Circuits: a `Netlist` becomes the circuit that mho's own solvers take, and a transient of it."""

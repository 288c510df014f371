"""SPICE netlists: reading one into flat arrays."""

from mho.spice.netlist import Netlist
from mho.spice.reader import parse_netlist, read_netlist

__all__ = ["Netlist", "parse_netlist", "read_netlist"]

"""SPICE netlists: read from text, made into circuits, and written."""

from mho.netlists.reading.netlist import Netlist
from mho.netlists.reading.reader import parse_netlist, read_netlist

__all__ = ["Netlist", "parse_netlist", "read_netlist"]

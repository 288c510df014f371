"""Reading: the text of a SPICE netlist becomes the flat arrays of a `Netlist`."""

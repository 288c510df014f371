"""Writing: a network becomes the text of a SPICE netlist."""

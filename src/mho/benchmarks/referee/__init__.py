"""Random circuits by family: mho against ngspice and a solution in high precision."""

"""ngspice, driven: single runs, sessions that are kept alive, and networks simulated by it."""

"""Physical constants, as ngspice has them: voltages are to agree to all digits."""

BOLTZMANN = 1.38064852e-23
"""J/K (CODATA 2014)."""
ELEMENTARY_CHARGE = 1.6021766208e-19
"""C (CODATA 2014)."""
ZERO_CELSIUS = 273.15
"""K."""
ROOM_TEMPERATURE = 300.15
"""K; SPICE's nominal temperature, 27 °C."""

"""Memristors as people write them for SPICE: a capacitor holds the state, a source drives it, functions are the windows.

Written from the equations of the papers named. Each circuit is the subcircuit between a sine and ground; the state rests on
the source `init` through 1 GΩ, which a time scale of seconds doesn't feel.
"""

_DRIVE = """
vin in 0 dc {bias} sin(0 {amplitude} 1)
x1 in 0 memristor
.tran 10m 2
.end
"""

# Strukov et al. 2008 (linear drift) with the window of Joglekar and Wolf 2009, f = 1 − (2x − 1)^(2p).
JOGLEKAR = """memristor of dopant drift
.subckt memristor p n ron=100 roff=16k x0=0.3 k=1e4 w=2
.func window(x) {1-pwr(2*x-1, 2*w)}
vs p a 0
roff a b {roff}
emem b n value={i(vs)*(ron-roff)*v(x)}
gx 0 x cur={k*i(vs)*window(v(x))}
cx x 0 1 ic={x0}
rx x init 1g
vi init 0 {x0}
.ends
"""

# The same drift with the window of Biolek et al. 2009, which lets go of the boundaries: f = 1 − (x − stp(−i))^(2p).
BIOLEK = """memristor with another window
.subckt memristor p n ron=100 roff=16k x0=0.4 k=1e4 w=2
.func window(x,i) {1-pwr(x-u(-i), 2*w)}
vs p a 0
roff a b {roff}
bmem b n v=i(vs)*(ron-roff)*v(x)
bx 0 x i=k*i(vs)*window(v(x), i(vs))
cx x 0 1 ic={x0}
rx x init 1g
vi init 0 {x0}
.ends
"""

# Kvatinsky et al. 2015: thresholds of the voltage, powers of what is above them.
VTEAM = """memristor with thresholds
.subckt memristor p n ron=1k roff=10k x0=0.5 von=-0.3 voff=0.4 kon=-4 koff=3 aon=3 aoff=2
.func rate(v) {v > voff ? koff*pwr(v/voff-1, aoff) : (v < von ? kon*pwr(v/von-1, aon) : 0)}
.func window(x,v) {v > 0 ? 1-x : x}
gmem p n value={v(p,n)/(ron + (roff-ron)*v(x))}
gx 0 x value={rate(v(p,n))*window(v(x), v(p,n))}
cx x 0 1 ic={x0}
rx x init 1g
vi init 0 {x0}
.ends
"""

# Yakopcic et al. 2011: a sinh of the voltage, exponentials beyond thresholds, a motion that slows down at the ends.
YAKOPCIC = """memristor with a hyperbolic sine
.subckt memristor p n a1=1.4e-3 a2=1e-3 b=1.2 vp=0.5 vn=0.45 ap=4 an=5 xp=0.6 xn=0.5 alphap=1 alphan=3 x0=0.2
.func g(v) {v > vp ? ap*(exp(v)-exp(vp)) : (v < -vn ? -an*(exp(-v)-exp(vn)) : 0)}
.func upper(x) {x >= xp ? exp(-alphap*(x-xp))*((xp-x)/(1-xp)+1) : 1}
.func lower(x) {x <= 1-xn ? exp(alphan*(x+xn-1))*x/(1-xn) : 1}
gmem p n value={v(p,n) >= 0 ? a1*v(x)*sinh(b*v(p,n)) : a2*v(x)*sinh(b*v(p,n))}
gx 0 x value={g(v(p,n))*(u(v(p,n))*upper(v(x)) + u(-v(p,n))*lower(v(x)))}
cx x 0 1 ic={x0}
rx x init 1g
vi init 0 {x0}
.ends
"""

MODELS = {"joglekar": (JOGLEKAR, 1.2), "biolek": (BIOLEK, 1.2), "vteam": (VTEAM, 0.9), "yakopcic": (YAKOPCIC, 0.9)}
"""Subcircuits, and the amplitude [V] that moves their states well."""


def circuit(name: str, bias: float = 0.0) -> str:
    """A netlist of the model: its operating point stands at `bias` [V], its transient is two periods of the sine."""
    model, amplitude = MODELS[name]
    return model + _DRIVE.format(bias=bias, amplitude=amplitude)

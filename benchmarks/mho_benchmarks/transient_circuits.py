"""Families of circuits for transients: each a netlist with a few parameters, as textbooks draw them.

What makes a family hard is in its name: exponentials behind large voltages, time constants over many decades, charges that
must not be lost, corners that a step must not pass over.
"""

from collections.abc import Callable

DIODES = """.model dm d
.model d1 d(is=14n n=1.75 rs=0.04)
.model df d(is=2.5n n=1.75 rs=0.6 cjo=4p tt=5n m=0.4)
.model dp d(is=1e-14 cjo=20p tt=10n rs=5)
.model dz d(is=1e-14 n=1.1 rs=2 bv=5.1 ibv=5m cjo=50p)
"""


def _tran(step: float, stop: float, more: str = "") -> str:
    return f".tran {step:.9g} {stop:.9g} {more}\n"


def _sine(amplitude: float, frequency: float) -> str:
    return f"sin(0 {amplitude:.9g} {frequency:.9g})"


def rc_low_pass(resistance: float = 1e3, capacitance: float = 1e-9) -> str:
    """A pulse through a resistor into a capacitor."""
    tau = resistance * capacitance
    return (
        f"v1 in 0 pulse(0 5 {tau / 10:.9g} {tau / 100:.9g} {tau / 100:.9g} {3 * tau:.9g} {7 * tau:.9g})\n"
        f"r1 in out {resistance:.9g}\nc1 out 0 {capacitance:.9g}\n" + _tran(tau / 20, 10 * tau)
    )


def rc_ladder(sections: int = 10) -> str:
    """A pulse down a chain of resistors and capacitors."""
    cards = ["v1 n0 0 pulse(0 1 0 1n 1n 400n 1)"]
    for k in range(sections):
        cards += [f"r{k} n{k} n{k + 1} 100", f"c{k} n{k + 1} 0 10p"]
    return "\n".join(cards) + "\n" + _tran(5e-9, 1e-6)


def high_pass(amplitude: float = 5.0) -> str:
    """A square wave through a coupling capacitor."""
    return f"v1 in 0 pulse(0 {amplitude} 1u 10n 10n 4u 10u)\nc1 in out 1n\nr1 out 0 1k\n" + _tran(0.1e-6, 25e-6)


def clipper(amplitude: float = 5.0) -> str:
    """Antiparallel diodes behind a resistor."""
    return f"v1 in 0 {_sine(amplitude, 1e3)}\nr1 in out 1k\nd1 out 0 dm\nd2 0 out dm\n{DIODES}" + _tran(10e-6, 2e-3)


def biased_clipper(amplitude: float = 10.0) -> str:
    """Diodes against two supplies."""
    return (
        f"v1 in 0 {_sine(amplitude, 1e3)}\nr1 in out 1k\nd1 out p d1\nvp p 0 3\nd2 m out d1\nvm m 0 -2\n{DIODES}"
        + _tran(10e-6, 2e-3)
    )


def half_wave(amplitude: float = 10.0) -> str:
    """A diode into a resistor."""
    return f"v1 in 0 {_sine(amplitude, 50.0)}\nd1 in out dm\nr1 out 0 1k\n{DIODES}" + _tran(0.2e-3, 40e-3)


def half_wave_smoothed(amplitude: float = 10.0) -> str:
    """A diode into a capacitor and a load."""
    return f"v1 in 0 {_sine(amplitude, 50.0)}\nrs in a 1\nd1 a out d1\nc1 out 0 100u\nr1 out 0 1k\n{DIODES}" + _tran(
        0.5e-3, 100e-3
    )


def bridge(amplitude: float = 10.0) -> str:
    """A diode bridge on a floating supply."""
    return f"v1 a b {_sine(amplitude, 50.0)}\nd1 a p d1\nd2 b p d1\nd3 0 a d1\nd4 0 b d1\nr1 p 0 1k\n{DIODES}" + _tran(
        0.2e-3, 40e-3
    )


def bridge_smoothed(amplitude: float = 325.0) -> str:
    """The mains, a bridge, a capacitor."""
    return (
        f"v1 a1 b {_sine(amplitude, 50.0)}\nrs a1 a 2\nd1 a p d1\nd2 b p d1\nd3 0 a d1\nd4 0 b d1\n"
        f"c1 p 0 47u\nr1 p 0 5k\n{DIODES}" + _tran(0.5e-3, 100e-3)
    )


def centre_tap(amplitude: float = 20.0) -> str:
    """Two half-wave rectifiers in opposite phase, smoothed."""
    return (
        f"v1 a 0 {_sine(amplitude, 50.0)}\nv2 0 b {_sine(amplitude, 50.0)}\nd1 a c d1\nd2 b c d1\nrs c out 0.5\n"
        f"c1 out 0 470u\nr1 out 0 100\n{DIODES}" + _tran(0.5e-3, 80e-3)
    )


def doubler(amplitude: float = 10.0) -> str:
    """A clamp and a peak detector: a voltage doubler."""
    return (
        f"v1 in 0 {_sine(amplitude, 1e3)}\nr1 in a1 10\nc1 a1 a 1u\nd1 0 a d1\nd2 a out d1\nc2 out 0 1u\n"
        f"r2 out 0 100k\n{DIODES}" + _tran(20e-6, 10e-3)
    )


def cockcroft_walton(stages: int = 4, amplitude: float = 10.0) -> str:
    """A chain of doublers."""
    cards = [f"v1 in 0 {_sine(amplitude, 10e3)}", "rs in a0 10"]
    for k in range(stages):
        cards += [
            f"ca{k} a{k} a{k + 1} 100n",
            f"cb{k} b{k} b{k + 1} 100n".replace("b0 ", "0 "),
            f"da{k} b{k} a{k + 1} df".replace(" b0 ", " 0 "),
            f"db{k} a{k + 1} b{k + 1} df",
        ]
    cards.append(f"rl b{stages} 0 1meg")
    return "\n".join(cards) + f"\n{DIODES}" + _tran(5e-6, 1e-3)


def peak_detector(amplitude: float = 5.0) -> str:
    """A diode, a capacitor and a slow discharge."""
    return f"v1 in 0 sin(0 {amplitude} 100k 0 5k)\nd1 in out df\nc1 out 0 1n\nr1 out 0 50k\n{DIODES}" + _tran(
        0.25e-6, 100e-6
    )


def envelope_detector(depth: float = 0.5) -> str:
    """A modulated carrier, by two sources in series with a third."""
    return (
        f"v1 a 0 {_sine(3.0, 100e3)}\nv2 b a {_sine(3.0 * depth, 90e3)}\nd1 b out df\nc1 out 0 1n\nr1 out 0 20k\n{DIODES}"
        + _tran(0.5e-6, 200e-6)
    )


def clamp(amplitude: float = 10.0) -> str:
    """A coupling capacitor and a diode to ground: the wave's floor is clamped."""
    return (
        f"v1 in 0 pulse({-amplitude} {amplitude} 0 1u 1u 49u 100u)\nrs in a 50\nc1 a out 100n\nd1 0 out d1\n"
        f"r1 out 0 100k\n{DIODES}" + _tran(5e-6, 500e-6)
    )


def zener(amplitude: float = 12.0) -> str:
    """A zener diode holds what ripples."""
    return f"v1 in 0 sin({amplitude} 3 100)\nr1 in out 220\nd1 0 out dz\nr2 out 0 1k\nc1 out 0 1u\n{DIODES}" + _tran(
        0.2e-3, 30e-3
    )


def zener_clipper(amplitude: float = 15.0) -> str:
    """Two zener diodes back to back."""
    return f"v1 in 0 {_sine(amplitude, 1e3)}\nr1 in out 1k\nd1 m out dz\nd2 m 0 dz\n{DIODES}" + _tran(10e-6, 2e-3)


def fast_edges(edge: float = 1e-12, capacitance: float = 1e-15) -> str:
    """Edges of 1 ps into 1 fF."""
    return (
        f"v1 in 0 pulse(0 1 1n {edge:.9g} {edge:.9g} 2n 5n)\nr1 in a 1k\nc1 a 0 {capacitance:.9g}\nr2 a b 10k\nc2 b 0 20f\n"
        + _tran(20e-12, 10e-9)
    )


def fast_edge_diode(edge: float = 1e-12) -> str:
    """Edges of 1 ps into a diode with 1 fF beside it."""
    return f"v1 in 0 pulse(-1 2 1n {edge:.9g} {edge:.9g} 2n 5n)\nr1 in a 1k\nd1 a 0 dm\nc1 a 0 1f\n{DIODES}" + _tran(
        20e-12, 10e-9
    )


def pwl_drive(height: float = 4.0) -> str:
    """A piecewise linear drive with edges of 1 ps among slow ramps, into a diode and a capacitor."""
    return (
        f"v1 in 0 pwl(0 0 1u {height} 1.000001u {-height} 3u 1 3.5u 1 3.500001u {height} 5u 0)\nr1 in a 500\n"
        f"d1 a out df\nc1 out 0 1n\nr2 out 0 2k\n{DIODES}" + _tran(20e-9, 6e-6)
    )


def reverse_recovery(forward: float = 2.0) -> str:
    """A diode's stored charge keeps it conducting."""
    return f"v1 in 0 pulse({forward} -5 100n 5n 5n 200n 500n)\nr1 in a 500\nd1 a 0 dp\n{DIODES}" + _tran(2e-9, 600e-9)


def diffusion_only(forward: float = 3.0) -> str:
    """A transit time without a depletion capacitance."""
    return (
        f"v1 in 0 pulse({forward} -3 50n 2n 2n 100n 300n)\nr1 in a 1k\nd1 a 0 dt\n.model dt d(is=1e-13 tt=20n)\n"
        + _tran(2e-9, 300e-9)
    )


def varactor(bias: float = 3.0) -> str:
    """A depletion capacitance alone, driven through its bend."""
    return (
        f"v1 in 0 sin({-bias / 4} {bias} 1meg)\nr1 in a 10k\nd1 a 0 dv\n.model dv d(is=1e-15 cjo=10p m=0.5 vj=0.75)\n"
        + _tran(10e-9, 3e-6)
    )


def two_temperatures(hot: float = 100.0) -> str:
    """Charged diodes at two temperatures."""
    return f"v1 in 0 {_sine(3.0, 1e6)}\nr1 in a 1k\nd1 a 0 dp\nr2 in b 1k\nd2 b 0 dp temp={hot}\n{DIODES}" + _tran(
        10e-9, 2e-6
    )


def floating_supply(amplitude: float = 100.0) -> str:
    """A rectifier on a supply that nothing but its diodes and leaks ties to ground."""
    return (
        f"v1 a b {_sine(amplitude, 400.0)}\nd1 a p dm\nd2 b p dm\nd3 n a dm\nd4 n b dm\nr1 p n 10k\nc1 p n 1u\n"
        f"rl n 0 10meg\n{DIODES}" + _tran(50e-6, 10e-3)
    )


def diode_string(diodes: int = 8) -> str:
    """Diodes in series, a capacitor at each."""
    cards = [f"v1 in 0 pulse(0 {diodes} 1u 100n 100n 5u 10u)", "r1 in n0 1k"]
    for k in range(diodes):
        end = f"n{k + 1}" if k + 1 < diodes else "0"
        cards += [f"d{k} n{k} {end} dm", f"c{k} n{k} 0 10p"]
    return "\n".join(cards) + f"\n{DIODES}" + _tran(0.1e-6, 15e-6)


def diode_ladder(sections: int = 12) -> str:
    """Resistors in series, a diode and a capacitor to ground at each node."""
    cards = ["v1 n0 0 pulse(0 3 0 10n 10n 2u 4u)"]
    for k in range(sections):
        cards += [f"r{k} n{k} n{k + 1} 200", f"d{k} n{k + 1} 0 df", f"c{k} n{k + 1} 0 20p"]
    return "\n".join(cards) + f"\n{DIODES}" + _tran(20e-9, 4e-6)


def ring_modulator(amplitude: float = 2.0) -> str:
    """Two tones and a ring of four diodes."""
    return (
        f"v1 a 0 {_sine(amplitude, 10e3)}\nr1 a c 100\nv2 b 0 {_sine(amplitude / 2, 73e3)}\nr2 b d 100\n"
        f"d1 c e df\nd2 e d df\nd3 d f df\nd4 f c df\nr3 e f 1k\nc1 e f 1n\nr4 e 0 10k\nr5 f 0 10k\n{DIODES}"
        + _tran(1e-6, 200e-6)
    )


def sample_and_hold(level: float = 3.0) -> str:
    """A diode bridge opened by two current sources passes a slow wave to a capacitor."""
    return (
        f"v1 in 0 {_sine(level, 10e3)}\ni1 0 p pulse(0 1m 0 0.2u 0.2u 5u 20u)\ni2 m 0 pulse(0 1m 0 0.2u 0.2u 5u 20u)\n"
        "d1 p in2 df\nd2 in2 m df\nd3 p out df\nd4 out m df\nrin in in2 50\nc1 out 0 1n\nrp p 0 1meg\nrm m 0 1meg\n"
        f"rout out 0 10meg\n{DIODES}" + _tran(0.5e-6, 100e-6)
    )


def amplifier(gain: float = 20.0) -> str:
    """A controlled source with a pole, and a clipper behind it."""
    return (
        f"v1 in 0 {_sine(0.2, 20e3)}\ne1 a 0 in 0 {gain}\nr1 a b 1k\nc1 b 0 1n\nr2 b out 1k\nd1 out 0 df\nd2 0 out df\n"
        f"{DIODES}" + _tran(1e-6, 100e-6)
    )


def integrator(gain: float = 1e5) -> str:
    """An operational amplifier of high gain integrates a square wave."""
    return (
        f"v1 in 0 pulse(-1 1 0 1u 1u 49u 100u)\nr1 in n 10k\nc1 n out 10n\ne1 out 0 0 n {gain}\nr2 n out 1meg\n"
        + _tran(2e-6, 300e-6)
    )


def precision_rectifier(gain: float = 1e4) -> str:
    """An operational amplifier with a pole, its diode inside the loop."""
    return (
        f"v1 in 0 {_sine(1.0, 1e3)}\ne1 a 0 in out {gain}\nr1 a b 1k\nc1 b 0 1n\ne2 c 0 b 0 1\nr2 c d 100\nd1 d out df\n"
        f"r3 out 0 10k\n{DIODES}" + _tran(10e-6, 2e-3)
    )


def current_mirror(gain: float = 5.0) -> str:
    """A current-controlled current source multiplies what a source senses."""
    return (
        f"v1 in 0 pulse(0 2 1u 0.1u 0.1u 3u 10u)\nr1 in a 1k\nv2 a b 0\nd1 b 0 df\nf1 0 out v2 {gain}\nr2 out 0 1k\n"
        f"c1 out 0 0.3n\n{DIODES}" + _tran(0.05e-6, 10e-6)
    )


def transresistance(ohms: float = 500.0) -> str:
    """A current-controlled voltage source, a capacitor across it, and a filter."""
    return (
        f"v1 in 0 sin(0 1 200k)\nr1 in a 1k\nv2 a 0 0\nh1 b 0 v2 {ohms}\nc1 b 0 1n\nr2 b out 2k\nc2 out 0 0.2n\n"
        + _tran(0.1e-6, 20e-6)
    )


def gyrator(inductance: float = 1e-3) -> str:
    """Two controlled current sources and a capacitor: an inductor, in a resonant circuit."""
    farads = inductance * 1e-6
    return (
        f"v1 in 0 pulse(0 1 1u 0.1u 0.1u 1 2)\nr1 in a 5k\nc1 a 0 1n\ng1 b 0 a 0 -1m\ng2 a 0 b 0 1m\nc2 b 0 {farads:.9g}\n"
        + _tran(0.2e-6, 50e-6)
    )


def charge_sharing(level: float = 5.0) -> str:
    """From initial conditions: capacitors share their charges through a resistor and a diode."""
    return f"c1 a 0 1n ic={level}\nr1 a b 1k\nc2 b 0 2n ic=0\nd1 b c df\nc3 c 0 1n ic=0\nr2 c 0 20k\n{DIODES}" + _tran(
        0.1e-6, 20e-6, "uic"
    )


def decades(ratio: float = 1e6) -> str:
    """Two time constants that many decades part, and a diode between them."""
    return (
        f"v1 in 0 pulse(0 5 0.1m 1u 1u 3m 10m)\nr1 in a 1k\nc1 a 0 {1e-6 / ratio:.9g}\nd1 a b d1\nr2 b out 1k\nc2 out 0 1u\n"
        f"r3 out 0 10k\n{DIODES}" + _tran(0.1e-3, 10e-3)
    )


def exponential_drive(level: float = 2e-3) -> str:
    """A current with exponential edges charges a capacitor beside a diode."""
    return f"i1 0 a exp(0 {level} 1u 0.5u 6u 1u)\nr1 a 0 5k\nc1 a 0 0.5n\nd1 a 0 df\n{DIODES}" + _tran(0.1e-6, 15e-6)


def no_capacitor(amplitude: float = 100.0) -> str:
    """Resistors and diodes alone: Kirchhoff's laws at every time, and nothing else."""
    return (
        f"v1 a 0 {_sine(amplitude, 50.0)}\nr1 a b 10\nd1 b c dm\nd2 c d dm\nr2 d 0 1k\nr3 c 0 10k\nd3 0 b dm\n{DIODES}"
        + _tran(0.2e-3, 40e-3)
    )


def burst(count: int = 20) -> str:
    """A train of short pulses into a pump of two diodes."""
    return (
        "v1 in 0 pulse(0 5 10n 1n 1n 48n 100n)\nr1 in a 50\nc1 a b 100p\nd1 0 b df\nd2 b out df\nc2 out 0 1n\n"
        f"r2 out 0 100k\n{DIODES}" + _tran(5e-9, count * 100e-9)
    )


def series_resonance(damping: float = 0.1) -> str:
    """A step into a resistor, an inductor and a capacitor."""
    return f"v1 in 0 pulse(0 5 1u 10n 10n 1 2)\nr1 in a {2e3 * damping:.9g}\nl1 a out 100u\nc1 out 0 100p\n" + _tran(
        0.05e-6, 10e-6
    )


def transformer(coupling: float = 0.98) -> str:
    """Two coupled inductors, a rectifier behind them."""
    return (
        f"v1 in 0 {_sine(10.0, 50e3)}\nr1 in a 5\nl1 a 0 1m\nl2 b 0 4m\nk1 l1 l2 {coupling}\nr3 b 0 5k\nd1 b out df\n"
        f"c1 out 0 100n\nr2 out 0 5k\n{DIODES}" + _tran(1e-6, 200e-6)
    )


def buck_converter(duty: float = 0.4) -> str:
    """A switch, a diode, an inductor and a capacitor."""
    return (
        f"v1 in 0 12\nvc ctl 0 pulse(0 5 0 50n 50n {duty * 10e-6:.9g} 10u)\ns1 in sw ctl 0 sm\nd1 0 sw df\n"
        f"l1 sw out 100u\nc1 out 0 2u\nr1 out 0 10\ncsw sw 0 100p\n.model sm sw(vt=2.5 vh=0 ron=0.1 roff=1meg)\n{DIODES}"
        + _tran(1e-6, 60e-6)
    )


def relaxation_oscillator(hysteresis: float = 1.0) -> str:
    """A capacitor that a switch with hysteresis discharges."""
    return (
        f"v1 in 0 5\nr1 in out 10k\nc1 out 0 1n ic=0\ns1 out a out 0 sm\nr2 a 0 100\n"
        f".model sm sw(vt=2.5 vh={hysteresis} ron=1 roff=100meg)\n" + _tran(0.5e-6, 50e-6, "uic")
    )


def mosfet_inverter(load: float = 0.2e-12) -> str:
    """A complementary pair into a capacitor."""
    return (
        f"vdd vdd 0 5\nvin in 0 pulse(0 5 10n 1n 1n 50n 100n)\nm1 out in 0 0 nm w=10u l=1u\n"
        f"m2 out in vdd vdd pm w=20u l=1u\nc1 out 0 {load:.9g}\n.model nm nmos(vto=0.8 kp=100u lambda=0.02 gamma=0.4)\n"
        ".model pm pmos(vto=-0.9 kp=40u lambda=0.02 gamma=0.4)\n" + _tran(1e-9, 200e-9)
    )


FAMILIES: dict[str, Callable[[], str]] = {
    function.__name__: function
    for function in (
        *(rc_low_pass, rc_ladder, high_pass, clipper, biased_clipper, half_wave, half_wave_smoothed, bridge),
        *(bridge_smoothed, centre_tap, doubler, cockcroft_walton, peak_detector, envelope_detector, clamp, zener),
        *(zener_clipper, fast_edges, fast_edge_diode, pwl_drive, reverse_recovery, diffusion_only, varactor),
        *(two_temperatures, floating_supply, diode_string, diode_ladder, ring_modulator, sample_and_hold, amplifier),
        *(integrator, precision_rectifier, current_mirror, transresistance, gyrator, charge_sharing, decades),
        *(exponential_drive, no_capacitor, burst, series_resonance, transformer, buck_converter, relaxation_oscillator),
        mosfet_inverter,
    )
}
"""By name, each with its parameters' defaults: the cards between the title and `.end`."""

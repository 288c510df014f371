"""What random netlists are drawn from: values as decimals, which mho, ngspice and the high-precision solution all read."""

import numpy as np

DEFAULT_DIODE = ".model d d"
"""The card of a diode that is all defaults: IS = 1e-14 A, N = 1, no resistance, no breakdown."""

_TEXTBOOK_SHARE = 0.7


def log_uniform(random: np.random.Generator, low: float, high: float) -> str:
    """A value as likely in one decade as in another, to 6 digits."""
    return f"{np.exp(random.uniform(np.log(low), np.log(high))):.6g}"


def signed(random: np.random.Generator, low: float, high: float) -> str:
    """`log_uniform`, of either sign."""
    return random.choice(["", "-"]) + log_uniform(random, low, high)


def supply(random: np.random.Generator) -> str:
    """A textbook's supply [V]: mostly 10 to 1000 V, else from 1 mV to 10 kV."""
    return log_uniform(random, 10, 1e3) if random.random() < _TEXTBOOK_SHARE else log_uniform(random, 1e-3, 1e4)


def load(random: np.random.Generator) -> str:
    """A textbook's resistor [ohm]: mostly 1 to 100 kohm, else from 1 mohm to 10 Mohm."""
    return log_uniform(random, 1, 1e5) if random.random() < _TEXTBOOK_SHARE else log_uniform(random, 1e-3, 1e7)


def diode_card(random: np.random.Generator, name: str = "d") -> str:
    """A diode's model: the default one, or what a vendor's library may hold."""
    if random.random() < 0.6:
        return f".model {name} d"
    return vendor_card(random, name)


def vendor_card(random: np.random.Generator, name: str = "d") -> str:
    """A vendor's diode card: IS, N and RS of signal, power, Schottky and light-emitting diodes, odd ones among them."""
    absurd = random.random() < 0.03
    saturation = log_uniform(random, 1e-3, 1e14) if absurd else log_uniform(random, 1e-24, 1e-5)
    words = [f"is={saturation}", f"n={random.uniform(0.8, 4):.4g}"]
    breaks = random.random() < 0.4
    # Two supplies joined by diodes that break down and have no resistance would not be a circuit of this world.
    if breaks or random.random() < 0.5:
        words.append(f"rs={log_uniform(random, 1e-4, 100)}")
    if breaks:
        words.append(f"bv={log_uniform(random, 2, 2e3)} ibv={log_uniform(random, 1e-10, 0.1)}")
    if random.random() < 0.3:
        words.append(f"eg={random.uniform(0.6, 3):.4g} xti={random.uniform(0, 5):.3g}")
    if random.random() < 0.2:
        words.append(f"tnom={random.uniform(0, 60):.3g}")
    words += ["cjo=4p m=0.35 vj=0.75 tt=11n"] if random.random() < 0.5 else []
    return f".model {name} d({' '.join(words)})"


def whole_card(random: np.random.Generator, name: str = "d") -> str:
    """A diode card with any of the parameters that ngspice has: knees, sidewall, recombination, tunnelling, temperature."""
    words = [
        f"is={log_uniform(random, 1e-18, 1e-8)} n={random.uniform(0.9, 2.5):.4g} rs={log_uniform(random, 1e-3, 30)}"
    ]
    optional = (
        f"ikf={log_uniform(random, 1e-5, 10)}",
        f"ikr={log_uniform(random, 1e-6, 10)}",
        f"isr={log_uniform(random, 1e-14, 1e-6)} nr={random.uniform(1, 3):.4g} vj={random.uniform(0.3, 1):.4g} m=0.4",
        f"jsw={log_uniform(random, 1e-15, 1e-8)}",
        f"jsw={log_uniform(random, 1e-15, 1e-8)} ns={random.uniform(0.9, 2.5):.4g}",
        f"bv={log_uniform(random, 2, 500)} ibv={log_uniform(random, 1e-9, 0.1)}",
        f"bv={log_uniform(random, 2, 500)} ibv={log_uniform(random, 1e-9, 0.1)} nbv={random.uniform(0.9, 3):.4g} tcv=1e-3",
        f"jtun={log_uniform(random, 1e-15, 1e-8)} ntun={random.uniform(10, 60):.4g}",
        f"trs1={random.uniform(-1e-3, 5e-3):.4g} trs2={random.uniform(0, 1e-5):.4g}",
        f"eg={random.uniform(0.6, 1.6):.4g} xti={random.uniform(1, 5):.4g} tnom={random.uniform(0, 50):.4g}",
    )
    drawn = [text for text in optional if random.random() < 0.35]
    given: set[str] = set()
    for text in drawn:
        if text.split("=")[0] not in given:
            given.add(text.split("=")[0])
            words.append(text)
    return f".model {name} d({' '.join(words)})"

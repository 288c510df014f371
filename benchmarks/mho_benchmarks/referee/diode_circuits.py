"""Random circuits of resistors, sources and diodes, as textbooks draw them. Each function gives the cards of one."""

import numpy as np

from mho_benchmarks.referee.draws import (
    DEFAULT_DIODE,
    diode_card,
    load,
    log_uniform,
    signed,
    supply,
    vendor_card,
    whole_card,
)

Random = np.random.Generator


def series_diode(random: Random) -> list[str]:
    """A source, a resistor and one to three diodes side by side or against each other."""
    cards = [f"V1 a 0 {random.choice(['', '-'])}{supply(random)}", f"R1 a b {load(random)}"]
    for k in range(random.integers(1, 4)):
        ends = "b 0" if k == 0 or random.random() < 0.5 else "0 b"
        cards.append(f"D{k} {ends} d")
    return [*cards, DEFAULT_DIODE if random.random() < 0.7 else diode_card(random)]


def string(random: Random) -> list[str]:
    """Two to twenty diodes in a row behind a resistor, some nodes loaded."""
    count = 2 if random.random() < 0.3 else int(random.integers(2, 21))
    cards = [f"V1 a 0 {random.choice(['', '', '-'])}{supply(random)}", f"R1 a n0 {load(random)}"]
    for k in range(count):
        cards.append(f"D{k} n{k} {'0' if k == count - 1 else f'n{k + 1}'} d{k % 2}")
        if k and random.random() < 0.2:
            cards.append(f"RL{k} n{k} 0 {log_uniform(random, 10, 1e7)}")
    first = diode_card(random, "d0")
    return [*cards, first, first.replace("d0", "d1") if random.random() < 0.7 else diode_card(random, "d1")]


def bridge(random: Random) -> list[str]:
    """A bridge rectifier on a floating source, on one tied to ground, or behind a winding's resistance."""
    kind = random.integers(3)
    volts = random.choice(["", "-"]) + supply(random)
    cards = [f"V1 {'s' if kind == 2 else 'a'} b {volts}"]
    if kind == 1:
        cards.append(f"RT b 0 {log_uniform(random, 1, 1e9)}")
    if kind == 2:
        cards.append(f"RW s a {log_uniform(random, 1e-3, 100)}")
    cards += ["D1 a p d", "D2 b p d", "D3 0 a d", "D4 0 b d", f"RL p 0 {load(random)}"]
    if random.random() < 0.5:
        cards.append("C1 p 0 100u")
    if random.random() < 0.3:
        cards += [f"RF p q {log_uniform(random, 1, 1e3)}", f"RQ q 0 {load(random)}", "C2 q 0 100u"]
    return [*cards, DEFAULT_DIODE if random.random() < 0.6 else diode_card(random)]


def centre_tap(random: Random) -> list[str]:
    """A full-wave rectifier on a winding with a centre tap, a negative rail at times."""
    volts = random.choice(["", "-"]) + supply(random)
    cards = [f"V1 a 0 {volts}", f"V2 0 b {volts}", "D1 a p d", "D2 b p d", f"RL p 0 {load(random)}"]
    if random.random() < 0.5:
        cards += ["D3 m a d", "D4 m b d", f"RM m 0 {load(random)}"]
    if random.random() < 0.3:
        cards.append(f"RX p {'m' if len(cards) > 6 else 'a'} {load(random)}")
    return [*cards, DEFAULT_DIODE if random.random() < 0.7 else diode_card(random)]


def clamp(random: Random) -> list[str]:
    """Inputs behind resistors, clamped to rails by diodes, in a chain of one to five stages."""
    cards = [f"VP vp 0 {supply(random)}", f"VN vn 0 -{supply(random)}", f"V1 n0 0 {signed(random, 0.1, 5e3)}"]
    for k in range(1, random.integers(2, 7)):
        cards += [f"R{k} n{k - 1} n{k} {load(random)}", f"DP{k} n{k} vp d", f"DN{k} vn n{k} d"]
    return [*cards, DEFAULT_DIODE if random.random() < 0.7 else diode_card(random)]


def clipper(random: Random) -> list[str]:
    """Shunt and series clippers with bias sources."""
    cards = [f"V1 a 0 {signed(random, 1e-2, 1e3)}", f"R1 a b {load(random)}"]
    cards += [
        f"D1 b c d\nVB1 c 0 {log_uniform(random, 0.1, 100)}",
        f"D2 e b d\nVB2 e 0 -{log_uniform(random, 0.1, 100)}",
    ]
    if random.random() < 0.5:
        cards += ["D3 b f d", f"RS f 0 {load(random)}"]
    if random.random() < 0.3:
        cards += ["D4 b g d", "D5 g b d", f"RG g 0 {load(random)}"]
    return [*cards, DEFAULT_DIODE if random.random() < 0.7 else diode_card(random)]


def zener(random: Random) -> list[str]:
    """Regulators by diodes in breakdown, single, in a row, and one behind the other."""
    cards = [
        f"V1 a 0 {random.choice(['', '', '-'])}{log_uniform(random, 1, 1e3)}",
        f"R1 a b {log_uniform(random, 1, 1e5)}",
    ]
    cards += ["DZ1 0 b z"] if random.random() < 0.6 else ["DZ1 m b z", "DZ2 0 m z"]
    cards.append(f"RL b 0 {log_uniform(random, 10, 1e6)}")
    if random.random() < 0.4:
        cards += [f"R2 b c {log_uniform(random, 1, 1e5)}", "DZ3 0 c y", f"RC c 0 {log_uniform(random, 10, 1e6)}"]
    series = f" rs={log_uniform(random, 0.01, 30)}" if random.random() < 0.4 else ""
    emission = f" n={random.uniform(1, 2):.4g}" if random.random() < 0.4 else ""
    for name in "zy":
        breakdown = f"bv={log_uniform(random, 1.8, 200)} ibv={log_uniform(random, 1e-9, 0.1)}"
        cards.append(f".model {name} d(is={log_uniform(random, 1e-16, 1e-9)} {breakdown}{series}{emission})")
    return cards


def multiplier(random: Random) -> list[str]:
    """A voltage doubler or Cockcroft-Walton multiplier at DC: its capacitors are open, its nodes hang on diodes."""
    stages = int(random.integers(1, 9))
    cards = [f"V1 a 0 {random.choice(['', '-'])}{supply(random)}"]
    above = "a"
    for k in range(2 * stages):
        below = "0" if k == 0 else f"n{k}"
        cards += [f"D{k} {below} n{k + 1} d", f"C{k} {above} n{k + 1} 1u"]
        above = below
    if random.random() < 0.8:
        cards.append(f"RL n{2 * stages} 0 {load(random)}")
    if random.random() < 0.5:
        cards.append(f"RF a n{random.integers(1, 2 * stages + 1)} {load(random)}")
    return [*cards, DEFAULT_DIODE if random.random() < 0.7 else diode_card(random)]


def gates(random: Random) -> list[str]:
    """Two levels of diode logic: OR and AND gates of many inputs."""
    high = float(log_uniform(random, 1, 300))
    cards = [f"VC vc 0 {high:.6g}"]
    for g in range(random.integers(1, 5)):
        is_or = random.random() < 0.5
        for k in range(random.integers(2, 9)):
            level = high if random.random() < 0.5 else 0.0
            cards.append(f"V{g}_{k} i{g}_{k} 0 {level:.6g}")
            cards.append(f"D{g}_{k} {f'i{g}_{k} g{g}' if is_or else f'g{g} i{g}_{k}'} d")
        cards.append(f"R{g} g{g} {'0' if is_or else 'vc'} {load(random)}")
        cards.append(f"DO{g} g{g} out d")
    return [*cards, f"RO out 0 {load(random)}", DEFAULT_DIODE if random.random() < 0.7 else diode_card(random)]


def ladder(random: Random) -> list[str]:
    """A ladder of resistors and diodes to ground, 3 to 1000 sections."""
    sections = int(float(log_uniform(random, 3, 1000)))
    series, shunt = log_uniform(random, 0.1, 1e5), load(random)
    cards = [f"V1 n0 0 {random.choice(['', '', '-'])}{supply(random)}"]
    along = random.random() < 0.3
    for k in range(sections):
        cards.append(f"R{k} n{k} n{k + 1} {series}")
        if along:
            cards += [f"D{k} n{k} n{k + 1} d", f"RS{k} n{k + 1} 0 {shunt}"]
        else:
            cards.append(f"D{k} {f'n{k + 1} 0' if k % 3 or random.random() < 0.7 else f'0 n{k + 1}'} d")
    return [*cards, DEFAULT_DIODE if random.random() < 0.7 else diode_card(random)]


def matrix(random: Random) -> list[str]:
    """A diode matrix: rows driven or floating, columns with resistors, as a read-only memory has them."""
    rows, columns = (int(n) for n in random.integers(2, 9, 2))
    cards = []
    for i in range(rows):
        if random.random() < 0.8:
            cards += [f"V{i} r{i} 0 {'0' if random.random() < 0.4 else supply(random)}"]
        else:
            cards += [f"RR{i} r{i} 0 {load(random)}"]
        for j in range(columns):
            if random.random() < 0.6:
                cards.append(f"D{i}_{j} r{i} c{j} d")
    cards += [f"R{j} c{j} 0 {load(random)}" for j in range(columns)]
    return [*cards, DEFAULT_DIODE if random.random() < 0.7 else diode_card(random)]


def ring(random: Random) -> list[str]:
    """A ring of four diodes between a floating source and one to ground, a mixer."""
    cards = [
        f"V1 a0 b {signed(random, 1e-3, 300)}",
        f"RW a0 a {load(random)}",
        f"V2 c0 0 {signed(random, 1e-3, 300)}",
        f"RV c0 c {load(random)}",
    ]
    cards += ["D1 a c d", "D2 c b d", "D3 b e d", "D4 e a d", f"RE e 0 {load(random)}"]
    cards += [f"RA a m {load(random)}", f"RB b m {load(random)}", f"RM m 0 {log_uniform(random, 1, 1e9)}"]
    return [*cards, DEFAULT_DIODE if random.random() < 0.6 else diode_card(random)]


def stiff_diodes(random: Random) -> list[str]:
    """Random graphs of diodes and resistors over nine decades, driven by sources to ground and between nodes."""
    count = int(random.integers(2, 25))
    cards = []
    for k in range(count):
        cards.append(f"R{k} n{k} {'0' if k == 0 else f'n{random.integers(k)}'} {log_uniform(random, 1, 1e9)}")
        cards.append(f"RC{k} n{k} {_other(random, k, count)} {log_uniform(random, 1, 1e9)}")
    for k in range(random.integers(1, count + 2)):
        at = int(random.integers(count))
        cards.append(f"D{k} n{at} {_other(random, at, count)} d{random.integers(2)}")
    for k in range(random.integers(1, 4)):
        at = int(random.integers(count))
        other = "0" if random.random() < 0.5 else _other(random, at, count)
        cards += [
            f"V{k} s{k} {other} {signed(random, 1e-3, 1e3)}",
            f"RS{k} s{k} n{at} {log_uniform(random, 1e-3, 1e6)}",
        ]
    return [*cards, diode_card(random, "d0"), vendor_card(random, "d1")]


def _other(random: Random, node: int, count: int) -> str:
    other = int(random.integers(-1, count - 1))
    other += other >= node
    return "0" if other < 0 else f"n{other}"


def floating_supplies(random: Random) -> list[str]:
    """Supplies on no ground: islands with a source, resistors and diodes, joined by resistors up to 1 Gohm."""
    cards = [DEFAULT_DIODE if random.random() < 0.6 else diode_card(random)]
    for k in range(random.integers(1, 5)):
        cards += [f"V{k} p{k} m{k} {signed(random, 1e-2, 1e3)}", f"R{k} p{k} x{k} {load(random)}"]
        cards += [f"D{k} x{k} m{k} d", f"RX{k} x{k} m{k} {load(random)}"]
        before = "0" if k == 0 else random.choice(["0", f"p{k - 1}", f"x{k - 1}", f"m{k - 1}"])
        cards.append(f"RT{k} {random.choice(['p', 'm', 'x'])}{k} {before} {log_uniform(random, 1, 1e9)}")
        if random.random() < 0.5:
            cards.append(f"DT{k} {random.choice(['p', 'm'])}{k} {before} d")
    return cards


def breakdown(random: Random) -> list[str]:
    """Strings and grids of diodes driven far into breakdown."""
    count = int(random.integers(1, 9))
    cards = [f"V1 a 0 {signed(random, 1, 5e3)}", f"R1 a n0 {log_uniform(random, 1, 1e6)}"]
    for k in range(count):
        after = "0" if k == count - 1 else f"n{k + 1}"
        cards.append(f"D{k} {f'n{k} {after}' if random.random() < 0.4 else f'{after} n{k}'} z{random.integers(3)}")
        if random.random() < 0.3:
            cards.append(f"RP{k} n{k} {after} {log_uniform(random, 100, 1e9)}")
    for k in range(3):
        words = f"is={log_uniform(random, 1e-18, 1e-8)} bv={log_uniform(random, 1, 1e3)} ibv={log_uniform(random, 1e-12, 1)}"
        words += f" rs={log_uniform(random, 1e-3, 100)}" if random.random() < 0.4 else ""
        words += f" n={random.uniform(1, 3):.4g}" if random.random() < 0.4 else ""
        cards.append(f".model z{k} d({words})")
    return cards


def hot_and_cold(random: Random) -> list[str]:
    """Textbook circuits from -55 to 175 degrees Celsius, elements of their own temperature among them."""
    cards = TEXTBOOK[int(random.integers(len(TEXTBOOK)))](random)
    celsius = f"{random.uniform(-55, 175):.4g}"
    cards.append(f".temp {celsius}" if random.random() < 0.5 else f".options temp={celsius}")
    if random.random() < 0.3:
        cards.append(f".options tnom={random.uniform(0, 50):.4g}")
    if random.random() < 0.3:
        cards += [f"VOWN own 0 {supply(random)}", f"ROWN own owned {load(random)}"]
        cards += [f"DOWN owned 0 down temp={random.uniform(-55, 175):.4g}", diode_card(random, "down")]
    return cards


def vendor(random: Random) -> list[str]:
    """Textbook circuits with diodes of a vendor's library, their area and multiplier."""
    cards = TEXTBOOK[int(random.integers(len(TEXTBOOK)))](random)
    kept = [c for c in cards if not c.startswith(".model")]
    names = sorted({c.split()[1] for c in cards if c.startswith(".model")})
    drawn = []
    for card in kept:
        extra = ""
        if card.startswith("D") and "\n" not in card:
            extra += f" area={log_uniform(random, 0.1, 100)}" if random.random() < 0.2 else ""
            extra += f" m={random.integers(1, 9)}" if random.random() < 0.2 else ""
        drawn.append(card + extra)
    return [*drawn, *(vendor_card(random, name) for name in names)]


def whole_cards(random: Random) -> list[str]:
    """Textbook circuits with diodes that use any parameter of their models, at any temperature, with pj, area and m."""
    cards = TEXTBOOK[int(random.integers(len(TEXTBOOK)))](random)
    kept = [c for c in cards if not c.startswith(".model")]
    drawn = []
    for card in kept:
        extra = ""
        if card.startswith("D") and "\n" not in card:
            extra += f" pj={log_uniform(random, 0.1, 10)}" if random.random() < 0.4 else ""
            extra += f" area={log_uniform(random, 0.1, 100)}" if random.random() < 0.3 else ""
            extra += f" m={random.integers(1, 9)}" if random.random() < 0.2 else ""
        drawn.append(card + extra)
    drawn += [f".temp {random.uniform(-55, 175):.4g}"] if random.random() < 0.5 else []
    return [
        *drawn,
        *(whole_card(random, name) for name in sorted({c.split()[1] for c in cards if c.startswith(".model")})),
    ]


def millivolts(random: Random) -> list[str]:
    """Textbook circuits a long way below a junction's voltage: leakage, gmin and zero crossings count."""
    cards = TEXTBOOK[int(random.integers(len(TEXTBOOK)))](random)
    return [
        f"{card.rsplit(' ', 1)[0]} {signed(random, 1e-6, 0.5)}" if card.startswith("V") and "\n" not in card else card
        for card in cards
    ]


TEXTBOOK = (series_diode, string, bridge, centre_tap, clamp, clipper, zener, multiplier, gates, matrix, ring)
"""What the circuits at other temperatures, of other diodes and at other voltages are made from."""

"""Random circuits without diodes, or driven by current sources. Each function gives the cards of one."""

import numpy as np

from mho_benchmarks.referee.draws import DEFAULT_DIODE, diode_card, load, log_uniform, signed, supply

Random = np.random.Generator


def r2r(random: Random) -> list[str]:
    """An R-2R ladder of 2 to 24 bits; the code is drawn."""
    bits, ohms = int(random.integers(2, 25)), float(log_uniform(random, 1, 1e6))
    reference = supply(random)
    cards = [f"RT n0 0 {2 * ohms:.6g}"]
    for k in range(bits):
        cards += [f"V{k} b{k} 0 {reference if random.random() < 0.5 else '0'}", f"RB{k} b{k} n{k} {2 * ohms:.6g}"]
        if k:
            cards.append(f"R{k} n{k - 1} n{k} {ohms:.6g}")
    return cards


def divider(random: Random) -> list[str]:
    """A chain of two to ten resistors from 1 nohm to 1 Gohm."""
    count = int(random.integers(2, 11))
    cards = [f"V1 n0 0 {signed(random, 1e-3, 1e4)}"]
    for k in range(count):
        value = random.choice(["1n", "1", "1g"]) if random.random() < 0.5 else log_uniform(random, 1e-9, 1e9)
        cards.append(f"R{k} n{k} {'0' if k == count - 1 else f'n{k + 1}'} {value}")
    return cards


def stiff_resistors(random: Random) -> list[str]:
    """Random graphs of resistors over nine decades, at times eighteen."""
    count = int(random.integers(2, 31))
    low, high = (1.0, 1e9) if random.random() < 0.6 else (1e-9, 1e9)
    cards = [f"V1 n0 0 {signed(random, 1e-3, 1e4)}"]
    for k in range(1, count):
        cards.append(f"R{k} n{k} n{random.integers(k)} {log_uniform(random, low, high)}")
        if random.random() < 0.7:
            other = int(random.integers(count - 1))
            other += other >= k
            cards.append(f"RC{k} n{k} {'0' if random.random() < 0.3 else f'n{other}'} {log_uniform(random, low, high)}")
    cards.append(f"RE n{count - 1} 0 {log_uniform(random, low, high)}")
    if random.random() < 0.4:
        cards += [
            f"V2 s n{random.integers(count)} {signed(random, 1e-3, 1e3)}",
            f"RS s 0 {log_uniform(random, low, high)}",
        ]
    return cards


def current_sources(random: Random) -> list[str]:
    """Resistors, diodes at times, and current sources alone."""
    count = int(random.integers(1, 12))
    cards = []
    for k in range(count):
        cards.append(f"R{k} n{k} {'0' if k == 0 else f'n{random.integers(k)}'} {load(random)}")
    for k in range(random.integers(1, 4)):
        first, second = (f"n{n}" for n in random.integers(count, size=2))
        second = "0" if first == second or random.random() < 0.5 else second
        cards.append(f"I{k} {first} {second} {signed(random, 1e-9, 1)}")
    if random.random() < 0.6:
        for k in range(random.integers(1, 4)):
            cards.append(
                f"D{k} n{random.integers(count)} 0 d"
                if random.random() < 0.6
                else f"D{k} 0 n{random.integers(count)} d"
            )
        cards.append(DEFAULT_DIODE if random.random() < 0.6 else diode_card(random))
    return cards

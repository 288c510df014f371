"""Random circuits with controlled sources: bidirectional amplifiers, operational amplifiers, subcircuits.

Each function gives the cards of one. Feedback is of the sign that settles, so that there is one operating point, but for
`controlled` and `subcircuits`, whose gains are drawn of either sign.
"""

import numpy as np

from mho_benchmarks.referee.draws import DEFAULT_DIODE, diode_card, load, log_uniform, signed

Random = np.random.Generator


def bidirectional(random: Random) -> list[str]:
    """The paper's circuit in small: layers of resistors, antiparallel diodes with bias sources, E + F amplifiers.

    The amplifiers are written as `mho export` writes them, or the G of the near side as a current-controlled source.
    """
    cards = []
    widths = [int(random.integers(1, 5)) for _ in range(random.integers(2, 6 if random.random() < 0.8 else 21))]
    ahead = []
    for k in range(widths[0]):
        cards.append(f"V{k} i{k} 0 {signed(random, 1e-2, 50)}")
        ahead.append(f"i{k}")
    for layer, width in enumerate(widths[1:], 1):
        gain = float(log_uniform(random, 0.5, 8))
        nodes = [f"h{layer}_{j}" for j in range(width)]
        for i, near in enumerate(ahead):
            cards += [f"R{layer}_{i}_{j} {near} {far} {log_uniform(random, 10, 1e5)}" for j, far in enumerate(nodes)]
        ahead = []
        for j, node in enumerate(nodes):
            bias = log_uniform(random, 0.01, 2)
            cards += [f"VA{layer}_{j} {node}a 0 {bias}", f"DA{layer}_{j} {node} {node}a d"]
            cards += [f"VB{layer}_{j} {node}b 0 -{bias}", f"DB{layer}_{j} {node}b {node} d"]
            far = f"a{layer}_{j}"
            cards.append(f"E{layer}_{j} {far} 0 {node} 0 {gain:.6g}")
            cards.append(f"F{layer}_{j} {node} 0 E{layer}_{j} {-1 / gain:.17g}")
            ahead.append(far)
    cards += [f"RO{k} {node} 0 {log_uniform(random, 10, 1e6)}" for k, node in enumerate(ahead)]
    return [*cards, DEFAULT_DIODE if random.random() < 0.5 else diode_card(random)]


def chain(random: Random) -> list[str]:
    """One to twenty amplifiers in a row, E + F or E alone, with load resistors and clamping diodes between them."""
    cards = [f"V1 n0 0 {signed(random, 1e-3, 10)}"]
    both = random.random() < 0.6
    for k in range(random.integers(1, 21)):
        gain = float(log_uniform(random, 0.7, 3))
        cards += [f"R{k} n{k} m{k} {log_uniform(random, 100, 1e5)}", f"E{k} n{k + 1} 0 m{k} 0 {gain:.6g}"]
        if both:
            cards.append(f"F{k} m{k} 0 E{k} {-1 / gain:.15g}")
        if not both or random.random() < 0.5:
            cards.append(f"RG{k} m{k} 0 {log_uniform(random, 100, 1e6)}")
        if random.random() < 0.5:
            cards += [f"DP{k} m{k} 0 d", f"DN{k} 0 m{k} d"]
        last = k + 1
    return [*cards, f"RL n{last} 0 {load(random)}", DEFAULT_DIODE if random.random() < 0.6 else diode_card(random)]


def op_amps(random: Random) -> list[str]:
    """Operational amplifiers, E of gain 1e3 to 1e7, with negative feedback, one behind the other."""
    cards = [f"V1 n0 0 {signed(random, 1e-3, 10)}", f"V2 ref 0 {signed(random, 1e-3, 5)}"]
    for k in range(random.integers(1, 6)):
        near, far = f"n{k}", f"n{k + 1}"
        gain = log_uniform(random, 1e3, 1e7)
        kind = random.choice(["inverting", "follower", "non-inverting", "summing", "integrator", "difference"])
        if kind == "follower":
            cards.append(f"E{k} {far} 0 {near} {far} {gain}")
        elif kind == "non-inverting":
            cards += [
                f"E{k} {far} 0 {near} x{k} {gain}",
                f"RF{k} {far} x{k} {load(random)}",
                f"RG{k} x{k} 0 {load(random)}",
            ]
        elif kind == "difference":
            cards += [
                f"E{k} {far} 0 y{k} x{k} {gain}",
                f"RA{k} {near} y{k} {load(random)}",
                f"RB{k} y{k} 0 {load(random)}",
            ]
            cards += [f"RC{k} ref x{k} {load(random)}", f"RD{k} x{k} {far} {load(random)}"]
        else:
            cards += [f"E{k} o{k} 0 0 x{k} {gain}", f"RO{k} o{k} {far} {log_uniform(random, 0.1, 100)}"]
            cards += [
                f"R{k} {near} x{k} {log_uniform(random, 1e3, 1e5)}",
                f"RF{k} {far} x{k} {log_uniform(random, 1e3, 1e5)}",
            ]
            cards += [f"RS{k} ref x{k} {load(random)}"] if kind == "summing" else []
            cards += [f"C{k} {far} x{k} 1n"] if kind == "integrator" else []
        last = k + 1
    return [*cards, f"RL n{last} 0 {load(random)}"]


def diode_op_amps(random: Random) -> list[str]:
    """Operational amplifiers with diodes in the feedback: logarithmic amplifiers, precision rectifiers, limiters."""
    cards = [f"V1 n0 0 {signed(random, 1e-3, 10)}"]
    for k in range(random.integers(1, 4)):
        near, far, gain = f"n{k}", f"n{k + 1}", log_uniform(random, 1e3, 1e6)
        kind = random.choice(["logarithm", "rectifier", "superdiode", "limiter"])
        if kind == "superdiode":
            cards += [
                f"E{k} o{k} 0 {near} {far} {gain}",
                f"D{k} o{k} {far} d",
                f"RL{k} {far} 0 {log_uniform(random, 100, 1e6)}",
            ]
            continue
        cards += [f"R{k} {near} x{k} {log_uniform(random, 1e3, 1e5)}", f"E{k} o{k} 0 0 x{k} {gain}"]
        if kind == "rectifier":
            cards += [f"DA{k} x{k} o{k} d", f"DB{k} o{k} {far} d", f"RF{k} {far} x{k} {log_uniform(random, 1e3, 1e5)}"]
        else:
            cards += [f"D{k} x{k} o{k} d", f"DR{k} o{k} x{k} d", f"RO{k} o{k} {far} {log_uniform(random, 1, 1e3)}"]
            cards += [f"RF{k} o{k} x{k} {log_uniform(random, 1e4, 1e7)}"] if kind == "limiter" else []
        cards.append(f"RL{k} {far} 0 {log_uniform(random, 100, 1e6)}")
    return [*cards, DEFAULT_DIODE if random.random() < 0.6 else diode_card(random)]


def controlled(random: Random) -> list[str]:
    """Random graphs of resistors, diodes at times, with E, F, G and H sources of either sign."""
    count = int(random.integers(2, 13))
    cards = [f"V0 s 0 {signed(random, 1e-2, 100)}", f"RS s n0 {log_uniform(random, 10, 1e4)}"]

    def node() -> str:
        return f"n{random.integers(count)}"

    for k in range(count):
        cards.append(f"R{k} n{k} {'0' if k == 0 else f'n{random.integers(k)}'} {log_uniform(random, 10, 1e5)}")
        if random.random() < 0.5:
            cards.append(f"RC{k} n{k} 0 {log_uniform(random, 10, 1e6)}")
    for k in range(random.integers(1, 5)):
        letter = random.choice(list("EFGH"))
        if letter == "E":
            cards += [
                f"E{k} e{k} 0 {node()} {node()} {signed(random, 0.1, 30)}",
                f"RE{k} e{k} {node()} {log_uniform(random, 100, 1e5)}",
            ]
        elif letter == "G":
            cards.append(f"G{k} {node()} 0 {node()} {node()} {signed(random, 1e-6, 1e-2)}")
        elif letter == "F":
            cards.append(f"F{k} {node()} {node()} V0 {signed(random, 0.01, 10)}")
        else:
            cards += [
                f"H{k} h{k} 0 V0 {signed(random, 1, 1e4)}",
                f"RH{k} h{k} {node()} {log_uniform(random, 100, 1e5)}",
            ]
    if random.random() < 0.6:
        cards += [f"D{k} {node()} 0 d" for k in range(random.integers(1, 4))]
        cards.append(DEFAULT_DIODE if random.random() < 0.6 else diode_card(random))
    return cards


def subcircuits(random: Random) -> list[str]:
    """Nested subcircuits with parameters, controlled sources and diodes inside."""
    high = random.uniform(0.5, 4)
    cards = [
        f".param ohms={log_uniform(random, 10, 1e5)} k={high:.4g}",
        ".subckt stage in out params: r={ohms} a={k}",
        "R1 in mid {r}",
        f"R2 mid 0 {{r*{random.uniform(0.2, 20):.4g}+10}}",
        *(["D1 mid 0 d", "D2 0 mid d"] if random.random() < 0.6 else ["D1 mid 0 d"]),
        "Xb mid out buffer g={a} z={r/10}",
        ".ends",
        ".subckt buffer p q g=1 z=100",
        f"E1 e 0 p 0 {{g*{random.uniform(0.3, 1.5):.4g}}}",
        "VS e f 0",
        "R1 f q {z}",
        *([f"F1 p 0 VS {{-{random.uniform(0.1, 1):.4g}/g}}"] if random.random() < 0.5 else []),
        *(["Rleak q 0 {leak}", ".param leak={z*1k}"] if random.random() < 0.5 else []),
        ".ends",
        DEFAULT_DIODE if random.random() < 0.6 else diode_card(random),
        f"V1 t0 0 {signed(random, 1e-2, 100)}",
    ]
    count = int(random.integers(1, 7))
    for k in range(count):
        own = f" r={{ohms*{random.uniform(0.3, 3):.4g}}}" if random.random() < 0.5 else ""
        own += f" a={{k/{random.uniform(1, 3):.4g}}}" if random.random() < 0.3 else ""
        cards.append(f"X{k} t{k} t{k + 1} stage{own}")
    cards.append(f"RL t{count} 0 {load(random)}")
    if random.random() < 0.4:
        cards += [f"H1 h 0 V1 {signed(random, 1, 100)}", f"RH h t{random.integers(1, count + 1)} {load(random)}"]
    if random.random() < 0.3:
        cards.append(f"G1 t{random.integers(1, count + 1)} 0 t0 0 {signed(random, 1e-6, 1e-3)}")
    return cards

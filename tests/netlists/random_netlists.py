"""Random netlists: graphs, lattices, ladders of subcircuits, crossbars with wire resistance."""

import numpy as np

KINDS = ("graph", "lattice", "ladder", "crossbar")


def random_netlist(seed: int) -> tuple[str, float]:
    """A netlist and its gmin [S], by a seed."""
    random = np.random.default_rng(seed)
    kind = KINDS[int(random.integers(len(KINDS)))]
    cards = [f"* {kind} {seed}", f".temp {random.uniform(-40, 125):.3f}"]
    if random.random() < 0.3:
        cards.append(f".options tnom={random.uniform(0, 60):.2f}")
    models = int(random.integers(1, 4))
    cards += [_model(random, k) for k in range(models)]
    pairs, subcircuits = _graph(random, kind)
    cards += subcircuits
    nodes = sorted({n for pair in pairs for n in pair} - {"0"})
    for k, (a, b) in enumerate(pairs):
        cards.append(_resistor(random, k, a, b))

    def node() -> str:
        return nodes[int(random.integers(len(nodes)))]

    for k in range(int(random.integers(0, len(nodes) + 1))):
        extra = "".join(
            text
            for text in (
                f" area={random.uniform(0.2, 5):.4g}",
                f" m={random.integers(1, 4)}",
                f" temp={random.uniform(-40, 125):.4g}",
            )
            if random.random() < 0.25
        )
        a, b = (node(), "0") if random.random() < 0.3 else (node(), node())
        if random.random() < 0.5:
            a, b = b, a
        cards.append(f"D{k} {a} {b} M{random.integers(models)}{extra}")
    # Behind resistors, so that no two sources make a loop.
    for k in range(int(random.integers(1, 4))):
        cards += [f"VS{k} s{k} 0 {_volts(random)}", f"RS{k} s{k} {node()} {10 ** random.uniform(1, 4):.6g}"]
    for k in range(int(random.integers(0, 3))):
        cards.append(f"I{k} {node()} {node()} {random.uniform(-5, 5):.5g}m")
    if random.random() < 0.3:
        cards.append(f"C0 {node()} {node()} 1u")
    if random.random() < 0.6:
        cards += _controlled(random, node)
    gmin = 10.0 ** float(random.integers(-14, -8)) if random.random() < 0.5 else 1e-12
    return "\n".join([*cards, f".options gmin={gmin:g}", ".op", ".end", ""]), gmin


def _volts(random: np.random.Generator) -> str:
    return f"{random.uniform(-15, 15):.6g}" if random.random() < 0.7 else f"DC {random.uniform(-900, 900):.5g}m"


def _resistor(random: np.random.Generator, k: int, a: str, b: str) -> str:
    ohms = 10 ** random.uniform(0, 6)
    value = f"{ohms:.6g}" if random.random() < 0.7 else f"{ohms / 1000:.6g}k"
    warmth = (
        f" tc1={random.uniform(-2e-3, 2e-3):.4g} tc2={random.uniform(0, 1e-5):.3g}" if random.random() < 0.1 else ""
    )
    return f"R{k} {a} {b} {value}{warmth}"


def _model(random: np.random.Generator, k: int) -> str:
    words = [f"IS={10 ** random.uniform(-15, -8):.6g}", f"N={random.uniform(1, 2):.4g}"]
    if random.random() < 0.5:
        words.append(f"RS={10 ** random.uniform(-2, 2):.4g}")
    if random.random() < 0.3:
        words.append(f"BV={random.uniform(3, 12):.4g} IBV={10 ** random.uniform(-6, -3):.4g}")
    if random.random() < 0.3:
        words.append(f"EG={random.uniform(0.6, 1.4):.4g} XTI={random.uniform(2, 4):.4g}")
    if random.random() < 0.2:
        words.append(f"TNOM={random.uniform(0, 60):.4g}")
    return f".model M{k} D({' '.join(words)} CJO=1p TT=1n)"


def _graph(random: np.random.Generator, kind: str) -> tuple[list[tuple[str, str]], list[str]]:
    """Resistors' ends, and cards of subcircuits that join some of the nodes."""
    if kind == "graph":
        n = int(random.integers(2, 25))
        tree = [(f"n{k}", "0" if k == 0 else f"n{random.integers(k)}") for k in range(n)]
        chords = [
            (f"n{random.integers(n)}", "0" if random.random() < 0.2 else f"n{random.integers(n)}") for _ in range(n)
        ]
        return tree + chords, []
    if kind == "lattice":
        rows, columns = (int(random.integers(2, 6)) for _ in range(2))
        at = [[f"l{i}_{j}" for j in range(columns)] for i in range(rows)]
        pairs = [(at[i][j], at[i][j + 1]) for i in range(rows) for j in range(columns - 1)]
        pairs += [(at[i][j], at[i + 1][j]) for i in range(rows - 1) for j in range(columns)]
        pairs += [(at[i][j], at[i + 1][j + 1]) for i in range(rows - 1) for j in range(columns - 1)]
        return [*pairs, (at[-1][-1], "0")], []
    if kind == "crossbar":
        rows, columns = (int(random.integers(2, 5)) for _ in range(2))
        word = [[f"w{i}_{j}" for j in range(columns)] for i in range(rows)]
        bit = [[f"b{i}_{j}" for j in range(columns)] for i in range(rows)]
        pairs = [(word[i][j], bit[i][j]) for i in range(rows) for j in range(columns)]
        pairs += [(word[i][j], word[i][j + 1]) for i in range(rows) for j in range(columns - 1)]
        pairs += [(bit[i][j], bit[i + 1][j]) for i in range(rows - 1) for j in range(columns)]
        return [*pairs, *((bit[-1][j], "0") for j in range(columns))], []
    stages = int(random.integers(1, 7))
    resistance, grown = 10 ** random.uniform(1, 5), random.uniform(0.5, 2)
    cards = [
        f".param ohms={resistance:.6g}",
        ".subckt stage in out params: r={ohms}",
        "R1 in mid {r}",
        f"R2 mid out {{r*{grown:.4g} + 10}}",
        "D1 mid 0 M0",
        "Xload out half",
        ".ends",
        ".subckt half a",
        "Ra a b 10k",
        "Rb b 0 10k",
        ".ends",
    ]
    cards += [f"Xs{k} t{k} t{k + 1} stage r={{ohms*{random.uniform(0.5, 3):.4g}}}" for k in range(stages)]
    return [(f"t{k}", "0") for k in range(stages + 1)], cards


def _controlled(random: np.random.Generator, node) -> list[str]:
    """Controlled sources, driven through resistors: alone, or as pairs that make a bidirectional amplifier."""
    cards = []
    for k in range(int(random.integers(1, 3))):
        if random.random() < 0.3:
            gain = random.uniform(0.5, 4)
            near = node()
            cards += [f"EA{k} a{k} 0 {near} 0 {gain:.6g}", f"FA{k} {near} 0 EA{k} {-1 / gain:.15g}"]
            cards.append(f"RA{k} a{k} {node()} {10 ** random.uniform(2, 5):.6g}")
            continue
        letter = "EGFH"[int(random.integers(4))]
        if letter == "E":
            cards += [f"E{k} e{k} 0 {node()} {node()} {random.uniform(-3, 3):.5g}"]
            cards.append(f"RE{k} e{k} {node()} {10 ** random.uniform(2, 5):.6g}")
        elif letter == "G":
            cards.append(
                f"G{k} {node()} {node()} {node()} {node()} {random.uniform(-1, 1) * 10 ** random.uniform(-6, -3):.5g}"
            )
        elif letter == "F":
            cards.append(f"F{k} {node()} {node()} VS0 {random.uniform(-1, 1):.5g}")
        else:
            cards += [f"H{k} h{k} 0 VS0 {random.uniform(-1e3, 1e3):.5g}"]
            cards.append(f"RH{k} h{k} {node()} {10 ** random.uniform(2, 5):.6g}")
    return cards

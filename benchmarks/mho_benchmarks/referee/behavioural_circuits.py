"""Random circuits with behavioural sources: conductors by formula, saturating amplifiers, stages of functions.

Each function gives the cards of one. Conductors grow with their own voltage, feedback settles and stages follow one another,
so that there is one operating point.
"""

import numpy as np

from mho_benchmarks.referee.draws import DEFAULT_DIODE, load, log_uniform, signed

Random = np.random.Generator


def conductors(random: Random) -> list[str]:
    """A graph of resistors and of conductors whose current a formula gives: cubic, sinh, tanh, ideal diodes."""
    count = int(random.integers(2, 9))
    cards = [f"V1 s 0 {signed(random, 1e-2, 30)}", f"RS s n0 {log_uniform(random, 1, 1e4)}"]
    for k in range(count):
        cards.append(f"R{k} n{k} {'0' if k == 0 else f'n{random.integers(k)}'} {log_uniform(random, 10, 1e5)}")
    for k in range(random.integers(1, count + 2)):
        plus, minus = f"n{random.integers(count)}", "0"
        if random.random() < 0.4:
            minus = random.choice([f"n{n}" for n in range(count) if f"n{n}" != plus])
        drop = f"v({plus},{minus})" if minus != "0" else f"v({plus})"
        g = log_uniform(random, 1e-6, 1e-2)
        formula = random.choice(
            [
                f"{g}*{drop}*{drop}*{drop}",
                f"{g}*sinh({drop}*{random.uniform(0.1, 2):.4g})",
                f"{g}*tanh({drop}*{random.uniform(0.1, 20):.4g})",
                f"{drop} > 0 ? {log_uniform(random, 1, 1e5)}*{drop} : 0",
                f"{drop} < 0 ? {log_uniform(random, 1, 1e5)}*{drop} : 0",
                f"{g}*uramp({drop}-{random.uniform(-2, 2):.4g})",
                f"{g}*{drop}*abs({drop})",
                f"{g}*(exp({drop}/{random.uniform(0.05, 1):.4g})-1)",
                f"{g}*atan({drop})+{g}*{drop}/(1+abs({drop}))",
                f"{g}*pwl({drop}, -5,-3, -1,-0.2, 0,0, 2,1, 6,9)",
            ]
        )
        cards.append(f"B{k} {plus} {minus} I={formula}")
    return cards


def saturating_op_amps(random: Random) -> list[str]:
    """Operational amplifiers that saturate, as tanh, a table or a limit write it, with negative feedback."""
    cards = [f"V1 n0 0 {signed(random, 1e-2, 10)}"]
    for k in range(random.integers(1, 4)):
        near, far, rail = f"n{k}", f"n{k + 1}", random.uniform(3, 15)
        gain = float(log_uniform(random, 100, 1e5))
        form = random.choice(["tanh", "table", "limit"])
        if form == "tanh":
            cards.append(f"E{k} {far} 0 value={{{rail:.4g}*tanh({gain / rail:.6g}*(-v(x{k})))}}")
        elif form == "table":
            f"({-rail / gain:.6g},{-rail:.4g}) ({rail / gain:.6g},{rail:.4g})"
            cards.append(
                f"E{k} {far} 0 table {{-v(x{k})}} = ({-rail / gain:.6g},{-rail:.4g}) ({rail / gain:.6g},{rail:.4g})"
            )
        else:
            cards.append(f"B{k} {far} 0 V=min(max(-{gain:.6g}*v(x{k}), {-rail:.4g}), {rail:.4g})")
        cards += [
            f"R{k} {near} x{k} {log_uniform(random, 1e3, 1e5)}",
            f"RF{k} {far} x{k} {log_uniform(random, 1e3, 1e5)}",
        ]
        last = k + 1
    return [*cards, f"RL n{last} 0 {load(random)}"]


def function_stages(random: Random) -> list[str]:
    """Stages one after another: E, G, F and H sources with VALUE, POLY and TABLE, B sources, a diode behind each."""
    cards = [f"V1 n0 0 {signed(random, 1e-2, 5)}", "VM n0 q 0", f"RQ q 0 {log_uniform(random, 10, 1e4)}"]
    for k in range(random.integers(1, 6)):
        near, out, far = f"v(n{k})", f"o{k}", f"n{k + 1}"
        c = [f"{random.uniform(-1, 1):.4g}" for _ in range(6)]
        form = random.integers(7)
        if form == 0:
            cards.append(f"E{k} {out} 0 value={{{c[0]}+{c[1]}*{near}+{c[2]}*{near}*{near}/(1+{near}*{near})}}")
        elif form == 1:
            cards.append(f"E{k} {out} 0 poly(2) n{k} 0 n0 0 {' '.join(c[:5])}")
        elif form == 2:
            cards.append(f"E{k} {out} 0 table {{{near}}} = (-10,{c[0]}) (-1,{c[1]}) (0.5,{c[2]}) (4,{c[3]})")
        elif form == 3:
            cards += [
                f"G{k} {out} 0 value={{{c[0]}*1m*tanh({near})}}",
                f"RG{k} {out} 0 {log_uniform(random, 100, 1e4)}",
            ]
        elif form == 4:
            cards.append(f"H{k} {out} 0 poly(1) VM {c[0]} {float(c[1]) * 1e3:.4g}")
        elif form == 5:
            cards += [f"F{k} {out} 0 poly(1) VM 0 {c[0]} {c[1]}", f"RG{k} {out} 0 {log_uniform(random, 10, 1e4)}"]
        else:
            cards.append(f"B{k} {out} 0 V={c[0]}*sin({near})+sqrt(abs({near})+0.01)*{c[1]}+ln(1+{near}*{near})")
        cards += [f"R{k} {out} {far} {log_uniform(random, 10, 1e4)}", f"RD{k} {far} 0 {log_uniform(random, 100, 1e5)}"]
        cards += [f"D{k} {far} 0 d"] if random.random() < 0.5 else []
    return [*cards, DEFAULT_DIODE]

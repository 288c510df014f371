"""Random circuits with transistors and switches, as textbooks draw them. Each function gives the cards of one.

ngspice alone is their referee: their laws are not written down in high precision.
"""

import numpy as np

from mho_benchmarks.referee.draws import load, log_uniform, signed

Random = np.random.Generator


def _mosfet_models(random: Random) -> list[str]:
    cards = []
    for name, kind, sign in (("nm", "nmos", ""), ("pm", "pmos", "-")):
        words = [f"level=1 vto={sign}{random.uniform(0.3, 2):.4g} kp={log_uniform(random, 1e-5, 1e-3)}"]
        words += [f"lambda={random.uniform(0, 0.1):.4g}"] if random.random() < 0.6 else []
        words += (
            [f"gamma={random.uniform(0.1, 1):.4g} phi={random.uniform(0.4, 0.9):.4g}"] if random.random() < 0.5 else []
        )
        words += (
            [f"rd={log_uniform(random, 0.1, 100)} rs={log_uniform(random, 0.1, 100)}"] if random.random() < 0.3 else []
        )
        cards.append(f".model {name} {kind}({' '.join(words)})")
    return cards


def inverters(random: Random) -> list[str]:
    """A chain of CMOS inverters, loaded at times."""
    supply = random.uniform(1.5, 15)
    cards = [f"VDD vdd 0 {supply:.4g}", f"V1 n0 0 {random.uniform(0, supply):.6g}"]
    for k in range(random.integers(1, 6)):
        wide = f"w={log_uniform(random, 1, 100)}u l={log_uniform(random, 0.5, 10)}u"
        cards += [f"MP{k} n{k + 1} n{k} vdd vdd pm {wide}", f"MN{k} n{k + 1} n{k} 0 0 nm {wide}"]
        if random.random() < 0.4:
            cards.append(f"RL{k} n{k + 1} 0 {log_uniform(random, 1e3, 1e7)}")
    return [*cards, *_mosfet_models(random)]


def mosfet_stages(random: Random) -> list[str]:
    """Common-source stages, followers, mirrors and diode-connected transistors between supplies."""
    cards = [f"VDD vdd 0 {random.uniform(3, 20):.4g}", f"V1 n0 0 {random.uniform(0, 5):.5g}"]
    for k in range(random.integers(1, 5)):
        near, far = f"n{k}", f"n{k + 1}"
        size = f"w={log_uniform(random, 1, 1000)}u l={log_uniform(random, 1, 10)}u"
        kind = random.integers(4)
        if kind == 0:
            cards += [f"M{k} {far} {near} s{k} 0 nm {size}", f"RD{k} vdd {far} {load(random)}"]
            cards.append(f"RS{k} s{k} 0 {log_uniform(random, 10, 1e4)}")
        elif kind == 1:
            cards += [f"M{k} vdd {near} {far} 0 nm {size}", f"RS{k} {far} 0 {load(random)}"]
        elif kind == 2:
            cards += [
                f"RR{k} {near} d{k} {load(random)}",
                f"MA{k} d{k} d{k} 0 0 nm {size}",
                f"MB{k} {far} d{k} 0 0 nm {size}",
            ]
            cards.append(f"RD{k} vdd {far} {load(random)}")
        else:
            cards += [f"M{k} {far} {near} vdd vdd pm {size}", f"RD{k} {far} 0 {load(random)}"]
    return [*cards, *_mosfet_models(random)]


def bipolar_stages(random: Random) -> list[str]:
    """Common-emitter stages, followers, mirrors and Darlington pairs between supplies."""
    cards = [f"VCC vcc 0 {random.uniform(3, 30):.4g}", f"V1 n0 0 {random.uniform(0, 5):.5g}"]
    for k in range(random.integers(1, 5)):
        near, far = f"n{k}", f"n{k + 1}"
        cards.append(f"RB{k} {near} b{k} {log_uniform(random, 10, 1e6)}")
        kind = random.integers(4)
        if kind == 0:
            cards += [f"Q{k} {far} b{k} e{k} qn", f"RC{k} vcc {far} {log_uniform(random, 10, 1e5)}"]
            cards.append(f"RE{k} e{k} 0 {log_uniform(random, 1, 1e4)}")
        elif kind == 1:
            cards += [f"Q{k} vcc b{k} {far} qn", f"RE{k} {far} 0 {log_uniform(random, 10, 1e5)}"]
        elif kind == 2:
            cards += [
                f"QA{k} vcc b{k} d{k} qn",
                f"QB{k} vcc d{k} {far} qn",
                f"RE{k} {far} 0 {log_uniform(random, 10, 1e5)}",
            ]
        else:
            cards += [f"Q{k} {far} b{k} vcc qp", f"RC{k} {far} 0 {log_uniform(random, 10, 1e5)}"]
    for name, kind in (("qn", "npn"), ("qp", "pnp")):
        words = [f"is={log_uniform(random, 1e-18, 1e-12)} bf={log_uniform(random, 20, 500)}"]
        words += [f"vaf={log_uniform(random, 20, 200)}"] if random.random() < 0.5 else []
        words += (
            [f"ikf={log_uniform(random, 1e-3, 1)} ise={log_uniform(random, 1e-16, 1e-12)}"]
            if random.random() < 0.4
            else []
        )
        words += [f"rb={log_uniform(random, 1, 300)} re=0.1 rc=1"] if random.random() < 0.4 else []
        cards.append(f".model {name} {kind}({' '.join(words)})")
    return cards


def switches(random: Random) -> list[str]:
    """Dividers with switches and inductors, controlled by voltages away from the thresholds."""
    cards = [
        f"V1 n0 0 {signed(random, 1e-2, 300)}",
        f".model sw sw(vt=1 vh=0.2 ron={log_uniform(random, 1e-3, 100)} roff=1e9)",
    ]
    for k in range(random.integers(1, 7)):
        cards.append(f"R{k} n{k} n{k + 1} {load(random)}")
        cards.append(f"VC{k} c{k} 0 {random.choice(['-3', '0', '0.5', '1.5', '5'])}")
        cards.append(f"S{k} n{k + 1} 0 c{k} 0 sw")
        last = k + 1
    cards += [f"L1 n{last} out 1m", f"RL out 0 {load(random)}"]
    return cards

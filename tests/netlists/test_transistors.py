"""MOSFETs, JFETs and bipolar transistors of level 1: terminal currents, operating points and derivatives against ngspice."""

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from parameters import cards, linear, logarithmic

from mho.elements import ControlledLaw, JunctionFieldEffectChannel
from mho.elements.bipolar_transistor import BaseResistance
from mho.errors import InputError
from mho.netlists import parse_netlist
from mho.netlists.circuits.circuit import netlist_circuit, nodeset_voltages
from mho.netlists.circuits.transient import netlist_transient
from mho.networks.circuit import Circuit
from mho.ngspice.simulator import SpiceError
from mho.steady.newton import solve_circuit
from referee import spice_operating_point

MOSFET = {
    "vto": linear(-2.0, 2.0),
    "kp": logarithmic(1e-6, 1e-3),
    "gamma": linear(0.0, 1.5),
    "phi": linear(0.4, 1.0),
    "lambda": linear(0.0, 0.1),
    "is": logarithmic(1e-16, 1e-12),
    "js": logarithmic(1e-6, 1e-2),
    "tox": logarithmic(1e-8, 1e-7),
    "nsub": logarithmic(1e14, 1e17),
    "nss": logarithmic(1e9, 1e11),
    "tpg": st.sampled_from([-1, 0, 1]),
    "uo": linear(200.0, 900.0),
    "ld": linear(0.0, 2e-7),
    "tnom": linear(0.0, 50.0),
    "cgso": logarithmic(1e-11, 1e-9),
}
MOSFET_CARD = {
    "w": logarithmic(1e-6, 1e-3),
    "l": logarithmic(1e-6, 1e-4),
    "ad": logarithmic(1e-12, 1e-9),
    "as": logarithmic(1e-12, 1e-9),
    "m": st.sampled_from([1, 3]),
    "temp": linear(-55.0, 125.0),
    "dtemp": linear(-20.0, 20.0),
}
BIPOLAR = {
    "is": logarithmic(1e-17, 1e-12),
    "bf": linear(10.0, 400.0),
    "nf": linear(0.9, 1.3),
    "vaf": linear(10.0, 200.0),
    "ikf": logarithmic(1e-3, 1.0),
    "ise": logarithmic(1e-16, 1e-10),
    "ne": linear(1.2, 2.5),
    "br": linear(0.5, 20.0),
    "nr": linear(0.9, 1.3),
    "var": linear(5.0, 100.0),
    "ikr": logarithmic(1e-3, 1.0),
    "isc": logarithmic(1e-16, 1e-10),
    "nc": linear(1.0, 2.5),
    "xtb": linear(0.0, 2.0),
    "eg": linear(0.6, 1.3),
    "xti": linear(1.0, 5.0),
    "tnom": linear(0.0, 50.0),
    "nkf": linear(0.3, 1.2),
    "iss": logarithmic(1e-17, 1e-13),
    "ns": linear(0.9, 1.3),
    "subs": st.sampled_from([1, -1]),
    "cje": logarithmic(1e-13, 1e-11),
}
BIPOLAR_CARD = {
    "area": logarithmic(0.3, 10.0),
    "areab": logarithmic(0.3, 10.0),
    "areac": logarithmic(0.3, 10.0),
    "m": st.sampled_from([1, 3]),
    "temp": linear(-55.0, 125.0),
    "dtemp": linear(-20.0, 20.0),
}
JFET = {
    "vto": linear(-4.0, 0.5),
    "beta": logarithmic(1e-5, 1e-2),
    "lambda": linear(0.0, 0.1),
    "is": logarithmic(1e-16, 1e-12),
    "b": linear(0.3, 1.2),
    "pb": linear(0.7, 1.2),
    "tcv": linear(-2e-3, 2e-3),
    "vtotc": linear(-2e-3, 2e-3),
    "bex": linear(-1.0, 1.0),
    "betatce": linear(-0.5, 0.5),
    "xti": linear(1.0, 5.0),
    "eg": linear(0.6, 1.3),
    "tnom": linear(0.0, 50.0),
    "cgs": logarithmic(1e-13, 1e-11),
}
JFET_CARD = {name: BIPOLAR_CARD[name] for name in ("area", "m", "temp", "dtemp")}
RESISTANCES = {
    "jfet": {"rd": logarithmic(1.0, 1e3), "rs": logarithmic(1.0, 1e3)},
    "mosfet": {"rd": logarithmic(1.0, 1e3), "rs": logarithmic(1.0, 1e3), "rsh": linear(0.0, 50.0)},
    "bipolar": {
        "rb": logarithmic(1.0, 1e3),
        "rbm": logarithmic(1.0, 10.0),
        "irb": logarithmic(1e-6, 1e-2),
        "rc": logarithmic(0.1, 100.0),
        "re": logarithmic(0.1, 10.0),
    },
}


def drawn_currents(circuit: Circuit, voltages: dict[str, float]) -> dict[str, float]:
    """What the elements draw from each node [A], by the node's name, at given node voltages [V]."""
    names = [circuit.node_names[k] for k in range(circuit.nodes)]
    volts = np.array([voltages.get(name, 0.0) for name in names])
    total = np.zeros(circuit.nodes)
    for branch in circuit.branches:
        current = np.asarray(branch.element.current(volts[branch.first] - volts[branch.second]))
        np.add.at(total, branch.first, current)
        np.add.at(total, branch.second, -current)
    for group in circuit.behavioural:
        current, _ = group.law.tangent(volts[group.sensed])
        np.add.at(total, group.plus, current)
        np.add.at(total, group.minus, -current)
    return dict(zip(names, total.tolist(), strict=True))


@st.composite
def driven_transistor(draw: st.DrawFn, number: int) -> list[str]:
    """Cards of a transistor whose four terminals stand at voltages of their own."""
    family = draw(st.sampled_from(["mosfet", "bipolar", "jfet"]))
    if family == "jfet":
        kind = draw(st.sampled_from(["njf", "pjf"]))
        model, card = draw(cards(JFET, 9)), draw(cards(JFET_CARD, 3))
        drain, source = draw(linear(-4.0, 4.0)), draw(linear(-4.0, 4.0))
        # The gate from far below both to where its junction conducts.
        gate = (min if kind == "njf" else max)(drain, source) + (1 if kind == "njf" else -1) * draw(linear(-3.0, 0.7))
        name, volts = "j", (drain, gate, source)
    elif family == "mosfet":
        kind = draw(st.sampled_from(["nmos", "pmos"]))
        model, card = draw(cards(MOSFET, 9)), draw(cards(MOSFET_CARD, 4))
        drain, gate, source = draw(linear(-3.0, 3.0)), draw(linear(-3.0, 3.0)), draw(linear(-3.0, 3.0))
        # Bulk junctions from reverse to a little forward.
        bulk = (min if kind == "nmos" else max)(drain, source) + draw(linear(-0.6, 0.3))
        name, volts = "m", (drain, gate, source, bulk)
    else:
        kind = draw(st.sampled_from(["npn", "pnp"]))
        sign = 1.0 if kind == "npn" else -1.0
        model, card = draw(cards(BIPOLAR, 12)), draw(cards(BIPOLAR_CARD, 4))
        base = draw(linear(-2.0, 2.0))
        # Half of the junctions conduct, some into high injection.
        drops = (draw(st.one_of(linear(low, 0.5), linear(0.5, 0.85))) for low in (-5.0, -3.0))
        collector, emitter = (base - sign * drop for drop in drops)
        name, volts = "q", (collector, base, emitter, -sign * draw(linear(3.0, 9.0)))
    ends = [f"{end}{number}" for end in "abcd"[: len(volts)]]
    lines = [f".model t{number} {kind}({model})", f"{name}{number} {' '.join(ends)} t{number} {card}"]
    return lines + [f"v{end} {end} 0 {v:.12g}" for end, v in zip(ends, volts, strict=True)]


@settings(max_examples=30, deadline=None)
@given(st.tuples(*(driven_transistor(k) for k in range(6))), linear(-55.0, 125.0))
def test_terminal_currents_are_those_of_ngspice(transistors, celsius):
    lines = [line for transistor in transistors for line in transistor]
    text = "\n".join(["transistors", f".options temp={celsius}", *lines, ".end"])
    try:
        point = spice_operating_point(text)
    except SpiceError:
        reject()  # hot silicon or volts across a junction
    try:
        circuit = netlist_circuit(parse_netlist(text))
    except InputError as error:
        assert "PHI" in str(error)
        reject()
    drawn = drawn_currents(circuit, point.voltages)
    for k, transistor in enumerate(transistors):
        theirs = {end: -point.branches[f"v{end}{k}"] for end in "abcd" if f"v{end}{k}" in point.branches}
        largest = max(map(abs, theirs.values()))
        for end, current in theirs.items():
            # Where currents cancel or there are none, what is left is ngspice's last iteration: reltol 1e-9, abstol 1e-15 A.
            assert drawn[f"{end}{k}"] == pytest.approx(current, rel=1e-7, abs=1e-9 * largest + 1e-15), transistor


@st.composite
def amplifier(draw: st.DrawFn) -> str:
    """A stage of either transistor: resistances at all its terminals and inside it, and a second one behind it."""
    family = draw(st.sampled_from(["mosfet", "bipolar", "jfet"]))
    if family == "jfet":
        kind = draw(st.sampled_from(["njf", "pjf"]))
        inner, card = draw(cards({**JFET, **RESISTANCES["jfet"]}, 8)), draw(cards(JFET_CARD, 3))
        first, second = f"j1 c b e t {card}", "j2 o c f t"
    elif family == "mosfet":
        kind = draw(st.sampled_from(["nmos", "pmos"]))
        inner = draw(cards({**MOSFET, **RESISTANCES["mosfet"]}, 8))
        card = draw(cards(MOSFET_CARD, 3))
        first, second = f"m1 c b e 0 t {card}", "m2 o c f 0 t"
    else:
        kind = draw(st.sampled_from(["npn", "pnp"]))
        inner = draw(cards({**BIPOLAR, **RESISTANCES["bipolar"]}, 10))
        card = draw(cards(BIPOLAR_CARD, 3))
        first, second = f"q1 c b e t {card}", "q2 o c f t"
    supply = draw(linear(2.0, 15.0)) * (1 if kind[0] == "n" else -1)
    resistors = {name: draw(logarithmic(10.0, 1e5)) for name in ("rc", "rb", "rg", "re", "rl", "rf")}
    ends = {"rc": "p c", "rb": "p b", "rg": "b 0", "re": "e 0", "rl": "p o", "rf": "f 0"}
    lines = [f"{name} {ends[name]} {value}" for name, value in resistors.items()]
    return "\n".join(["stage", f"vp p 0 {supply:.6g}", *lines, first, second, f".model t {kind}({inner})", ".end"])


def assert_as_ngspice(text: str, tolerance: float = 1e-6) -> None:
    """The operating point's voltages are ngspice's, to 1e-6 V or relative."""
    point = spice_operating_point(text)
    netlist = parse_netlist(text)
    circuit = netlist_circuit(netlist)
    solved = solve_circuit(circuit, start=nodeset_voltages(netlist, circuit))
    for name in netlist.nodes[1:]:
        ours = float(solved.voltages[circuit.node_names.index(name, "node")])
        assert ours == pytest.approx(point.voltages[name], rel=tolerance, abs=tolerance), name


@settings(max_examples=35, deadline=None)
@given(amplifier())
def test_stages_settle_where_ngspice_settles(text):
    try:
        spice_operating_point(text)
    except SpiceError:
        reject()
    assert_as_ngspice(text)


MODELS = """
.model n nmos(vto=0.8 kp=50u lambda=0.02 gamma=0.4 phi=0.65)
.model p pmos(vto=-0.8 kp=25u lambda=0.03 gamma=0.5 phi=0.65)
.model qn npn(is=1e-15 bf=150 vaf=80 ikf=50m ise=1e-14 ne=1.8 rb=50 rc=2 re=0.5 br=3)
.model qp pnp(is=1e-15 bf=80 vaf=40 br=4)
"""
CIRCUITS = {
    "inverters": "vdd d 0 5\nv0 n0 0 2.4\n"
    + "\n".join(f"ma{k} n{k + 1} n{k} 0 0 n w=10u l=1u\nmb{k} n{k + 1} n{k} d d p w=20u l=1u" for k in range(4)),
    "ring": "vdd d 0 5\n"
    + "\n".join(
        f"ma{k} n{(k + 1) % 5} n{k} 0 0 n w=9u l=1u\nmb{k} n{(k + 1) % 5} n{k} d d p w=9u l=1u" for k in range(5)
    ),
    "nand": "vdd d 0 5\nva a 0 5\nvb b 0 0\nm1 o a x 0 n\nm2 x b 0 0 n\nm3 o a d d p\nm4 o b d d p",
    "resistances of three in parallel": "vdd d 0 5\nr1 d a 500\nr2 d b 500\nm1 a d 0 0 k w=500u l=1u m=3\nj1 b 0 0 l m=3\n"
    ".model k nmos(vto=0.8 kp=50u rd=300 rs=100)\n.model l njf(rd=200 rs=50)",
    "mirror": "vdd d 0 5\nr1 d a 20k\nm1 a a 0 0 n w=10u l=1u\nm2 b a 0 0 n w=30u l=1u\nr2 d b 5k",
    "differential pair": "vdd d 0 5\nvss s 0 -5\nva a 0 .01\nm1 o1 a t s n\nm2 o2 0 t s n\nm3 t bi s s n\nm4 bi bi s s n\n"
    "r0 d bi 100k\nm5 o1 o1 d d p\nm6 o2 o1 d d p",
    # Dillavou et al., "Machine learning without a processor" (2024): the edges are transistors, their gates the weights.
    "self-adjusting network": "v1 a 0 0.2\nv2 b 0 0.1\n"
    + "\n".join(f"vg{k} g{k} 0 {1.2 + 0.3 * k:.1f}" for k in range(5))
    + "\nm1 a g0 c 0 n\nm2 c g1 b 0 n\nm3 c g2 e 0 n\nm4 e g3 b 0 n\nm5 e g4 0 0 n",
    "operational amplifier": "vcc p 0 15\nvee m 0 -15\nvin i 0 0.5\nq1 c1 fb t qp\nq2 c2 i t qp\nre p t 500k\n"
    "q3 c1 c1 m qn\nq4 c2 c1 m qn\nq5 o c2 m qn\nrc p o 20k\nrf o fb 10k\nrg fb 0 10k",
    "push-pull": "vcc c 0 12\nvee m 0 -12\nvi i 0 3\nq1 c i o qn\nq2 m i o qp\nrl o 0 100",
    "two stable states": "vcc c 0 5\nr1 c a 1k\nr2 c b 1k\nr3 a x 10k\nr4 b y 10k\nq1 a y 0 qn\nq2 b x 0 qn\n"
    ".nodeset v(a)=0.1 v(b)=4",
    "in subcircuits": "vdd d 0 5\nvi i 0 2\n.subckt inv in out vdd\nm1 out in 0 0 n w={w}\n"
    "m2 out in vdd vdd p w={2*w}\n.param w=7u\n.ends\nx1 i j d inv\nx2 j k d inv\nrl k 0 1meg",
}


@pytest.mark.parametrize("circuit", CIRCUITS.values(), ids=CIRCUITS.keys())
def test_circuits_of_textbooks_stand_where_ngspice_stands(circuit):
    assert_as_ngspice(f"circuit\n{circuit}\n{MODELS}.end\n")


@settings(max_examples=30, deadline=None)
@given(st.tuples(*(driven_transistor(k) for k in range(3))))
def test_derivatives_are_those_of_the_laws(transistors):
    lines = [line for transistor in transistors for line in transistor]
    text = "\n".join(["transistors", *lines, ".end"])
    netlist = parse_netlist(text)
    circuit = netlist_circuit(netlist)
    volts = dict(zip(netlist.voltage_sources.names, netlist.voltage_sources.dc.tolist(), strict=True))
    stand = np.array([volts.get(f"v{circuit.node_names[k]}", 0.0) for k in range(circuit.nodes)])
    for group in circuit.behavioural:
        assert_slopes(group.law, stand[group.sensed] + 1e-3)  # off the edges that round numbers sit on


def assert_slopes(law: ControlledLaw, sensed: np.ndarray) -> None:
    """A law's derivatives by what it senses are its differences."""
    _, slopes = law.tangent(sensed)
    for k in range(sensed.shape[1]):
        step = np.zeros_like(sensed)
        step[:, k] = 1e-6
        up, down = law.tangent(sensed + step), law.tangent(sensed - step)
        # A kink of the second kind within the step changes the difference by the slopes' own change.
        near = np.abs(up[1] - down[1])[:, k] + 1e-6 * np.abs(slopes).max(1) + 1e-13
        assert np.all(np.abs((up[0] - down[0]) / 2e-6 - slopes[:, k]) <= near), k


def test_derivatives_of_what_random_cards_seldom_have() -> None:
    """Channels with a doping tail in all their regions, and bases whose resistance falls, by the charge or by crowding."""
    random, n = np.random.default_rng(0), 300
    tail, polarity = random.uniform(0.3, 1.2, n), random.choice([-1.0, 1.0], n)
    channel = (polarity, random.uniform(-3, 0, n), 10 ** random.uniform(-4, -2, n), random.uniform(0, 0.1, n))
    law = JunctionFieldEffectChannel(*channel, tail, (1 - tail) / random.uniform(1, 4, n))
    assert_slopes(law, random.uniform(-4, 4, (n, 3)))
    currents = 10 ** random.uniform(-16, -13, (6, n))
    scales = random.uniform(0.024, 0.03, (6, n))
    base = BaseResistance(
        polarity,
        random.choice([1.0, 3.0], n),
        *(currents[0], currents[1], scales[0], scales[1]),
        *(1 / random.uniform(10, 100, n), 1 / random.uniform(5, 50, n)),
        *(1 / 10 ** random.uniform(-3, 0, n), 1 / 10 ** random.uniform(-3, 0, n), random.uniform(0.3, 1.0, n)),
        minimum=random.uniform(1, 10, n),
        modulated=random.uniform(10, 100, n),
        half_current=np.where(random.random(n) < 0.5, np.inf, 10 ** random.uniform(-6, -3, n)),
        base_currents=tuple(x for pair in zip(currents[2:], scales[2:], strict=True) for x in pair),
        gmin=1e-12,
    )
    inner = random.uniform(-1, 1, n)
    # Where the base hardly conducts, tan z − z is all rounding.
    collector, emitter = inner - polarity * random.uniform(-2, 0.7, n), inner - polarity * random.uniform(0.6, 0.75, n)
    assert_slopes(base, np.stack([inner + random.uniform(-0.1, 0.1, n), collector, inner, emitter], 1))


@pytest.mark.parametrize(
    ("cards_", "message"),
    [
        ("m1 a b 0 0 n l=1u", "length L less 2 LD of 'm1' is 0 m; it must be above 0"),
        ("m1 a b 0 n", "'m1' has 4 fields; a MOSFET's card is MNAME DRAIN GATE SOURCE BULK MODEL"),
        ("m1 a b 0 0 q", "model 'q' is of kind 'npn'; M elements take NMOS or PMOS"),
        ("q1 a b 0 w", "level 4; only level 1 is supported"),
        ("m1 a b 0 0 r", "its model gives RD=0 beside an RSH; leave one out"),
        ("m1 a b 0 0 hot temp=500", "surface potential PHI at 773.15 K"),
        ("m1 a g 0 0 n l=3u", "node 'g' has no DC path to ground"),
        ("q1 a b 0 q 1 area=2", "'q1' gives its area twice"),
    ],
)
def test_faults_are_one_line(cards_, message):
    models = ".model n nmos(ld=0.5u)\n.model q npn\n.model w npn(level=4)\n.model r nmos(rd=0 rsh=10)\n"
    models += ".model hot nmos(phi=.4)"
    with pytest.raises(InputError) as caught:
        netlist_circuit(parse_netlist(f"t\nv1 a 0 1\nv2 b 0 1\n{cards_}\n{models}\n.end"))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("card", "model"), [("j1 a 0 0 t", "njf(cgs=1p)"), ("m1 a a 0 0 t", "nmos(cgso=1p)"), ("q1 a a 0 t", "npn(tf=1n)")]
)
def test_charges_that_a_transient_does_not_know_are_refused(card, model):
    netlist = parse_netlist(f"t\nv1 a 0 sin(0 1 1k)\nc1 a 0 1n\n{card}\n.model t {model}\n.tran 1u 1m\n.end")
    with pytest.raises(InputError, match="a transient does not know its model's"):
        netlist_transient(netlist)

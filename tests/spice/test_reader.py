"""The netlist reader: ngspice as the referee of what it accepts, one clear line for what it refuses."""


import numpy as np
import pytest
from flat import flat_cards
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mho.spice import Netlist, parse_netlist

TIGHT = ".options reltol=1e-9 abstol=1e-15 vntol=1e-12 itl1=1000\n"

# ----------------------------------------------------------------------------------------------- ngspice as the referee

SUBCIRCUITS = """subcircuits, scopes and names
.param r0=2k w=q0/2 q0 = 3*2   z='r0 / 1k'
V1 IN GND 5
.subckt cell a b params: r={r0*2} q=1
d1 a n dm area=2
r2 n b {r}
.param k = {q*2}
.model dm d(is={1e-14*k}, n=1.2)
x3 n b inner w={k}
x4 n b inner
.subckt inner p q2 w=1
r1 p m {w*1k}
v1 m l 0
r2 l q2 'w + 10'
f1 0 p v1 0.1
.ends inner
.ends
Xa in mid CELL r=3k
xb mid 0
* a comment between continuations

+ cell q = 3 ; another
.subckt outer a b q=2 kk=1
x1 a b cell r={kk*1k} q=kk
x2 a b seen
.ends
.subckt seen a b
r1 a b {q*1k}
.ends
xouter in 0 outer q=7
xother mid 0 outer kk=z
r9 x3.x1.n 0 1k $ a node of the top level, in spite of its name
r10 in x3.x1.n 1meg
r11 xb.n mid 5k // a subcircuit's node, from outside
"""

PARAMETER_SCOPES = """parameters are seen through the callers
.param q=50 s=3
v1 in 0 1
.subckt unit a b p={q}
r1 a b {p}
r2 a b {q+s}
.ends
.subckt pair a b q=2
x1 a b unit
.param s={s*2}
r3 a b s
.ends
.subckt shadow a b
x1 a b pair q={q*3}
.subckt plain a b
r1 a b 7
.ends
x2 a b plain
.ends
.subckt plain a b
r1 a b 11
.ends
x0 in 0 plain
.model dg d is={q*1e-12}
.subckt global a b q=1
d1 a b dg
.ends
i1 0 j 1m
x1 in 0 pair
x2 in 0 shadow
x3 in 0 unit p=q
x4 j 0 global q=9
"""

ELEMENTS = """every element
.param tt=0.001
v1 in 0 dc 5 ac 1 0
v2 (a 0) sin(2 1 1k)
v3 b 0 pulse(1 3 1n 2n 2n 5n 20n) ac
v4 (c,0) 3
v5 c2 0
i1 0 d 1m
I2 0 d DC=2M
i3 0 d pwl(0 1m 1u 3m)
i4 d 0 exp(1m 2m) dc 5e-4
e1 e 0 (in,a) 2
g1 0 f b 0 1m
f1 0 g v1 2
h1 h 0 e1 10
h2 hh 0 h1 {tt*1e4}
r1 in a 1k tc1=0.001 tc2=1e-5
r2 a b r=2k m=2
r3 c c2 {1k/2} tc1=tt
r4 d 0 1K
r5 e f 1MEG
r6 f 0 3.3kohm
r7 g 0 1kOhm m={1+1}
r8 h hh 1
c1 in f 1n ic=0.5
c2 f 0 c={tt*1u} m=3
c3 e g 1uF
.model da D (level=1 is=1e-12 n=1.5 rs=10 cj0=1p vj=.8 m=.4 tt=1n bv=6 ibv=1e-4 eg=1.2 xti=2 tnom=20 fc=.4 kf=1 af=1)
.model db d
d1 f 0 da area=3 m=2
d2 d g db temp=60
d3 0 g da
d4 h 0 db
.temp 27
.temp 50
.options gmin=1e-11 tnom=30 noacct method=gear
.op
.print dc v(in) v(e)
.save all
"""

COMMENTS = """* the title looks like a comment
+ and goes on
$ a comment
   * another
v1 in$a 0 2 $comment
// and one more
R1 In$a\tn\t1k; text ; text
  r2 n
+
   + 0
* between
+1k // text
r3 n 0 4k,$ text
.end
* behind the end
"""
COMMENTS = COMMENTS.replace("4k,$", "4k $")


def assert_ngspice_agrees(ngspice, text: str) -> Netlist:
    """The netlist itself and its flat form, spelled out again, have the same solution, name by name."""
    netlist = parse_netlist(text)
    title, _, rest = text.partition("\n")
    body = rest.partition("\n.end\n")[0]
    original = ngspice(f"{title}\n{body}\n{TIGHT}")
    flat = ngspice(flat_cards(netlist))
    assert set(original) == set(flat)
    branches = {f"{name}#branch" for name in netlist.branches}
    inner = {name for name in original if "#" in name} - branches  # a diode's node behind its series resistance
    assert {bare_node(name) for name in original} - branches - inner == set(netlist.nodes) - {"0"}
    for name, voltage in original.items():
        assert flat[name] == pytest.approx(voltage, rel=1e-7, abs=1e-11), name
    return netlist


def bare_node(name: str) -> str:
    return name.removeprefix("i(").removesuffix(")") + "#branch" if name.startswith("i(") else name


@pytest.mark.parametrize("text", [SUBCIRCUITS, PARAMETER_SCOPES, ELEMENTS, COMMENTS])
def test_ngspice_agrees(ngspice, text):
    assert_ngspice_agrees(ngspice, text)


@st.composite
def hierarchies(draw: st.DrawFn) -> str:
    """Netlists with subcircuits in subcircuits, parameters at every level, and models of either."""
    depth = draw(st.integers(1, 3))
    number = st.integers(1, 9)
    cards = ["random hierarchy", f".param p0={draw(number)} p1={{p0*{draw(number)}}}", "v1 n0 0 5"]
    names: list[str] = []
    for level in range(depth):
        name = f"sub{level}"
        ports = draw(st.integers(2, 3))
        cards.append(f".subckt {name} {' '.join(f'a{port}' for port in range(ports))} w={draw(number)} u={{w+p1}}")
        if draw(st.booleans()):
            cards.append(f".param k{level}={{u*{draw(number)}}}")
            value = f"{{k{level}*1k}}"
        else:
            value = "{u*100}"
        cards.append(f"r1 a0 m {value}")
        cards.append(f"r2 m a{ports - 1} {{w*1k}} m={draw(number)}")
        cards += [f"rp{port} a{port} 0 {draw(number)}meg" for port in range(ports)]
        if draw(st.booleans()):
            cards.append(f"d1 m 0 {draw(st.sampled_from(['dtop', 'dsub']))} area={{w}}")
            cards.append(f".model dsub d(is={{1e-12*w}} n=1.{draw(number)})")
        if draw(st.booleans()):
            cards += [
                "v1 m s 0",
                "r3 s 0 1k",
                f"f1 0 m v1 0.0{draw(number)}",
                "g1 m 0 a0 s 1u",
                "e1 t 0 m s 2",
                "r4 t 0 1k",
            ]
        for row, (inner, inner_ports) in enumerate(draw(st.lists(st.sampled_from(names), max_size=2)) if names else []):
            nodes = draw(st.lists(st.sampled_from(["m", "a0", "a1", "q"]), min_size=inner_ports, max_size=inner_ports))
            cards.append(
                f"x{row} {' '.join(nodes)} {inner} {draw(st.sampled_from(['', 'w={w*2}', 'u={u+p0}', 'w=3 u=4']))}"
            )
        cards.append(f".ends {name}")
        names.append((name, ports))
    for row in range(draw(st.integers(1, 3))):
        name, ports = draw(st.sampled_from(names))
        nodes = draw(st.lists(st.sampled_from(["n0", "n1", "0"]), min_size=ports, max_size=ports))
        cards.append(f"x{row} {' '.join(nodes)} {name} {draw(st.sampled_from(['', 'w=p0', 'u={p1/2}', 'w=2 u=3']))}")
    cards += ["rn1 n1 0 1k", ".model dtop d(is=1e-13)", f".temp {draw(st.integers(0, 80))}"]
    return "\n".join(cards) + "\n"


@settings(max_examples=12, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(text=hierarchies())
def test_ngspice_agrees_on_random_hierarchies(ngspice, text):
    assert_ngspice_agrees(ngspice, text)


WAVEFORMS = {
    "pulse(0 1 2n 3n 4n 5n 20n)": "i1",
    "pulse(1 -2)": "v2",
    "pulse(1 2 0 0 0 7n 16n)": "v3",
    "sin(1 2 30meg)": "v4",
    "sin(1 2 0 10n 1e7 30)": "v5",
    "exp(0 1 5n 8n 30n 10n)": "v6",
    "exp(2 1)": "v7",
    "pwl(0 0 10n 1 11n -1 40n 2)": "v8",
    "pwl 5n 3 10n 4": "v9",
    "dc 7 sin(0 1 20meg 0 -1e7)": "v10",
}


def test_waveforms_are_those_of_ngspice(ngspice):
    cards = [f"{name} {name}n 0 {shape}\nr{name} {name}n 0 1" for shape, name in WAVEFORMS.items()]
    text = "\n".join(["waveforms", *cards, ".tran 1n 50n 0 0.2n"]) + "\n"
    netlist = parse_netlist(text)
    assert netlist.transient is not None
    sources = {"i": netlist.current_sources, "v": netlist.voltage_sources}
    start, solution = ngspice(text), ngspice(text, "tran 1n 50n 0 0.2n")
    for shape, name in WAVEFORMS.items():
        row = sources[name[0]].names.index(name)
        sign = -1 if name[0] == "i" else 1
        form = sources[name[0]].waveforms[row]
        levels = form.at(solution["time"], netlist.transient)
        np.testing.assert_allclose(sign * levels, solution[f"{name}n"], rtol=1e-6, atol=1e-9, err_msg=shape)
        assert sign * sources[name[0]].dc[row] == pytest.approx(start[f"{name}n"][0], abs=1e-15), shape
        assert form.at(np.zeros(1), netlist.transient)[0] == pytest.approx(form.at_start, abs=1e-15)


def test_conditions_and_analyses():
    netlist = parse_netlist(
        """conditions
        .param v0=0.25
        v1 a 0 1
        x1 a s w=2
        .subckt s a w=1
        r1 a b 1k
        c1 b 0 1n ic={v0*w}
        c2 b 0 2n
        .ic v(b)={v0*w}
        .ends
        .ic v(a)=1 v( x1.b ) = 0.75
        .nodeset v(x1.b)=v0
        .tran 1n {10n} 2n 0.5n uic
        .options reltol=1e-4 temp=20 keepopinfo
        """
    )
    node = netlist.nodes.index
    # The card of the subcircuit counts after those of the top level.
    assert netlist.initial_conditions == {node("a"): 1.0, node("x1.b"): 0.5}
    assert netlist.nodesets == {node("x1.b"): 0.25}
    transient = netlist.transient
    assert transient is not None
    assert (transient.step, transient.stop, transient.start, transient.max_step) == (1e-9, 1e-8, 2e-9, 5e-10)
    assert transient.use_initial
    assert not netlist.operating_point
    assert (netlist.temperature, netlist.nominal_temperature, netlist.gmin) == (20.0, 27.0, 1e-12)
    assert netlist.options == {"reltol": 1e-4, "keepopinfo": True}
    np.testing.assert_array_equal(netlist.capacitors.initial, [0.5, 0.0])
    np.testing.assert_array_equal(netlist.capacitors.has_initial, [True, False])
    assert netlist.title == "conditions"


def test_elements_know_their_cards():
    netlist = parse_netlist(
        "t\nv1 a 0 1\n.subckt s p\nr1 p 0\n* c\n+ 1k\n.ends\nx1 a s\nx2 a s\nr7 a 0 1\n", "main.cir"
    )
    places = {name: netlist.where(netlist.resistors, row) for row, name in enumerate(netlist.resistors.names)}
    assert places == {"r7": "main.cir:10", "r.x1.r1": "main.cir:4", "r.x2.r1": "main.cir:4"}


# --------------------------------------------------------------------------------------------------------- round trips

_name = st.from_regex(r"[a-z0-9_]{1,6}", fullmatch=True)
_value = st.floats(1e-12, 1e12)


@given(
    resistors=st.lists(st.tuples(_name, _name, _value), max_size=8),
    diodes=st.lists(st.tuples(_name, _name, _value), max_size=4),
    sources=st.lists(st.floats(-1e6, 1e6), max_size=4),
    celsius=st.floats(-273, 1e3),
)
def test_a_flat_netlist_survives_writing_and_reading(resistors, diodes, sources, celsius):
    cards = ["t"]
    for row, (first, second, value) in enumerate(resistors):
        cards += [f"r{row} {first} {second} {value!r}", f"rg{row} {first} 0 1", f"rh{row} {second} 0 1"]
    for row, (first, second, area) in enumerate(diodes):
        cards += [f"d{row} {first} {second} dm {area!r}", f"rd{row} {first} 0 1", f"re{row} 0 {second} 1"]
    cards += [f"v{row} vn{row} 0 {value!r}" for row, value in enumerate(sources)]
    cards += ["r0x a 0 1", ".model dm d", f".temp {celsius!r}"]
    once = parse_netlist("\n".join(cards))
    twice = parse_netlist(flat_cards(once))
    assert once.temperature == celsius
    for kind in ("resistors", "diodes", "voltage_sources"):
        one, two = getattr(once, kind), getattr(twice, kind)
        assert one.names == two.names
        ends = [
            [[netlist.nodes[node] for node in pair] for pair in table.nodes]
            for netlist, table in ((once, one), (twice, two))
        ]
        assert ends[0] == ends[1]
        for column in ("resistance", "area", "temperature", "dc"):
            if hasattr(one, column):
                np.testing.assert_array_equal(getattr(one, column), getattr(two, column))
    np.testing.assert_array_equal(
        once.resistors.resistance[: 3 * len(resistors) : 3], [value for _, _, value in resistors]
    )
    np.testing.assert_array_equal(once.voltage_sources.dc, sources)

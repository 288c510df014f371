"""The netlist reader: ngspice as the referee of what it accepts, one clear line for what it refuses."""

import numpy as np
import pytest
from flat import flat_cards
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mho.errors import InputError
from mho.netlists import Netlist, parse_netlist

TIGHT = ".options reltol=1e-9 abstol=1e-15 vntol=1e-12 itl1=1000\n"

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


_name = st.from_regex(r"[a-z0-9_]{1,6}", fullmatch=True)
_value = st.floats(1e-12, 1e12)


@settings(max_examples=50)
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


GOOD = "v1 a 0 1\nr1 a 0 1k\n"
CELL = ".subckt cell p q w=1\nr1 p q {w}\n.ends\n"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        # unknown cards and forms
        ("z1 a 0 b nj", 4, "unsupported element 'z1' (MESFET); supported: R C L K D V I E G F H B S W M Q J X"),
        ("l1 a 0", 4, "'l1' has 2 fields; an inductor card is"),
        ("b1 a 0", 4, "'b1' has no formula; write BNAME NODE NODE I=formula or V=formula"),
        ("b1 a 0 x=1", 4, "'b1' has no formula"),
        ("b1 a 0 i=", 4, "there is no formula; write one"),
        ("b1 a 0 i=v(a)+", 4, "bad formula 'v(a)+': expected a number, a name or '(', found 'the end'"),
        ("b1 a 0 i=v(a)?1", 4, "expected ':' of the choice, found 'the end'"),
        ("b1 a 0 i=(v(a)", 4, "expected ')'"),
        ("b1 a 0 i=2 3", 4, "unexpected '3'"),
        ("b1 a 0 i=sqrt(v(a),2)", 4, "formula of 'b1': sqrt takes 1 argument, not 2"),
        ("b1 a 0 i=int(v(a))", 4, "no function 'int' in a behavioural source; define it with .func, or use abs"),
        ("b1 a 0 i=nope*v(a)", 4, "undefined parameter 'nope'"),
        ("b1 a 0 i=i(v9)", 4, "no voltage source 'v9' whose current 'b1' could sense"),
        ("b1 a 0 i=i(r1)", 4, "no voltage source 'r1'"),
        ("b1 a 0 i=pwl(v(a),0,0,0,1)", 4, "the points of pwl and TABLE go on in x"),
        ("b1 a 0 i=pwl(v(a),0,0,v(a),1)", 4, "the points of pwl and TABLE are numbers"),
        ("b1 a 0 i=pwl(v(a),0,0)", 4, "pwl takes a quantity and two or more pairs of numbers"),
        ("b1 a 0 i=v(a) k=3", 4, "unexpected 'k'"),
        ("b1 a 0 v=1", 4, "loop of voltage sources b1 v1"),
        ("b1 b 0 i=v(a)", 4, "b1: node 'b' has no DC path"),
        ("b1 a 0 i=v(b)", 4, "node 'b' has no DC path"),
        (".func f(x) {x+y}\nr2 a 0 {f(1)}", 5, "undefined parameter 'y'"),
        (".func f(x) {f(x)}\nr2 a 0 {f(1)}", 5, "function 'f' calls itself"),
        (".func f(x) {x}\nr2 a 0 {f(1,2)}", 5, "function 'f' takes 1 arguments, not 2"),
        (".func f(x,x) {x}", 4, "write names, such as (x, y)"),
        (".func f {1}", 4, "write .func name(argument, ...) {expression}"),
        ("r2 a 0 {g(1)}", 4, "no function 'g'; define it with .func"),
        (".if (k==1)\n.endif", 4, "undefined parameter 'k'"),
        (".if (1)", 4, ".if without .endif; add it"),
        (".else", 4, ".else without .if"),
        (".if (1)\n.else\n.else\n.endif", 6, ".else behind the .else of <netlist>:4"),
        (".param k=1\n.if (k==1)\n.endif\n.param k=2", 7, "parameter 'k' changes behind an .if card that uses it"),
        (".subckt s a k=1\n.if (k==1)\n.endif\n.ends", 5, "parameters of the top level alone"),
        (".param t={temper}\n.options temp={t+1}", 0, "the temperature depends on itself"),
        ("?", 4, "unsupported element '?'"),
        (".dcx v1 0 1 .1", 4, "unsupported card '.dcx'; supported: .param .func .subckt"),
        (".lib x", 4, "can't include 'x': this netlist is text without a folder"),
        (".lib", 4, "bad card '.lib'; write .lib FILE SECTION"),
        (".incl", 4, "bad card '.incl'; write .include FILE"),
        (".control\nrun", 4, ".control without .endc; add it"),
        ("e1 b 0 poly(1) a 0", 4, "'e1' has a bad POLY; write NAME NODE NODE POLY(n) CONTROL CONTROL ..."),
        ("e1 b 0 poly(x) a 0 1", 4, "bad POLY"),
        ("e1 b 0 laplace {v(a)} {1/s}", 4, "'e1' has LAPLACE, which is not supported; supported are a gain, POLY"),
        ("e1 b 0 table {v(a)} = (0,0) (1)", 4, "TABLE of 'e1' has 3 numbers"),
        ("e1 b 0 table {v(a)} = (1,0) (0,1)", 4, "the points of pwl and TABLE go on in x"),
        ("e1 b 0 table (0,0)", 4, "write TABLE {formula} = (x1, y1)"),
        ("e1 b 0 a 0", 4, "'e1' has 4 fields; write ENAME NODE NODE CONTROL CONTROL GAIN, or POLY"),
        ("f1 b 0 value={v(a)}", 4, "F and H elements take a gain or POLY"),
        ("c2 a 0 {1n*v(a)}", 4, "can't depend on a voltage"),
        ("v2 b 0 trrandom(1 1n)", 4, "unexpected 'trrandom' in 'v2'; a source takes a DC value, AC, PULSE"),
        ("v2 b 0 portnum 1", 4, "a port is written portnum N z0 OHMS"),
        ("v2 b 0 1 2", 4, "unexpected '2' in 'v2'"),
        ("v2 b 0 dc", 4, "no value behind DC"),
        ("v2 b 0 1 dc 2", 4, "second DC value"),
        ("v2 b 0 ac 1 2 3", 4, "unexpected '3'"),
        ("v2 b", 4, "1 fields"),
        ("v2 b 0 pulse(1)", 4, "PULSE has 1 numbers; it takes 2 to 8"),
        ("v2 b 0 sin(1 2 3 4 5 6 7)", 4, "SIN has 7 numbers"),
        ("v2 b 0 pulse(1 2 -1)", 4, "can't be negative"),
        ("v2 b 0 pwl(0 1 2)", 4, "takes pairs"),
        ("v2 b 0 pwl(0 1 0 2)", 4, "must increase"),
        ("v2 b 0 pwl(0 1 2 2) r=1", 4, "PWL repeats from 1 s; it must be one of its times"),
        ("v2 b 0 1 td=1", 4, "'v2' has td and no PWL"),
        ("r2 a 0", 4, "'r2' has 2 fields; a resistance card is RNAME NODE NODE [VALUE] [MODEL] [tc1="),
        ("r2 a 0 1 2", 4, "4 fields"),
        ("r2 a 0 1 l=3u", 4, "'r2' has a length or width and no model that makes a resistance of it"),
        ("r2 a 0 1 m=1 m=2", 4, "'m' is given twice"),
        ("r2 a 0 1 m", 4, "no model 'm' for 'r2'"),
        ("r2 a 0 1 k=3", 4, "unsupported parameter 'k'; supported here: r resistance tc1"),
        (
            "r2 a 0 rm\n.model rm r(tc1=1)",
            4,
            "resistance of 'r2' is nan ohm; it must be given by the card or its model",
        ),
        ("r2 a 0 1 m=", 4, "bad parameter"),
        ("r2 a 0 1 r=2", 4, "more than one resistance"),
        ("r2 {a} 0 1", 4, "an expression '{a}' stands where a node's name should"),
        ("r2 a(0) 1", 4, "unexpected ( behind 'a'"),
        ("r2 a 0 {1", 4, "unexpected {"),
        ("r2 a 0 '1", 4, "unexpected '"),
        ("d1 a 0", 4, "a diode card is DNAME ANODE CATHODE MODEL"),
        ("d1 a 0 dm 1 2\n.model dm d", 4, "5 fields"),
        ("d1 a 0 dm 1 area=2\n.model dm d", 4, "a diode card is"),
        ("+ 5\n" + GOOD, 3, "4 fields"),
        # numbers, parameters, expressions
        ("r2 a 0 4k7", 4, "bad number '4k7'; write one such as 4.7k, 1meg, 2.5e-3 or 10n"),
        ("r2 a 0 1e999", 4, "too large"),
        ("r2 a 0 nope", 4, "undefined parameter 'nope'; define it with .param nope=VALUE"),
        ("r2 a 0 {1+}", 4, "bad expression {1+}"),
        ("r2 a 0 {1/0}", 4, "isn't a finite number"),
        (".param x={y} z=1\n.param y='x+z'", 5, "parameter cycle x -> y -> x; give one of them a number"),
        (".param x={x+1}", 4, "parameter cycle x -> x"),
        (".param x={nope}", 4, "parameter 'x': undefined parameter 'nope'"),
        (".param x=1mil", 4, "mil"),
        (".param", 4, "write .param name=value"),
        (".param x=", 4, "'x' has no value"),
        # values
        ("r2 a 0 1 m=0", 4, "multiplier m of 'r2' is 0"),
        ("r2 a 0 1 tc1=-1\n.temp 28", 4, "resistance at the circuit's temperature of 'r2' is 0 ohm"),
        ("c2 a 0 -1n", 4, "capacitance of 'c2' is -1e-09 F; it must be at least 0"),
        ("d2 a 0 dm area=-1\n.model dm d", 4, "area of 'd2' is -1"),
        ("d2 a 0 dm temp=-300\n.model dm d", 4, "temperature of 'd2' is -300 °C"),
        # models
        ("d1 a 0 dm", 4, "no model 'dm' for 'd1'; write a .model card"),
        ("d1 a 0 dm\n.model dn d", 4, "no model 'dm' for 'd1'; known: dn"),
        ("d1 a 0 qn\n.model qn npn(bf=100)", 5, "model 'qn' is of kind 'npn'; D elements take D"),
        (
            "d1 a 0 dm\n.model dm d(bf=100)",
            5,
            "unsupported diode parameter 'bf'; supported: is n rs trs1 trs2 ikf",
        ),
        (".model dm d(is 1e-14 n)", 4, "write parameter=value"),
        (".model dm d(is=1 is=2)", 4, "IS of model 'dm' is given twice"),
        ("d1 a 0 dm\n.model dm d(cjo=1 cj0=2)", 5, "given twice"),
        ("d1 a 0 dm\n.model dm d(n=0)", 5, "model 'dm': N of diode model 'dm' is 0; it must be above 0"),
        ("d1 a 0 dm\n.model dm d(fc=1)", 5, "FC of diode model 'dm' is 1; it must be at least 0 and at most 0.9999"),
        # names
        ("R1 a 0 1", 4, "duplicate element 'r1'; give each element its own name"),
        ("x1 a 0 cell\nr.x1.r1 a 0 1\n" + CELL, 5, "duplicate element 'r.x1.r1', also made at <netlist>:7"),
        # subcircuits
        ("x1 a 0 cell", 4, "no subcircuit 'cell' for 'x1'; write its .subckt card"),
        ("x1 a 0 cel\n" + CELL, 4, "no subcircuit 'cel' for 'x1'; known: cell"),
        ("x1 a cell\n" + CELL, 4, "'x1' connects 1 nodes to subcircuit 'cell'; it has 2 ports (<netlist>:5)"),
        ("x1 a 0 cell v=2\n" + CELL, 4, "subcircuit 'cell' has no parameter 'v'; known: w"),
        ("x1 a 0 cell w=1 w=2\n" + CELL, 4, "a parameter twice"),
        ("x1", 4, "names no subcircuit"),
        ("x1=2", 4, "names no subcircuit"),
        (CELL + CELL, 7, "duplicate subcircuit 'cell'"),
        (".subckt", 4, "a subcircuit without a name"),
        (".subckt s a", 4, "subcircuit 's' has no .ends; add it"),
        (".subckt s a\n.ends t", 5, "write .ends s"),
        (".ends", 4, ".ends without .subckt"),
        (".subckt s a\n.temp 30\n.ends", 5, ".temp inside subcircuit 's'; move it to the top level"),
        ("x1 a s\n.subckt s a\nx1 a s\n.ends", 6, "recursive subcircuit s -> s; take one call out"),
        (
            ".subckt s a\nx1 a t\n.ends\n.subckt t a\nx1 a u\n.ends\n.subckt u a\nr1 a 0 1\nx2 a s\n.ends\nx1 a s",
            12,
            "recursive subcircuit s -> t -> u -> s",
        ),
        (
            ".subckt s a w=1\nr1 a 0 {w}\n.ends\n.subckt t a u=2\nx1 a s w={v}\n.ends\nx1 a t",
            8,
            "parameter 'w' of 'x1': undefined parameter 'v'",
        ),
        (
            ".subckt s a w=1 u=2\nr1 a 0 {w*u}\n.ends\n.param u=3\nx1 a s w={u}",
            8,
            "parameter 'w' of 'x1' uses 'u', which has another value inside subcircuit 's'; rename one of them",
        ),
        # topology
        ("c1 a b 1n\nc2 b 0 1n", 4, "c1: node 'b' has no DC path to ground; connect it through a resistor"),
        ("i1 0 b 1m", 4, "i1: node 'b' has no DC path"),
        ("r2 b c 1k", 4, "r2: node 'b' has no DC path"),
        ("g1 b 0 a 0 1m", 4, "g1: node 'b' has no DC path"),
        ("e1 b 0 c 0 1", 4, "e1: node 'c' has no DC path"),
        ("v2 b 0 1\nf1 c 0 v2 1", 5, "f1: node 'c' has no DC path"),
        ("v2 a 0 1", 4, "loop of voltage sources v2 v1; put a resistor into it or take one out"),
        ("v2 a b 1\ne1 b c a 0 1\nh1 c 0 v1 1", 6, "loop of voltage sources h1"),
        ("v2 a a 1", 4, "loop of voltage sources v2;"),
        ("f1 0 a v9 1", 4, "no voltage source 'v9' to control 'f1'; name a V, E or H element"),
        ("h1 b 0 r1 1", 4, "no voltage source 'r1' to control 'h1'"),
        # settings
        (".temp 20 30", 4, "write .temp CELSIUS"),
        (".temp 50c", 4, "without a unit"),
        (".temp -300", 4, "temp is -300; it is in °C, above -273.15"),
        (".options gmin=-1", 4, "gmin is -1 S"),
        (".options rshunt=1", 4, "option 'rshunt' changes the circuit and is not supported"),
        (".options gmin", 4, "option 'gmin' has no value"),
        (".options reltol=", 4, "option 'reltol' has no value"),
        (".options method=euler", 4, "write method=trap or method=gear"),
        (".options tnom=1 tnom=2", 4, "stands twice"),
        (".tran", 4, "write .tran STEP STOP [START [MAXSTEP]] [uic]"),
        (".tran 0 -1", 4, ".tran needs a step and a stop above 0 s"),
        (".tran 1n 1u 2u", 4, "from 0 to the stop"),
        (".tran 1n 1u 0 0", 4, "largest step of 0 s"),
        (".op now", 4, "write .op alone"),
        (".ic v(0)=1", 4, "ic of the ground node"),
        (".ic a=1", 4, "write .ic v(node)=value"),
        (".nodeset v(a)=x", 4, "undefined parameter 'x'"),
        (".include x.cir", 4, "can't include 'x.cir': this netlist is text without a folder"),
    ],
)
def test_each_fault_is_one_line_with_its_place(text, line, message):
    with pytest.raises(InputError) as caught:
        parse_netlist("title\n" + GOOD + text)
    said = str(caught.value)
    assert said.startswith(f"<netlist>:{line}: " if line else "<netlist>: ")
    assert message in said
    assert "\n" not in said and len(said) < 600


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "<netlist>: the netlist has no elements; the first line is its title"),
        ("v1 a 0 1", "no elements"),
        ("t\n.model dm d", "no elements"),
        ("t\nv1 a b 1\nr1 a b 1", "<netlist>: no element connects to ground; name one of the nodes 0"),
        ("t\n  \n* c\nr1 a\0 0 1", "<netlist>:4: a NUL byte; a netlist is plain text"),
        ("t\nr1 a \x07 1", "<netlist>:2: the control character 0x07"),
        ("t\rr1 a 0 1", "<netlist>:1: the control character 0x0d"),
        ("t\nr1 a\u00a00 1", "<netlist>:2: the character U+00A0 isn't a blank to SPICE"),
        ("t\nr1 a 0 \ud800", "<netlist>:2: the character U+00A0 isn't a blank"),
        ("t\n* c\n" + "x" * 10_000, "<netlist>:3: 'xxxx"),
    ],
)
def test_faults_of_the_whole_text(text, message):
    with pytest.raises(InputError) as caught:
        parse_netlist(text)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "text",
    [
        "t\nr1 a 0 1\nr2 a b 1\n",  # a dangling resistor
        "t\ne1 out 0 a 0 2\nr1 a 0 1\n",  # an output without a load
        "t\ng1 a 0 a 0 1m\ni1 0 a 1\nr1 b 0 1\n",  # a conductance made of a controlled source
        "t\ni1 0 a 1\ng1 a 0 b 0 1\ng2 b 0 a 0 -1\n",  # a gyrator
        "t\r\nr1 A GND 1\r\nv1 a 0 1\r\n",
        "\ufefft\nr1 a 0 1\nr2 b 0 1\n",
        "t\nv1 \u00b5A 0 1\u00b5V\nr1 ua 0 1; \u00a0\u2028 \u00e9\n",
        "t\n.subckt s p q\nr1 p 0 1\n.ends\nx1 a open s\nv1 a 0 1\n",  # a node that only an unused port has
    ],
)
def test_sound_circuits_pass(ngspice, text):
    netlist = assert_ngspice_agrees(ngspice, text.removeprefix("\ufeff"))
    assert netlist.nodes == parse_netlist(text).nodes

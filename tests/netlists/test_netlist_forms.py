"""Netlists as people write them: each form of the ngspice manual's grammar has the operating point that ngspice finds.

A form is a family: every ``<k>`` in it is a number that is drawn, and the same wherever it stands.
"""

import random
import re
from pathlib import Path

import numpy as np
import pytest

from mho.errors import InputError
from mho.netlists import Netlist, parse_netlist, read_netlist
from mho.netlists.circuits.circuit import netlist_circuit, nodeset_voltages
from mho.netlists.reading.behavioural_law import FormulaLaw
from mho.steady.newton import solve_circuit
from referee import batch_voltages

TIGHT = ".options reltol=1e-9 abstol=1e-15 vntol=1e-12 itl1=1000\n.op\n"
DIVIDER = "v1 a 0 <1>\nr1 a b <2>k\nr2 b 0 <3>k\n"

FORMS = {
    # separators, order, models
    "commas": "v1 a,0,<1>\nr1 a,b,<2>k\nr2 (b,0) <3>k\nd1 b 0 dm\n.model dm d(is=1e-12, n=1.<2>, rs=<1>)",
    "parentheses": "v1 a 0 dc(<1>) ac(1,0)\nr1 a b <2>k\nv2 c 0 pulse(<3> 1 1n)\nv3 d 0 sin(1,<2>,3)\nr2 b c 2k\nr3 d b 1",
    "orders": "v1 a 0 ac 1 sin(0 1 1k) dc <1>\nv2 b 0 pulse <2> 1 1n 1n 1n 1m 2m ac 1 0\nv3 c 0 sin(<3> 1 1k) ac 1\n"
    "v4 d 0 ac 2 dc=<1>\nv5 e 0 sine(<2> 1 1k) distof1 1 0\nv6 f 0 <3> ac\nr1 a b 1\nr2 b c 2\nr3 c d 3\nr4 d e 1\nr5 e f 1",
    "sources": "v1 a 0 pwl(0 <1> 1 2) td=0\nr1 a 0 1\nv2 b 0\nr2 b a 1k\ni1 0 c ac 1 dc <2>m\nr3 c b 1k\n"
    "v4 d 0 pwl(0 <3> 1 2 3 1) r=1\nr4 d c 1k",
    "modulated sources": "v1 a 0 sffm(1 <1> 1k 3 100 90 4<2>)\nv2 b 0 am(1 0.5 1k 10k 0)\nv3 c 0 sin(1 <2> 1k -0.1m <3>0)\n"
    "v4 d 0 dc <1> trnoise(10m 1n 0 0)\nv5 e 0 trnoise(10m 1n 0 0)\nv6 f 0 pulse(<1> 5 0 1n 1n 1u 2u 3)\n"
    "r1 a b 1\nr2 b c 2\nr3 c d 3\nr4 d e 4\nr5 e f 5",
    "ports": "v1 a 0 dc <1> ac 1 portnum 1 z0 <2>0\nr1 a b <3>0\nv2 b 0 0 portnum 2 z0 50 ac 0",
    "names": "v+ a+ 0 <1>\nr1 a+ b- <2>k\nr2 b- 0 1Kohm\nr_3 B- n#1 1k\nR4 N#1 gnd <3>kOHM",
    "model without =": DIVIDER + "d1 b 0 dm\n.model dm d is 1e-12 n 1.<1>",
    "two models of a name": DIVIDER + "d1 b 0 dm\n.model dm d(is=1e-12)\n.model dm d(is=1e-6)",
    "parentheses on lines of their own": DIVIDER + "d1 b 0 dm\n.model dm d(\n+ is=1e-12\n)\n( )\nr3 b 0 <1>k",
    "levels that ngspice does not have": DIVIDER + "d1 b 0 dm\n.model dm d(level=2 is=1e-1<2>)\nd2 0 b d2\n"
    ".model d2 d(level=2002 bv=2 ibv=1m)",
    "ports of one name": DIVIDER
    + "x1 b c d 0 s\n.subckt s p ? ? q\nr1 p ? <1>k\nr2 ? q 1k\n.ends\nr5 c 0 1k\nr6 d 0 <2>k",
    "an open parenthesis": DIVIDER + "d1 b 0 dm\n.model dm d(is=1e-12 rs=<1>",
    "parameters of no effect": DIVIDER
    + "d1 b 0 dm\n.model dm d(is=1e-12 kf=1e-15 ef=1 af=1)\n.model rm r(level=1 resistance=<2>)\n"
    "r3 b 0 rm",
    "unused models": DIVIDER + ".model q1 npn(bf=100 vaf=<1>)\n.model j njf",
    "unused subcircuit": DIVIDER + ".subckt foo a b\nq1 a b c qn\nx9 a none\nr1 a b\n.ends",
    "title and end": DIVIDER + ".title foo\n.end\nr3 b 0 <1>k",
    "comments": "* c\nv1 a 0 <1> ; c\nr1 a b 1k $ c\n+ tc1=0\n*\n\nr2 b 0 2k // c",
    # resistors and capacitors
    "bare names": ".param rval=<1>k\nv1 a 0 3\nr1 a b rval\nr2 b 0 r=rval\nc1 b 0 cval\n.param cval=1n\nv2 c 0 vval\n"
    ".param vval=<2>\nr3 c b 1k",
    "resistor models": "v1 a 0 <1>\n.model rm r(tc1=0.01 rsh=<2>0 defw=1u narrow=0.1u)\nr1 a b 1k rm\nr2 b c rm l=10u w=2u\n"
    "r3 c d rm l=<3>0u\nr4 d e 1k temp=50 tc1=0.01\nr5 e f 1k dtemp=10 tc1=0.01\nr6 f g 1k ac=5\n"
    "r7 g h 1k tc1=0.01 m=2 scale=2\nr8 h 0 rm r=100\n.temp 37",
    "exponential resistors": "v1 a 0 <1>\n.model rm res(tce=1)\nr1 a b 1k rm\nr2 b c rm <2>k\nr3 c d 1k noisy=0\n"
    "r4 d 0 1k tce=<3>\n.temp 37",
    "two coefficients": "v1 a 0 <1>\nr1 a b 1k tc=0.00<2> 0.002\nr2 b c 1k tc=0.001\nr3 c d 1k tc1=0.001,tc2=0.00<3>\n"
    "r4 d 0 1k tc=1m 2m\n.temp 37",
    "models' temperature": "v1 a 0 <1>\n.model rm r(tc1=.01 tnom=5<2>)\nr1 a b 1k rm\nr2 b 0 1k tc1=0.001\n.temp 37\n"
    ".options tnom=20",
    "strips": "v1 a 0 <1>\n.model rm r(rsh=1k short=1u dw=0.5u r=5)\nr1 a b rm l=10u w=3u\nr2 b c rm\nr3 c 0 <2>k",
    "plates": DIVIDER + ".model cm c(cj=1 cjsw=2 defw=1u tc1=0.1)\nc1 b 0 cm l=1u w=1u\nc2 b 0 1n cm\nc3 a 0 cm c=3n",
    "odd resistances": "v1 a 0 <1>\nr1 a b 0\nr2 b 0 1k\nr3 b c -<2>k\nr4 c 0 1<3>k",
    # parameters
    "functions": DIVIDER + ".func f(x,y) {x*y}\n.func g(x)='x+1'\n.func h(x) x+2\nr3 b c {f(2,<1>)}\nr4 c d {g(1)}\n"
    "r5 d e {h(1)*<2>}\nr6 e 0 {q(g(2))}\n.param q(x)={x+f(x,x)}",
    "functions go before built-in ones": DIVIDER
    + ".func limit(x,a,b) {min(max(x,a),b)}\n.func sgn(x) {x>0 ? <1> : -2}\n"
    "r3 b c {limit(5,0,<2>)}\nr4 c 0 {sgn(4)}",
    "functions of subcircuits": DIVIDER + "x1 b 0 s k=<1>\nx2 b 0 s\n.func f(x) {x*1000}\n.subckt s p q k=1\n"
    ".func f(x) {x*k*100}\nr1 p q {f(1)}\nb1 p q i=f(v(p,q))*1u\n.ends",
    "braces inside braces": DIVIDER + ".param f=1.<1>\nr3 b c {2*{f+1}*1k}\nr4 c 0 '1k*{{f}+<2>}'",
    "equals in conditions": ".param k=<1>\n" + DIVIDER + ".if (k = 3)\nr3 b 0 1\n.else\nr3 b 0 2\n.endif",
    "conditions": ".param k=<1>\n.param m={k+1}\n" + DIVIDER + ".if (k==1)\nr3 b 0 1\n.elseif (k<5)\nr3 b 0 2\n.else\n"
    "r3 b 0 3\n.endif\n.if (m>4)\n.if (m==5)\nr4 b 0 1k\n.else\nr4 b 0 2k\n.endif\n.else\nr4 b 0 3k\n.endif",
    "models by conditions": ".param k=<1>\n" + DIVIDER + "d1 b 0 dm\n.if (k<4)\n.model dm d(is=1e-12)\n.else\n"
    ".model dm d(is=1e-9)\n.endif",
    "global nodes": ".global vdd vss\nv1 vdd 0 <1>\nv2 vss 0 -<2>\nx1 a s\nr1 a 0 1k\n.subckt s p\nr1 vdd p 1k\n"
    "r2 p vss 2k\nx2 p u\nb1 p 0 i=v(vdd)*1u\n.ends\n.subckt u p\nr1 p vss <3>k\n.ends",
    "ports named gnd": DIVIDER + "x1 b c s\nr9 c 0 1\n.subckt s p gnd\nr1 p gnd <1>k\n.ends\nx2 b 0 t\n.subckt t p 0\n"
    "r1 p 0 1k\n.ends",
    "temper": ".temp 5<1>\n.param y={temper*2}\nv1 a 0 3\nr1 a b {y}\nr2 b 0 {temper}\nb1 c b v=temper*2\nr3 c 0 1",
    "statistics": ".param x=agauss(<1>k,0,3) y=aunif(1k,0) z=gauss(1k,0,3) w=unif(1k,0) u=limit(<2>k,0)\nv1 a 0 3\n"
    "r1 a b {x}\nr2 b c {y}\nr3 c d {z}\nr4 d e {w}\nr5 e f {u}\nr6 f 0 {agauss(1k,0,1)}",
    "calls": DIVIDER
    + ".csparam q=3\n.param k = <1> j='k*2'\nx1 b 0 s w = 2k\nx2 b 0 s PARAMS: w={k*2}\nx3 b 0 t params: w=j\n"
    ".subckt s a b w=1k l=2\nr1 a b {w}\n.ends\n.subckt t a b params: w=1k\nr1 a b w\n.ends",
    "multiplied subcircuits": DIVIDER
    + "x1 b 0 s m=<1>\n.subckt s p q\nr1 p m 1k\nx1 m q t\ni1 p q <2>u\ni2 q p sin(1u 1 1k)\n.ends\n"
    "x2 b 0 t m={k*2}\n.param k=<3>\n.subckt t p q\nv1 p x 0.1\nd1 x y dm\ng1 y q y q 1m\nry p q {2k*(1+v(p,q)^2)}\n"
    "e1 z 0 y q 2\nr2 z y 10k\nl1 y w 1m\nr3 w q 5k\ng2 p q value={1m*v(p,q)}\n.ends\n.model dm d\nx3 b 0 u m=2\n"
    ".subckt u p q m=1\nr1 p q 1k\n.ends",
    # behavioural sources
    "value": DIVIDER + "e1 c 0 value={v(a)*<1>}\ne2 d 0 value = {v(a)*2}\ne3 e 0 vol='v(a)*3'\ng1 0 b value={v(a)*1m}\n"
    "g2 0 b cur={v(b)*1u} m=2\ng3 0 b value {v(a)*<2>u}\nr3 c d 1k\nr4 d e 1k",
    "polynomials": DIVIDER + "v2 c 0 -1.<1>\nr5 c 0 2k\ne1 d 0 poly(1) a 0 1 <2> 3\nr3 d 0 1k\n"
    "e2 e 0 poly(2) (a,0) (c,0) 1 2 3 4 5 <3>\nr4 e 0 1k\ng1 0 j poly(2) a 0 c 0 1m 2m 3m 4m 5m 6m 7m 8m 9m 10m\nr10 j 0 1\n"
    "e3 f 0 poly(3) a 0 c 0 a c 1 2 3 4 5 6 7 8 9 10 11 12\nr6 f 0 1\nf1 0 i poly(1) v1 1m .2 .3\n"
    "f2 0 i poly(2) v1 v2 1m 2 3 4\nr9 i 0 1k\nh1 g 0 poly(1) v2 1 10 100\nr7 g 0 1\ne4 h 0 poly(1) a 0 5\nr8 h 0 1",
    "tables": "v1 a 0 <1>.05\nv2 c 0 2.9<2>\ne1 b 0 table {v(a)} = (0,0) (1,1) (3,4) (4,5)\nr1 b 0 1\n"
    "e2 d 0 table {v(c)} ((-1,3),(1,1),(3,<3>))\nr2 d 0 1\ng1 0 e table {v(a)*k} = (0,0) (1,1m) ({k*3.1},4m)\nr3 e 0 1k\n"
    ".param k=1\ne3 f 0 table {v(a)} = (0,<2>)\nr4 f 0 1",
    "keywords": DIVIDER
    + "e1 c 0 vcvs a b <1>\ng1 0 b vccs a b .1m\nf1 0 b cccs v1 .2\nh1 d 0 ccvs v1 <2>0\nr3 c d 1k\n"
    "g2 0 b a b .1m m=<3>\ne2 e 0 (a,b) 2\nr4 e 0 1",
    "factors": DIVIDER
    + "b1 c 0 v=v(a)*2 tc1=0.<1> temp=37\nr3 c 0 1\nb2 0 b i=1u*v(a) tc1=0.01 tc2=0.001 dtemp=20 m=<2>\n"
    ".temp 35",
    "formula resistors": DIVIDER
    + "rx b c {1k*(1+v(b)^2)}\nry b c r='1k*(<1>+v(a))' m=2\nrz c 0 r={500+v(c)*10} tc1=0.01\n"
    ".temp 40",
    "currents": DIVIDER + "x1 b 0 s\n.subckt s p q\nv1 p m 0\nr1 m q 1k\nb1 z 0 v=i(v1)*<1>k\nr2 z 0 1\ne1 y 0 p q 2\n"
    "r3 y 0 1k\nb2 y 0 i=i(e1)*v(y,z)*1m\n.ends\nb2 w 0 v=i(v.x1.v1)*2k+v(x1.z)\nr5 w 0 1",
    "op-amps": "v1 a 0 0.<1>\nx1 a b amp gain=1k\nr1 b 0 1k\n.subckt amp i o params: gain=10\n"
    "e1 o 0 value={gain*tanh(v(i)*2)}\n.ends\nx2 a c amp gain={2*<2>}\nr2 c 0 1k",
    "feedback": "v1 a 0 <1>\nr1 a n 1k\nr2 n o <2>0k\ne1 o 0 value={15*tanh(-1e3*v(n)/15)}\nd1 o p dm\nr3 p 0 1k\n"
    "b1 p 0 i=1m*(exp(v(p)/(<3>*0.1))-1)\n.model dm d",
    "memristor": "v1 a 0 <1>\nx1 a 0 mem\n.subckt mem plus minus params: ron=100 roff=16k rinit=11k d=10n uv=10f p=1\n"
    "gx 0 x value={ i(emem)*uv*ron/d**2*f(v(x),p)}\ncx x 0 1 ic={(roff-rinit)/(roff-ron)}\nraux x 0 1t\n"
    "emem plus aux value={-i(emem)*v(x)*(roff-ron)}\nroff aux minus {roff}\n.func f(x,p)={1-(2*x-1)**(2*p)}\n.ends",
}


def drawn(form: str, seed: int) -> str:
    """A member of a family, by a seed."""
    draw = random.Random(seed)
    numbers = {str(k): str(draw.randint(1, 9)) for k in range(1, 4)}
    return "title\n" + re.sub(r"<(\d)>", lambda match: numbers[match[1]], form)


def voltages(text: str) -> dict[str, float]:
    """Mho's operating point, by node."""
    return solved(parse_netlist(text))


def solved(netlist: Netlist) -> dict[str, float]:
    """The operating point of a netlist, by node."""
    circuit = netlist_circuit(netlist)
    point = solve_circuit(circuit, start=nodeset_voltages(netlist, circuit))
    return {circuit.node_names[k]: float(point.voltages[k]) for k in range(1, circuit.nodes)}


def assert_same(ours: dict[str, float], theirs: dict[str, float]) -> None:
    assert ours
    assert {name: theirs[name] for name in ours} == pytest.approx(ours, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("name", FORMS)
def test_each_form_has_ngspices_operating_point(name: str, tmp_path: Path) -> None:
    for seed in range(2):
        text = drawn(FORMS[name], seed)
        head, *rest = text.split("\n.end\n")
        tight = "\n.end\n".join([f"{head}\n{TIGHT}", *rest]) + ("" if rest else ".end\n")
        assert_same(voltages(text), batch_voltages(tight, tmp_path))


OPERANDS = ("v(a)", "v(b)", "v(a,b)", "v(c)", "i(v2)*1k", "k", "2.5", "1k/1meg", "temper/100", "pi")
UNARY = (*("abs", "atan", "cos", "sin", "tanh", "u", "uramp", "u2", "sgn", "asinh", "floor", "nint"), "-", "!")
BINARY = ("+", "-", "*", "/", "<", ">", ">=", "<=", "==", "!=", "&&", "||", "min", "max")


def formula(draw: random.Random, depth: int = 4) -> str:
    """A random formula, brackets left out where the grammar decides."""
    if depth == 0 or draw.random() < 0.2:
        return draw.choice(OPERANDS)
    kind = draw.random()
    first = formula(draw, depth - 1)
    if kind < 0.3:
        function = draw.choice(UNARY)
        return f"{function}({first})" if function.isalnum() else f"{function}{first}"
    if kind < 0.35:
        # Kept small: the sine of a large number shows nothing but rounding.
        return f"{draw.choice(('exp', 'cosh', 'sinh', 'ln', 'log10', 'sqrt', 'acosh'))}(1+atan({first})^2)"
    second = formula(draw, depth - 1)
    if kind < 0.8:
        function = draw.choice(BINARY)
        return f"{function}({first},{second})" if function.isalpha() else f"{first} {function} {second}"
    if kind < 0.85:
        power = draw.choice((1, 1.5, 2, 3))
        return draw.choice((f"({first})^{power}", f"pow({first},{power})", f"pwr({first},{power})"))
    if kind < 0.9:
        return f"(pwl(v(c) + ({first}), -2, 1, 0, 0.5, 1, 3))"  # ngspice takes neither a number there nor "=pwl("
    return f"({first} > {second} ? {formula(draw, depth - 1)} : {first})"


def formula_netlist(formulas: list[str]) -> str:
    """Each formula as a voltage source of its own, with the sources that they sense."""
    sources = [f"b{k} n{k} 0 v={text}\nr{k} n{k} 0 1" for k, text in enumerate(formulas)]
    return "\n".join(["t\n.param k=3\n.temp 40\nva a 0 1.3\nv2 b 0 -0.7\nv3 c 0 2\nrb b 0 500", *sources])


def tangents(formulas: list[str], scale: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Values of formulas and the sizes of their derivatives, what they sense held at `scale` times its value; (n,)."""
    netlist = parse_netlist(formula_netlist(formulas))
    held = {"0": 0.0, "a": 1.3, "b": -0.7, "c": 2.0}
    values, slopes = (np.full(len(formulas), np.nan) for _ in range(2))
    for group in netlist.behavioural:
        rows = [int(name[1:]) for name in group.names]
        sensed = [[held[netlist.nodes[q]] if q >= 0 else 0.7 / 500 for q in row] for row in group.sensed.tolist()]
        law = FormulaLaw(group.program, group.constants)
        values[rows], derivatives = law.tangent(scale * np.array(sensed).reshape(len(rows), -1))
        slopes[rows] = np.abs(derivatives).sum(1)
    return values, slopes


def test_random_formulas_have_ngspices_values(tmp_path: Path) -> None:
    draw = random.Random(7)
    formulas = [formula(draw) for _ in range(500)]
    values, slopes = tangents(formulas)
    # ngspice stops at infinite values and derivatives, and the sine of a large number shows nothing but rounding.
    # It starts at 0 V, too.
    first, steepest = tangents(formulas, 0.0)
    good = np.flatnonzero((np.abs(values) < 1e3) & (slopes < 1e3) & (np.abs(first) < 1e3) & (steepest < 1e20))
    assert len(good) > 400
    kept = [formulas[k] for k in good.tolist()]
    theirs = batch_voltages(f"{formula_netlist(kept)}\n.op\n.end\n", tmp_path)
    for k, (text, value) in enumerate(zip(kept, values[good].tolist(), strict=True)):
        # ngspice keeps 11 digits of the numbers in a formula.
        assert value == pytest.approx(theirs[f"n{k}"], rel=1e-7, abs=1e-7), text


PASSED_OVER = """.dc v1 0 1 .1
.ac dec 10 1 1k
.noise v(b) v1 dec 10 1 1k
.tf v(b) v1
.step param x 1 2 1
.print ac v(b)
.plot ac vdb(b)
.measure tran y avg v(a)
.meas tran z avg v(a)
.probe v(a)
.save all
.four 1k v(a)
.width out=80
.backanno
.hb 1k
.data d k
+ 1 2
.enddata
.options post list bar=3 probe
.control
let x = 3
r3 b 0 1
if $x
.endc
.tran 0 1m
.tran 1u 2m
"""


def test_what_is_passed_over_is_told_and_changes_nothing(tmp_path: Path) -> None:
    text = drawn(DIVIDER, 5)
    netlist = parse_netlist(text + PASSED_OVER, "x.cir")
    assert_same(voltages(text + PASSED_OVER), batch_voltages(f"{text}.op\n.end\n", tmp_path))
    assert netlist.notes == [
        "x.cir:5: not run, as only .op and .tran are: .dc .ac .noise .tf .step .four .hb .data .enddata .control",
        "x.cir:10: cards of output are passed over: .print .plot .measure .meas .probe .save .width .backanno",
        "x.cir:23: options that mean nothing here are passed over: post bar probe",
        "x.cir:30: of several .tran cards the first is run: .tran",
        "x.cir:29: a .tran step of 0 is taken as a fiftieth of the stop: .tran",
    ]
    assert netlist.transient is not None
    assert netlist.transient.step == 2e-5


def test_each_guess_is_noted() -> None:
    text = "t\nv1 a 0 1\nr1 a 0 0\nr2 a 0 {agauss(1k,1,3)}\n.ic v(q)=1\n.model d1 d\n.model d1 d\n.end\nr3 a 0 1\n"
    notes = parse_netlist(text + "x1 a a s\n.subckt s a gnd\nr1 a gnd 1\n.ends").notes
    assert [note.split(":", 3)[1:3] for note in notes] == [
        ["4", " statistical functions stand at their mean"],
        ["7", " a second model of a name is passed over, as ngspice does"],
        ["9", " cards behind .end are read, too, as ngspice does"],
        ["11", " a port that is named as the ground is the ground, not what is connected to it"],
        ["5", " conditions of what isn't a node above ground are passed over"],
        ["3", " resistors of 0 ohm are taken as 1 mOhm, as in ngspice"],
    ]


def test_a_stop_alone_is_enough_for_a_transient() -> None:
    netlist = parse_netlist(drawn(DIVIDER, 5) + ".tran 10m uic")
    assert netlist.transient is not None
    assert (netlist.transient.step, netlist.transient.stop, netlist.transient.use_initial) == (2e-4, 1e-2, True)
    assert "a fiftieth of it" in netlist.notes[0]


def test_files_of_older_editors_are_read(tmp_path: Path) -> None:
    main = tmp_path / "main.cir"
    main.write_bytes("t\n* 25 °C\nv1 a 0 1 ; é\nr1 a b 10µ\nr2 b 0 1\n.op\n.end\n".encode("latin-1"))
    assert solved(read_netlist(main))["b"] == pytest.approx(1 / (1 + 10e-6))


REFUSED = {
    "r1 a b 1k m=2": "'r1' has an m= of its own, and so has its subcircuit's X card",
    "b1 a b i=1m*v(a,b)": "F, H, S, W, B currents and sensed currents",
    "f1 a b v1 2\nv1 a b 0": "'f1' is in a subcircuit called with m=",
    "x1 a b t m=2\n.ends\n.subckt t a b\nr1 a b 1k": "m of 'x1' is 2; and so have subcircuits around it",
}


@pytest.mark.parametrize("card", REFUSED)
def test_what_ngspice_multiplies_wrongly_is_refused(card: str) -> None:
    text = f"t\nv0 a 0 1\nr0 a b 1k\nx0 b 0 s m=3\n.subckt s a b\n{card}\n.ends"
    with pytest.raises(InputError, match=REFUSED[card]):
        netlist_circuit(parse_netlist(text))
    solved(parse_netlist(text.replace(" m=3", " m=1")))


def test_libraries_are_read_by_section(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "a.lib").write_text(
        ".lib slow\nr9 b 0 1k\n.lib 'more.lib' rest\n.endl slow\n.lib fast\nr9 b 0 2k\n.endl\n"
    )
    (tmp_path / "parts" / "more.lib").write_text(".lib other\nbad card\n.endl\n.lib REST\nr8 b 0 3k\n.endl\n")
    main = tmp_path / "main.cir"
    for section, names in (("slow", ["r9", "r8"]), ("FAST", ["r9"])):
        main.write_text(f'title\n{drawn(DIVIDER, 1)[6:]}.lib "parts/a.lib" {section}\n.op\n.end\n')
        netlist = read_netlist(main)
        assert netlist.resistors.names == ["r1", "r2", *names]
        assert_same(solved(netlist), batch_voltages(main.read_text(), tmp_path))
    assert netlist.where(netlist.resistors, 2) == f"{tmp_path}/parts/a.lib:6"
    main.write_text("t\nv1 a 0 1\n.lib parts/a.lib none\n")
    with pytest.raises(InputError, match=r"a\.lib: no section 'none'; write \.lib none and \.endl around it"):
        read_netlist(main)
    main.write_text("t\nv1 a 0 1\n.lib parts/plain.lib\n")
    (tmp_path / "parts" / "plain.lib").write_text("r1 a 0 1\n")
    assert read_netlist(main).resistors.names == ["r1"]

"""The netlist reader: ngspice as the referee of what it accepts, one clear line for what it refuses."""

import os
import re
import time
from pathlib import Path

import numpy as np
import pytest
from flat import flat_cards
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mho.errors import InputError
from mho.spice import Netlist, parse_netlist, read_netlist
from mho.spice.lines import MAX_BYTES

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
.subckt outer a b q=2 k=1
x1 a b cell r={q*1k} q=k
x2 a b seen
.ends
.subckt seen a b
r1 a b {q*1k}
.ends
xouter in 0 outer q=7
xother mid 0 outer k=z
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

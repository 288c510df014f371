"""Netlists that want to harm: nothing but InputError comes out, soon, and nothing outside the folder is read."""

import random
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mho.errors import InputError
from mho.netlists import parse_netlist, read_netlist
from mho.netlists.reading.lines import MAX_BYTES

VALID = """title line
.param r0=2k g={1/r0} c='r0*2'
v1 in 0 dc 5 ac 1 sin(0 1 1k)
i1 0 in pulse(0 1m 1n 2n 2n 5n 20n)
i2 0 in pwl(0 0 1u 1m) dc 1u
.subckt s a b params: r={r0*2} q=1
d1 a n dm area=2 temp=50
r2 n b {r}
.param k={q*2}
.model dm d(is={1e-14*k}, n=1 level=1 kf=0)
x3 a b u w={k}
.ic v(n)=0.1
.subckt u p q w=1
r1 p q {w*1k} tc1=0.001 m=2
.ends u
.ends s
x1 in mid s r=3k $ comment
x2 mid 0
+ s q=3 ; other
e1 e 0 in mid 2
g1 0 gg (e,0) 1m
rg gg 0 1k
f1 0 ff v1 2
rf ff 0 1meg
h1 hh 0 e1 10
rh hh 0 1k
c1 hh e 1n ic=0
.ic v(x1.n)=.3
.nodeset v(mid)=1
.temp 40
.options gmin=1e-13 reltol=1e-4 noacct method=gear
.tran 1n 1u 0 1n uic
.op
.print tran v(in)
.func f(x,y) {x*y + max(x,k0)}
.global_param k0=2
.if (k0==2)
rk mid 0 {f(1k,2)} tc=0.001 0.002
.elseif (k0>2)
rk mid 0 1k dtemp=3
.else
rk mid 0 rm l=10u w=2u
.endif
.model rm r(rsh=50 defw=1u)
.global vdd
b1 bb 0 v = v(in,mid)^2 > 1 ? f(v(in),2)*exp(-v(e)) : pwl(v(in),0,0,1,2)
rbb bb 0 1k
b2 0 bb i={ln(abs(v(x1.n))+1)+i(v1)*time*temper} m=2 tc1=0.1
e2 ee 0 poly(2) in 0 mid 0 0 1 2 {k0}
ree ee 0 rval
.param rval=agauss(1k,10,3)
g2 0 ee table {v(in)-v(mid)} = (-1,-1m) (0,0) (1,1m)
g3 0 ee value={tanh(v(ee))*1m}
f2 0 ee poly(1) v1 0 0.1 0.2
rv ee 0 r={1k*(1+v(ee)^2)}
.control
run
.endc
.end
"""

PIECES = [
    *"{}()'\",;$*+-/=.0123456789abcdrvxe \n\t^?:<>!&|%\\",
    *("\n+ ", "\n.", "\nx", "\nr", ".ends\n", ".subckt q a\n", "params:", "1e999", "{r0}", "meg", "\u00e9", "\u00a0"),
    *(
        "v(in)",
        "i(v1)",
        "{",
        "}",
        "poly(1)",
        "value=",
        "table",
        ".func f(x) {f(x)}\n",
        ".if (1)\n",
        ".endif\n",
        "**",
        "?",
    ),
    *(
        ".control\n",
        ".lib x y\n",
        ".param k0=3\n",
        "pwl(",
        "1e308",
        "^",
        "ln(",
        "b9 in 0 i=",
        ".global mid\n",
        "rm",
        "tc=",
    ),
    *("\0", "\r", "inf", "nan", "v(", "v1", "0 0", "gnd", "{{", "x1 in mid s\n", ".model dm d\n", ".include x\n"),
]
PIECE = st.one_of(st.sampled_from(PIECES), st.text(max_size=5))


def assert_harmless(text: str) -> None:
    start = time.process_time()
    try:
        parse_netlist(text)
    except InputError as error:
        said = str(error)
        assert said.startswith("<netlist>") and "\n" not in said and len(said) < 1000
    assert time.process_time() - start < 2


def test_the_seed_of_the_mutations_is_valid():
    assert len(parse_netlist(VALID).resistors) == 10


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, len(VALID)), st.integers(0, 12), PIECE), max_size=6),
    st.lists(st.tuples(st.integers(0, 35), st.integers(0, 35)), max_size=3),
)
def test_mutations_of_a_valid_netlist(edits, swaps):
    lines = VALID.split("\n")
    for one, two in swaps:
        lines[one % len(lines)], lines[two % len(lines)] = lines[two % len(lines)], lines[one % len(lines)]
    text = "\n".join(lines)
    for place, length, piece in edits:
        text = text[:place] + piece + text[place + length :]
    assert_harmless(text)


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.text(), st.text(alphabet=" \n0123456789abcdrvx.={}()'+*", max_size=300)))
def test_any_text(text):
    assert_harmless("title\n" + text)


def chain(count: int) -> str:
    """Subcircuits that call the next one ten times each."""
    cards = ["t", f".subckt s{count} a", "r1 a 0 1", ".ends"]
    for level in range(count):
        cards += [f".subckt s{level} a", *(f"x{row} a s{level + 1}" for row in range(10)), ".ends"]
    return "\n".join([*cards, "x1 a s0"])


BOMBS = {
    "expansion": (chain(40), "elements; the limit is 5000000"),
    "empty instances": (chain(40).replace("r1 a 0 1", "* nothing"), "elements; the limit is 5000000"),
    "depth": (
        "\n".join(["t\nx1 a s0", *(f".subckt s{n} a\nx1 a s{n + 1}\n.ends" for n in range(9999))]),
        "no subcircuit 's9999'",
    ),
    "deep": (
        "\n".join(
            ["t\nx1 a s0", *(f".subckt s{n} a\nx1 a s{n + 1}\n.ends" for n in range(9999)), ".subckt s9999 a\n.ends"]
        ),
        "expands to 101 levels; the limit is 100",
    ),
    "nested definitions": ("t\n" + ".subckt s a\n" * 100_000, "more than 100 deep"),
    "long cycle": (
        "\n".join(["t", *(f".subckt s{n} a\nx1 a s{(n + 1) % 300}\n.ends" for n in range(300)), "x1 a s0"]),
        "recursive subcircuit",
    ),
    "ways": (
        "\n".join(
            ["t\nx1 a s0\n.subckt s20 a w=1 u=1\nr1 a 0 1\n.ends"]
            + [f".subckt s{n} a w=1 u=1\nx1 a s{n + 1} w=2\nx2 a s{n + 1} u=2\n.ends" for n in range(20)]
        ),
        "batches; the limit is 200000",
    ),
    "names": (
        "\n".join(["t", ".subckt s a", *(f"r{n} a 0 1" for n in range(1000)), ".ends", "x" + "y" * 10**6 + " a s"]),
        "characters; the limit is 500000000",
    ),
    "parameter chain": (
        "\n".join(["t", *(f".param p{n}={{p{n + 1}}}" for n in range(20_000)), "r1 a 0 {p0}"]),
        "undefined parameter 'p20000'",
    ),
    "parameter cycle": (
        "\n".join(["t", *(f".param p{n}={{p{(n + 1) % 20_000}}}" for n in range(20_000))]),
        "parameter cycle",
    ),
    "parentheses": ("t\nr1 a 0 {" + "(" * 10**6 + "}", "characters"),
    "formula": ("t\nv1 a 0 1\nb1 a 0 i=" + "(" * 900 + "v(a)", "nested deeper than 100"),
    "signs": ("t\nv1 a 0 1\nb1 a 0 i=" + "-" * 1900 + "v(a)", "nested deeper than 100"),
    "choices": ("t\nv1 a 0 1\nb1 a 0 i=" + "1?1:" * 450 + "1", "nested deeper than 100"),
    "functions that grow": (
        "t\nv1 a 0 1\n.func f0(x) {x+x}\n"
        + "\n".join(f".func f{n}(x) {{f{n - 1}(x)*f{n - 1}(x)}}" for n in range(1, 60))
        + "\nb1 a 0 i=f59(v(a))\nr1 a 0 {f59(1)}",
        "more than 20000 steps",
    ),
    "functions that vanish": (
        "t\nv1 a 0 1\n.func g(x,y) {1}\n.func f0(x) {x}\n"
        + "\n".join(f".func f{n}(x) {{g(f{n - 1}(x),f{n - 1}(x))}}" for n in range(1, 90))
        + "\nr1 a 0 {f89(1)}\nb1 a 0 i={f89(v(a))}\nz",
        "unsupported element 'z'",
    ),
    "functions that many call": (
        "t\nv1 a 0 1\n.func f0(x) {x+x}\n"
        + "\n".join(f".func f{n}(x) {{f{n - 1}(x)+f{n - 1}(x)}}" for n in range(1, 12))
        + "".join(f"\nr{n} a 0 {{f11({n})}}\nb{n} a 0 i=f11(v(a)+{n})" for n in range(3000)),
        "more than 500000 steps in all",
    ),
    "functions in a circle": (
        "t\n" + "\n".join(f".func f{n}(x) {{f{(n + 1) % 90}(x)}}" for n in range(90)) + "\nr1 a 0 {f3(1)}",
        "calls itself",
    ),
    "poly": ("t\nv1 a 0 1\nb1 a 0 i=1\ne1 b 0 poly(99999) " + "a 0 " * 99_999, "bad POLY"),
    "conditions": ("t\n" + ".if (1)\n" * 100_000, "nested deeper than 100"),
    "braces": ("t\nr1 a 0 " + "{" * 10**6, "unexpected {"),
    "quotes": ("t\n.param x=" + "'{\"" * 10**6, "expression"),
    "continuations": ("t\n" + "+\n" * 10**6 + "z", "unsupported element 'z'"),
    "equals": ("t\nx1 a " + "b=1 " * 200_000, "a parameter twice"),
    "one name": ("t\n.param " + "a" * 10**6, "bad card"),
    "blanks": ("t\n.param a " + " a" * 10**6, "bad card"),
    "digits": ("t\nr1 a 0 " + "9" * 10**6, "bad number"),
    "exponent": ("t\nr1 a 0 1e" + "9" * 10**6, "bad number"),
    "parallel sources": ("\n".join(["t", *(f"v{n} a 0 1" for n in range(50_000))]), "loop of voltage sources v1 v0;"),
    "ring of sources": (
        "\n".join(["t", *(f"v{n} n{n} n{n + 1} 1" for n in range(50_000)), "v n0 n50000 1\nr n0 0 1"]),
        "loop of voltage sources v v0 v1 v2 v3 v4 v5 v6 v7 ...;",
    ),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_defused(name):
    text, message = BOMBS[name]
    start = time.process_time()
    with pytest.raises(InputError) as caught:
        parse_netlist(text)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 1000
    assert time.process_time() - start < 5


def test_noise_is_refused_at_its_first_line(tmp_path):
    noise = tmp_path / "noise.cir"
    for data in (random.Random(1).randbytes(10**7), b"t\n" + b"!@#%^ noise\n" * 900_000, b"r1 a 0 1\n" * 10**6 + b"\0"):
        noise.write_bytes(data)
        start = time.process_time()
        with pytest.raises(InputError, match=r"noise\.cir:\d+: "):
            read_netlist(noise)
        assert time.process_time() - start < 1


def test_a_large_netlist_is_read_in_time():
    count = 60_000
    cards = ["large", "v1 n0 0 1"]
    cards += [f"r{row} n{row} n{row // 2} {row + 1}.5k" for row in range(1, count)]
    cards += [f"d{row} n{row} 0 dm" for row in range(count)]
    text = "\n".join([*cards, ".model dm d(is=1e-14)"])
    start = time.process_time()
    netlist = parse_netlist(text)
    assert time.process_time() - start < 8  # 0.6 s on a free core
    assert len(netlist.resistors) == count - 1 and len(netlist.diodes) == count
    assert netlist.resistors.resistance.sum() == pytest.approx(sum(row + 1.5 for row in range(1, count)) * 1e3)


def test_many_instances_are_read_in_time():
    count = 20_000
    cell = ".subckt cell a b g=1\nr1 a m {1/g}\nd1 m b dm\n.model dm d(is={1e-14*g})\n.ends\nv1 a0 0 1\nr0 a0 0 1"
    cards = [f"x{row} a{row} a{row // 3} cell g={row}m" for row in range(1, count)]
    start = time.process_time()
    netlist = parse_netlist("\n".join(["t", cell, *cards]))
    assert time.process_time() - start < 8
    row = netlist.resistors.names.index("r.x777.r1")
    assert netlist.resistors.resistance[row] == pytest.approx(1 / 0.777)
    assert netlist.models[netlist.diodes.model[row - 1]].saturation_current == pytest.approx(0.777e-14, abs=0)


# Included files


def folder_with(tmp_path: Path, files: dict[str, str | bytes]) -> Path:
    home = tmp_path / "home"
    for name, content in files.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return home / "main.cir"


def refusal(path: Path, **options: bool) -> str:
    with pytest.raises(InputError) as caught:
        read_netlist(path, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_includes_are_read_in_place_and_keep_their_lines(tmp_path):
    main = folder_with(
        tmp_path,
        {
            "main.cir": "t\nv1 a 0 1\n.subckt s p\n.inc 'parts/cell one.cir'\n.ends\n"
            ".INCLUDE Top.cir ; text\nx1 a s\nr3 a 0 3",
            "parts/cell one.cir": "* no title here\nr1 p q 1\n.include deeper/rest.cir\n",
            "parts/deeper/rest.cir": "\n\nr2 q 0 2\n",
            "Top.cir": "r4 a 0\n+ 4",
        },
    )
    netlist = read_netlist(str(main))
    where = {name: netlist.where(netlist.resistors, row) for row, name in enumerate(netlist.resistors.names)}
    home = main.parent
    assert where == {
        "r4": f"{home}/Top.cir:1",
        "r3": f"{home}/main.cir:8",
        "r.x1.r1": f"{home}/parts/cell one.cir:2",
        "r.x1.r2": f"{home}/parts/deeper/rest.cir:3",
    }
    assert parse_netlist(main.read_text(), folder=home).resistors.names == netlist.resistors.names


def test_the_fault_of_an_included_file_names_that_file(tmp_path):
    main = folder_with(tmp_path, {"main.cir": "t\n.include a.cir\nr1 a 0 1", "a.cir": "* c\nr2 a 0 x1"})
    assert refusal(main).startswith(f"{main.parent}/a.cir:2: resistance of 'r2': undefined parameter 'x1'")
    folder_with(tmp_path, {"a.cir": "+ 3"})
    assert refusal(main).startswith(f"{main.parent}/a.cir:1: '+' continues nothing")
    folder_with(tmp_path, {"a.cir": ".end"})


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("missing.cir", "no file 'missing.cir' to include"),
        (".", "no file '.' to include"),
        ("../secret.cir", "leaves the netlist's folder"),
        ("parts/../../secret.cir", "leaves the netlist's folder"),
        ("/etc/passwd", "leaves the netlist's folder"),
        ("link.cir", "by a symbolic link"),
        ("linked/secret.cir", "by a symbolic link"),
        ("main.cir", "main.cir:2: include recursion: "),
        ("a.cir", "b.cir:1: include recursion: "),
        ("x" * 5000, "include"),
        ("a b.cir", "write .include FILE"),
    ],
)
def test_includes_that_are_refused(tmp_path, reference, message):
    main = folder_with(
        tmp_path,
        {
            "main.cir": f"t\n.include {reference}\nr1 a 0 1",
            "a.cir": ".include b.cir",
            "b.cir": ".include a.cir",
            "parts/c.cir": "",
            "../secret.cir": "r2 a 0 1",
        },
    )
    (main.parent / "link.cir").symlink_to(tmp_path / "secret.cir")
    (main.parent / "linked").symlink_to(tmp_path)
    assert message in refusal(main)


def test_includes_from_outside_can_be_allowed(tmp_path):
    main = folder_with(tmp_path, {"main.cir": "t\n.include ../out.cir\nr1 a 0 1", "../out.cir": "r2 a 0 1"})
    assert read_netlist(main, allow_include_outside=True).resistors.names == ["r2", "r1"]
    folder_with(tmp_path, {"main.cir": f"t\n.include {tmp_path}/out.cir\nr1 a 0 1"})
    assert read_netlist(main, allow_include_outside=True).resistors.names == ["r2", "r1"]
    assert "leaves the netlist's folder" in refusal(main)


def test_include_bombs_are_defused(tmp_path):
    files = {f"f{n}.cir": f".include f{n + 1}.cir\n.include f{n + 1}.cir\n" for n in range(40)}
    main = folder_with(tmp_path, {"main.cir": "t\n.include f0.cir", **files, "f40.cir": ""})
    assert "more than 1000 included files" in refusal(main)
    files = {f"f{n}.cir": f".include f{n + 1}.cir\n" for n in range(60)}
    folder_with(tmp_path, files)
    assert "50 inside each other" in refusal(main)


def test_files_that_cannot_be_read(tmp_path):
    assert "can't read" in refusal(tmp_path / "missing.cir") and "No such file" in refusal(tmp_path / "missing.cir")
    assert "Is a directory" in refusal(tmp_path)
    assert "can't read" in refusal(tmp_path / "nul\0.cir")
    large = tmp_path / "large.cir"
    with large.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    assert "too large" in refusal(large)
    loop = tmp_path / "loop.cir"
    loop.symlink_to(loop)
    assert "can't read" in refusal(loop)

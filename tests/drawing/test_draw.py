import re
from pathlib import Path
from xml.etree import ElementTree

import jax
import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import mho
from mho.command import main
from mho.drawing.draw import picture
from mho.drawing.netlist_parts import netlist_parts
from mho.drawing.network_parts import circuit_parts, layered_parts
from mho.drawing.parts import GROUND, Part
from mho.drawing.placement import placed
from mho.engineering import engineering
from mho.netlists import parse_netlist
from mho.netlists.circuits.operating_point import operating_point

AMPLIFIER = """common emitter, with one of everything behind it
vcc vcc 0 12
vin in 0 sin(0 10m 1k)
cin in b 1u
rb1 vcc b 47k
rb2 b 0 10k
q1 c b e qn
rc vcc c 4.7k
re e 0 1k
m1 c2 c 0 0 nm w=10u l=1u
m2 c2 c vcc vcc pm
j1 vcc s 0 nj
rs s 0 1k
d1 0 c2 dz
g1 0 k c2 0 1m
rk k 0 1k
e1 z 0 k 0 10
l1 z y 1m
f1 0 y e1 2
ry y 0 1k
s1 y 0 c2 0 sw
i1 0 k 1u
b1 w 0 v=2*v(k)
rw w 0 2.2meg
.model sw sw vt=20
.model qn npn
.model nm nmos vto=1 kp=1m
.model pm pmos vto=-1 kp=1m
.model nj njf
.model dz d bv=5
.end
"""
PREFIXES = {"a": -18, "f": -15, "p": -12, "n": -9, "µ": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12}


def texts(path: Path) -> list[str]:
    return [
        text
        for e in ElementTree.parse(path).iter("{http://www.w3.org/2000/svg}text")
        if (text := "".join(e.itertext()))
    ]


@given(st.floats(min_value=1e-17, max_value=9e14), st.sampled_from([1.0, -1.0]))
def test_engineering_numbers_are_the_number_to_three_digits(size, sign):
    found = re.fullmatch(r"(−?[\d.]+) (\D?)V", engineering(sign * size, "V"))
    assert found is not None
    number = float(found[1].replace("−", "-"))
    assert 1.0 <= abs(number) < 1000.0
    assert number * 10.0 ** PREFIXES[found[2]] == pytest.approx(sign * size, rel=5.1e-3)


def test_engineering_numbers_as_people_write_them():
    wanted = {4700.0: "4.7 kΩ", 1e6: "1 MΩ", 999.9: "1 kΩ", 0.0: "0 Ω", float("inf"): "∞ Ω", -2e-20: "−2e−20 Ω"}
    assert {value: engineering(value, "Ω") for value in wanted} == wanted


@st.composite
def circuits(draw):
    nodes = [f"n{k}" for k in range(draw(st.integers(2, 9)))]
    ends = st.sampled_from([GROUND, *nodes])
    parts = []
    for k in range(draw(st.integers(3, 25))):
        kind = draw(st.sampled_from(["resistor", "diode", "voltage source", "NMOS", "PNP"]))
        first, second = draw(st.lists(ends, min_size=2, max_size=2, unique=True))
        third = draw(ends) if kind in ("NMOS", "PNP") else None
        parts.append(Part(f"x{k}", kind, first, second, value="1.23 kΩ\nmodel", third=third, current=1e-3))
    return parts


# Not shrunk: a figure takes its time.
@settings(max_examples=6, phases=[Phase.generate])
@given(circuits())
def test_no_text_of_a_schematic_lies_on_another_or_on_a_wire(parts):
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from mho.drawing.parts import Circuitry
    from mho.drawing.schematic import schematic

    nodes = {n for p in parts for n in (p.first, p.second, p.third) if n}
    figure = schematic(Circuitry(parts, ["n0"], dict.fromkeys(nodes, 0.123)), currents=True)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    axes = figure.axes[0]
    boxes = [(t.get_text(), t.get_window_extent().shrunk(0.9, 0.6)) for t in axes.texts]
    shown = [text for text, _ in boxes]
    assert sorted(t for t in shown if t.startswith("x")) == sorted(p.name for p in parts)
    for k, (one, box) in enumerate(boxes):
        assert not [other for other, b in boxes[k + 1 :] if box.overlaps(b)], one
        for line in axes.lines:
            points = axes.transData.transform(line.get_xydata())
            for (x1, y1), (x2, y2) in zip(points[:-1], points[1:], strict=True):
                crossed = (
                    min(x1, x2) < box.x1 and max(x1, x2) > box.x0 and min(y1, y2) < box.y1 and max(y1, y2) > box.y0
                )
                assert not crossed or (x1 != x2 and y1 != y2), (one, line.get_xydata())


@settings(max_examples=12)
@given(circuits())
def test_elements_in_a_column_and_rails_on_a_level_do_not_meet(parts):
    placement = placed(parts)
    spans, rails = {}, {}
    for part, column in zip(parts, placement.column, strict=True):
        levels = sorted(placement.level[n] for n in (part.first, part.second) if n != GROUND)
        spans.setdefault(column, []).append((levels[0], levels[-1] if len(levels) == 2 else levels[0] + 0.5))
        if len(levels) == 2:
            assert levels[0] < levels[1]
        for node, at in ((part.first, column), (part.second, column), (part.third, column - 1)):
            rails.setdefault(node, []).append(at)
    for there in spans.values():
        there.sort()
        assert all(a[1] <= b[0] for a, b in zip(there[:-1], there[1:], strict=True))
    extents = [(placement.level[n], min(at), max(at)) for n, at in rails.items() if n in placement.level]
    for k, (level, left, right) in enumerate(extents):
        assert not [e for e in extents[k + 1 :] if e[0] == level and e[1] <= right and left <= e[2]]


def test_a_netlists_schematic_names_every_element_once_with_its_value_and_the_operating_point(tmp_path):
    (tmp_path / "a.cir").write_text(AMPLIFIER)
    out = tmp_path / "a.svg"
    assert main(["draw", str(tmp_path / "a.cir"), "--voltages", "--currents", "-o", str(out)]) == 0
    shown = texts(out)
    cards = [line.split()[0] for line in AMPLIFIER.splitlines()[1:] if not line.startswith(".")]
    # A node and its source may share a name.
    assert {name: shown.count(name) for name in cards} == {name: 1 + (name == "vcc") for name in cards}
    point = operating_point(tmp_path / "a.cir")
    for volts in point.nodes.values():
        assert engineering(volts, "V") in shown
    for value in (
        "4.7 kΩ",
        "2.2 MΩ",
        "1 µF",
        "0 V sine",
        "qn",
        "10 µm / 1 µm",
        "1 mH",
        "1 mS · v(c2)",
        "10 · v(k)",
        "f(k)",
    ):
        assert value in shown, value
    assert f"{engineering(abs(point.branches['vcc']), 'A')} ↑" in shown


def _imbalance(parts, node: str) -> tuple[float, float]:
    flows = [(1 if p.first == node else -1) * p.current for p in parts if node in (p.first, p.second)]
    return abs(sum(flows)), max(map(abs, flows))


def test_currents_on_a_picture_obey_kirchhoffs_law():
    netlist = parse_netlist(
        "t\nv1 a 0 1\nr1 a b 1k\nd1 b 0 dm\nd2 0 c dm\nr2 b c 3k\ni1 0 c 1m\ng1 c 0 b 0 1m\nl1 c d 1\nr3 d 0 5\nc1 b 0 1u\n"
        "e1 e 0 a 0 2\nr4 e 0 1k\n.model dm d is=1n rs=2\n"
    )
    graph = mho.random_graph(2, 1, hidden=4, diodes=5, seed=1)
    inputs = np.array([0.3, -0.7])
    layered = mho.layered_network(
        [2, 3, 1], jax.random.key(0), elements=[mho.AntiparallelDiodes.symmetric(3, saturation_current=1e-6)],
        gains=[4.0], initial=1e-3,
    )  # fmt: skip
    for circuitry in (
        netlist_parts(netlist, point=operating_point(netlist)),
        circuit_parts(graph, inputs, mho.solve(graph, inputs)),
    ):
        nodes = {n for p in circuitry.parts for n in (p.first, p.second)} - {GROUND}
        for node in nodes:
            off, largest = _imbalance(circuitry.parts, node)
            assert off <= 1e-8 * largest, node
    drawn = layered_parts(layered, inputs, mho.solve(layered, inputs[None]))
    assert len({p.name for p in drawn.parts}) == len(drawn.parts) == 4 + 12 + 3 * 3 + 3 + 1
    at_output = [p for p in drawn.parts if "out_0" in (p.first, p.second) and p.current is not None]
    scale = max(abs(p.current) for p in at_output)
    assert abs(sum(p.current if p.second == "out_0" else -p.current for p in at_output)) <= 1e-6 * scale


def test_lattices_layers_and_graphs(tmp_path, capsys):
    lattice = mho.square_lattice(1, 2, side=4, seed=0)
    out = tmp_path / "l.svg"
    assert mho.draw(lattice, out) == ()
    shown = texts(out)
    assert all(shown.count(f"R0_{k}") == 1 for k in range(24))
    assert picture(lattice).kind == "lattice"
    mho.draw(lattice, tmp_path / "again.svg")
    assert (tmp_path / "again.svg").read_bytes() == out.read_bytes()

    image = mho.convolutional_network(
        (8, 8), [4], [10], jax.random.key(0), pooling=2, elements=[mho.IdealDiode(np.ones(144))]
    )
    notes = mho.draw(image, tmp_path / "c.svg", voltages=True, currents=True)
    assert len(notes) == 1 and "layers" in notes[0]
    shown = texts(tmp_path / "c.svg")
    for text in ("layer 1: convolution", "4 filters of 3 × 3", "layer 2: pooling", "mean of 2 × 2", "layer 3: crossbar",
                 "36 × 10", "360 conductances", "ideal diodes", "64 inputs", "10 outputs"):  # fmt: skip
        assert text in shown, text

    made = picture(mho.random_graph(8, 2, hidden=8, diodes=3, seed=0))
    assert made.kind == "graph" and "too many for a schematic" in made.notes[0]
    with pytest.raises(mho.InputError, match="too many for a picture"):
        picture(mho.square_lattice(1, 1, side=60, seed=0))

    (tmp_path / "e.cir").write_text("t\nr1 a 0 1\nv1 a 0 1\n")
    assert main(["draw", str(tmp_path / "e.cir"), "-o", str(tmp_path / "e.gif")]) == 2
    assert main(["draw", str(tmp_path / "nothing"), "-o", str(tmp_path / "e.svg")]) == 2
    said = capsys.readouterr().err.splitlines()
    assert ".svg" in said[0] and "holds no run" in said[1] and len(said) == 2
    for end, magic in (("pdf", b"%PDF"), ("png", b"\x89PNG")):
        mho.draw(tmp_path / "e.cir", tmp_path / f"e.{end}")
        assert (tmp_path / f"e.{end}").read_bytes().startswith(magic)

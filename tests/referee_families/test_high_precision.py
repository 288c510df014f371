"""The judge is judged: closed forms, an exact check of Kirchhoff's laws, and planted errors that it must see."""

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mpf

from mho.netlists import parse_netlist
from mho.ngspice.simulator import SpiceOperatingPoint, operating_points
from mho_benchmarks.referee.families import CIRCUITS, NGSPICE_ALONE, netlist_text
from mho_benchmarks.referee.high_precision import Unsolved, distance, eliminated, refine
from mho_benchmarks.referee.judgement import TOLERANCE, Answer, judge
from referee import require_ngspice


def volts(text: str) -> dict[str, float]:
    return {name: float(v) for name, v in refine(parse_netlist(text)).voltages.items()}


@settings(max_examples=60)
@given(st.floats(0.01, 1e4), st.floats(1e-3, 1e7), st.floats(-20, -6), st.floats(0.8, 3), st.floats(-55, 175))
def test_a_diode_behind_a_resistor_is_lambert_s_function(source, ohms, decade, emission, celsius):
    saturation = float(f"{10**decade:.6g}")
    text = f"t\nv1 a 0 {source!r}\nr1 a b {ohms!r}\nd1 b 0 d\n.model d d(is={saturation!r} n={emission!r})\n"
    text += f".options gmin=1e-200 temp={celsius:.6f} tnom={celsius:.6f}\n"
    netlist = parse_netlist(text)
    with mpmath.workdps(60):
        k_over_q = mpf("1.38064852e-23") / mpf("1.6021766208e-19")
        scale = mpf(emission) * k_over_q * (mpf(netlist.temperature) + mpf("273.15"))
        r, i = mpf(float(netlist.resistors.resistance[0])), mpf(netlist.models[0].saturation_current)
        # R i / V grows as w e^w with w = (i + IS) R / V.
        ratio = i * r / scale
        current = scale / r * mpmath.lambertw(ratio * mpmath.exp((mpf(source) + i * r) / scale)) - i
        expected = scale * mpmath.log(current / i + 1)
        found = refine(netlist).voltages["b"]
        assert abs(found - expected) <= mpf(10) ** -25 * expected


@settings(max_examples=30)
@given(st.integers(2, 12), st.integers(0, 10**6))
def test_elimination_solves_what_it_is_given(size, seed):
    random = np.random.default_rng(seed)
    matrix = (
        random.normal(size=(size, size))
        * (random.random((size, size)) < 0.6)
        * 10.0 ** random.integers(-9, 9, (size, 1))
    )
    matrix[np.arange(size), random.permutation(size)] += 10.0 ** random.integers(-6, 6, size)
    right = random.normal(size=size)
    with mpmath.workdps(60):
        rows = [{c: mpf(float(v)) for c, v in enumerate(row) if v} for row in matrix]
        solution = eliminated([dict(row) for row in rows], [mpf(float(v)) for v in right])
        for row, value in zip(rows, right, strict=True):
            terms = [coefficient * solution[c] for c, coefficient in row.items()]
            size_of_terms = max(abs(term) for term in terms)
            assert abs(sum(terms) - mpf(float(value))) <= mpf(10) ** -25 * size_of_terms


def test_published_operating_points():
    # ngspice 39 prints 0.861 V and 98.6 V; the divider is 0.5 V by symmetry.
    assert volts("t\nv1 a 0 30\nr1 a b 10\nd1 b 0 d\n.model d d\n")["b"] == pytest.approx(0.861, abs=5e-4)
    bridge = volts("t\nv1 a b 100\nd1 a p d\nd2 b p d\nd3 0 a d\nd4 0 b d\nr1 p 0 10k\n.model d d\n")
    assert bridge["p"] == pytest.approx(98.6, abs=0.05)
    assert volts("t\nv1 a 0 1\nr1 a b 1g\nr2 b c 1n\nr3 c 0 1g\n") == pytest.approx(
        {"a": 1, "b": 0.5, "c": 0.5}, abs=1e-12
    )


@pytest.mark.parametrize("family", NGSPICE_ALONE)
def test_elements_without_a_law_are_not_passed_over(family):
    with pytest.raises(Unsolved, match="have no law in high precision"):
        refine(parse_netlist(netlist_text(family, 1)))


@pytest.mark.parametrize("family", [family for family in CIRCUITS if family not in NGSPICE_ALONE])
def test_a_solution_does_not_depend_on_where_it_is_looked_for(family):
    netlist = parse_netlist(netlist_text(family, 1))
    first = refine(netlist)
    again = refine(netlist, {name: float(v) for name, v in first.voltages.items()})
    assert again.start == "candidate"
    assert distance({name: float(v) for name, v in first.voltages.items()}, again.voltages) < 1e-15


@pytest.mark.parametrize("family", ["bridge", "op-amps", "zener", "subcircuits", "divider"])
def test_an_error_of_two_millionths_is_seen_on_either_side(family):
    require_ngspice()
    for seed in range(3):
        text = netlist_text(family, seed)
        netlist = parse_netlist(text)
        exact = {name: float(v) for name, v in refine(netlist).voltages.items()}
        right = SpiceOperatingPoint(dict(exact), {}, ())
        node = list(exact)[-1]
        wrong = {**exact, node: exact[node] + 2 * TOLERANCE * max(1.0, abs(exact[node]))}
        judged = judge(family, seed, netlist, Answer(wrong, None, "", 0.0), right)
        assert judged.verdict == "mho wrong"
        judged = judge(family, seed, netlist, Answer(exact, None, "", 0.0), SpiceOperatingPoint(wrong, {}, ()))
        assert judged.verdict == "ngspice wrong"
        assert judge(family, seed, netlist, Answer(exact, None, "", 0.0), right).verdict == "agreed"


def test_ngspice_and_sixty_digits_agree_where_ngspice_is_at_ease():
    require_ngspice()
    easy = (
        "centre-tap",
        "clamp",
        "zener",
        "gates",
        "matrix",
        "r2r",
        "bidirectional",
        "chain",
        "controlled",
        "subcircuits",
    )
    texts = [netlist_text(family, seed) for family in easy for seed in range(4)]
    netlists = [parse_netlist(text) for text in texts]
    points = operating_points([(text, netlist.gmin) for text, netlist in zip(texts, netlists, strict=True)])
    for text, netlist, point in zip(texts, netlists, points, strict=True):
        assert isinstance(point, SpiceOperatingPoint), text
        assert distance(point.voltages, refine(netlist, point.voltages).voltages) < 1e-9, text

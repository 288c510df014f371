"""Measured curves: their files, their law and its integral, and the laws fitted to them."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mho
from mho import Curve, MeasuredElement, fit_element, read_curve
from mho.command import main
from mho.elements import JunctionDiode, SinhConductor
from mho.experiments.curves import curve_text, parse_curve
from mho.ngspice.simulator import operating_point
from referee import require_ngspice

GAUSS = np.polynomial.legendre.leggauss(3)
"""Exact for polynomials of degree 5."""


@st.composite
def curves(draw: st.DrawFn) -> Curve:
    """Monotone curves with plateaus, steps, points at 0 V or none, on one side of 0 V or on both."""
    n = draw(st.integers(2, 12))
    steps = draw(st.lists(st.floats(1e-3, 1.0), min_size=n, max_size=n))
    rises = draw(st.lists(st.sampled_from([0.0, 1e-9, 1e-3]) | st.floats(0.0, 1.0), min_size=n, max_size=n))
    v = np.cumsum(steps) - draw(st.floats(-1.0, 8.0))
    if draw(st.booleans()):
        v -= v[np.abs(v).argmin()]
    return Curve(tuple(v), tuple(np.cumsum(rises) - draw(st.floats(-0.5, 2.0))))


@settings(max_examples=60)
@given(curve=curves(), area=st.sampled_from([0.3, 1.0]), polarity=st.sampled_from([1.0, -1.0]))
def test_law_passes_through_the_points_and_is_the_slope_of_the_co_content(
    curve: Curve, area: float, polarity: float
) -> None:
    element = MeasuredElement(curve, np.float64(area), np.float64(polarity))  # type: ignore[arg-type]
    v, i = np.array(curve.voltage), np.array(curve.current)
    np.testing.assert_array_equal(polarity * element.current(polarity * v) / area, np.asarray(area * i) / area)
    largest = area * np.abs(i).max() + 1e-30
    # Between neighbouring knots the law is one cubic, so a quadrature of three points is exact.
    knots = np.sort([*v, 0.0, v[0] - 1.0, v[-1] + 1.0])
    ends = np.sort(polarity * np.concatenate([knots, 0.7 * knots[:-1] + 0.3 * knots[1:]]))
    low, high = ends[:-1], ends[1:]
    at = 0.5 * (low + high)[:, None] + 0.5 * (high - low)[:, None] * GAUSS[0]
    weights = 0.5 * (high - low)[:, None] * GAUSS[1]
    current, slope = element.tangent(at)
    content = element.co_content(ends)
    np.testing.assert_allclose((weights * current).sum(1), np.diff(content), atol=1e-12 * largest * np.ptp(ends))
    np.testing.assert_allclose((weights * slope).sum(1), np.diff(element.current(ends)), atol=1e-11 * largest)
    assert element.co_content(np.zeros(1))[0] == 0.0
    assert (slope >= 0).all() and (np.diff(element.current(ends)) >= -1e-14 * largest).all()
    middle = element.co_content(0.5 * (low + high))
    assert (middle <= 0.5 * (content[:-1] + content[1:]) + 1e-12 * largest * np.ptp(ends)).all(), "not convex"
    # Outside it is straight.
    outside = polarity * np.array([v[-1] + 1.0, v[-1] + 2.0, v[0] - 2.0, v[0] - 1.0])
    assert np.diff(element.slope(outside))[::2] == pytest.approx(0.0)
    np.testing.assert_allclose(element.beyond(np.append(outside, polarity * v)), [1, 2, 2, 1, *(0 * v)], atol=1e-12)
    assert parse_curve(curve_text(curve)) == curve


def test_a_fine_curve_gives_the_law_that_it_was_sampled_from() -> None:
    def law(v: np.ndarray) -> np.ndarray:
        return 1e-5 * np.sinh(4.0 * v)

    between, errors = np.linspace(-1, 1, 999), []
    for points in (51, 101):
        v = np.linspace(-1, 1, points)
        element = MeasuredElement(Curve(tuple(v), tuple(law(v))), np.float64(1), np.float64(1))  # type: ignore[arg-type]
        errors.append(np.abs(element.current(between) - law(between)).max())
    assert errors[0] > 3.9 * errors[1] and errors[1] < 1e-4 * law(1.0)


def test_files_are_read_to_the_last_digit(tmp_path: Path) -> None:
    v, i = np.array([-0.1, 0.2, 1 / 3]), np.array([-1e-9, 0.0, np.pi])
    np.savez(tmp_path / "c.npz", v=v, i=i)
    rows = "".join(f"{a!r};{b!r};x\n" for b, a in zip(v.tolist(), i.tolist(), strict=True))
    (tmp_path / "c.csv").write_text(f"I;V;remark\n{rows}")
    (tmp_path / "bare.csv").write_text(curve_text(Curve(tuple(v), tuple(i))).partition("\n")[2])
    for name in ("c.npz", "c.csv", "bare.csv"):
        assert read_curve(tmp_path / name) == Curve(tuple(v), tuple(i))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("v,i\n0,1\n\n1,0.5\n", ":4: 0.5 A after 1 A: the current must not decrease"),
        ("v,i\n0,1\n0,2\n", ":3: 0 V after 0 V: the voltage must increase"),
        ("v,i\n0,1\n", ":2: a curve needs at least two points"),
        ("v,i\n0,1\n1,high\n", ":3: column 'i': 'high' is no number"),
        ("v,i\n0,1\n1,\n", ":3: column 'i' is empty"),
        ("v,i\n0,1\n1,inf\n", ":3: column 'i' is inf: numbers must be finite"),
        ("v,j\n0,1\n1,2\n", "has no column 'i': it has v, j"),
        ("0,1,2\n1,2,3\n", ":1: 3 columns without a header"),
    ],
)
def test_a_faulty_curve_is_one_line(content: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "c.csv"
    file.write_text(content)
    with pytest.raises(mho.InputError) as refused:
        read_curve(file)
    assert message in str(refused.value) and str(refused.value).startswith(f"{file}")
    with pytest.raises(mho.InputError, match="point 2 of a curve: 0 A after 1 A"):
        Curve((0.0, 1.0), (1.0, 0.0))


def test_fits_find_the_parameters_within_their_errors() -> None:
    rng = np.random.default_rng(0)
    v = np.linspace(0.05, 0.8, 60)
    diode = JunctionDiode.from_model(saturation_current=3e-12, ideality=1.4, series_resistance=2.5, gmin=0.0)
    memristor = SinhConductor(np.float64(5e-5), np.float64(3e-6), np.float64(6.0))  # type: ignore[arg-type]
    cases = (
        ("shockley", diode, {"saturation_current": 3e-12, "ideality": 1.4, "series_resistance": 2.5}),
        ("sinh", memristor, {"conductance": 5e-5, "scale": 3e-6, "steepness": 6.0}),
    )
    for law, element, true in cases:
        i = np.asarray(element.current(v))
        for noise in (0.0, 1e-3):
            noisy = np.sort(i * (1.0 + noise * rng.normal(size=len(v))))
            fitted = fit_element(Curve(tuple(v), tuple(noisy)), law)  # type: ignore[arg-type]
            assert fitted.relative_error == pytest.approx(noise, rel=0.3, abs=1e-9)
            for name, value in true.items():
                assert fitted.parameters[name] == pytest.approx(value, rel=1e-6, abs=4 * fitted.errors[name])
                assert noise == 0.0 or fitted.errors[name] < 0.2 * value
    with pytest.raises(mho.InputError, match="the largest current is not at a positive voltage"):
        fit_element(Curve((-1.0, 0.0, 1.0, 2.0), (-5.0, 0.0, 1.0, 2.0)))


def test_a_circuit_with_measured_elements_is_ngspice_s() -> None:
    require_ngspice()
    v = np.linspace(-1.0, 0.7, 40)
    curve = Curve(tuple(v), tuple(1e-9 * np.expm1(v / 0.03)))
    builder = mho.CircuitBuilder()
    builder.add_voltage_source("in", 0, 3.0, name="vin")
    builder.add_resistors(["in", "a", "b"], ["a", "b", 0], [1e-3, 2e-3, 1e-4])
    both_ways = MeasuredElement(curve, np.array([1.0, 2.0, 0.5]), np.array([1.0, -1.0, 1.0]))  # type: ignore[arg-type]
    builder.add_elements(["a", "b", "b"], [0, "a", 0], both_ways, name="diodes")
    circuit = builder.build()
    found = mho.solve(circuit)
    assert found.residual <= 1e-12
    point = operating_point(mho.write_netlist(circuit), gmin=1e-18)
    for k in range(1, circuit.nodes):
        assert point.voltages[circuit.node_names[k]] == pytest.approx(float(found.voltages[k]), abs=1e-9)


def test_the_command_fits_and_plots(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    v = np.linspace(0.0, 0.7, 30)
    (tmp_path / "c.csv").write_text(curve_text(Curve(tuple(v), tuple(1e-9 * np.expm1(v / 0.03)))))
    assert main(["curve", str(tmp_path / "c.csv"), "--plot", str(tmp_path / "c.png")]) == 0
    assert "saturation_current           1e-09 A" in capsys.readouterr().out
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")
    (tmp_path / "c.csv").write_text("v,i\n0,0\n1,1\n")
    assert main(["curve", str(tmp_path / "c.csv"), "--law", "sinh"]) == 2
    assert capsys.readouterr().err == (
        f"mho: {tmp_path / 'c.csv'}: 2 points: a fit of scale steepness conductance needs 4 at least\n"
    )

"""Each element's law, co-content, slope and node equation against one another."""

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from mho.elements import (
    AntiparallelDiodes,
    CurrentSource,
    IdealDiode,
    PiecewiseDiode,
    ProgrammableResistor,
    ShockleyDiode,
    TwoTerminal,
)
from mho.errors import InputError
from random_circuits import ELEMENTS, CubicConductor, SinhConductor, log_uniform, polarities

POINTS = 200
SMOOTH = {
    **{kind: make for kind, make in ELEMENTS.items() if kind != "ideal"},
    "resistor": lambda rng, n: ProgrammableResistor(log_uniform(rng, 1e-6, 1e-1, n)),
    "source": lambda rng, n: CurrentSource(rng.normal(0, 1, n)),
}
seeds = st.integers(0, 2**32 - 1)


@pytest.fixture(autouse=True)
def _double():
    with jax.enable_x64(True):
        yield


@eqx.filter_jit
def _by_differentiation(element: TwoTerminal, voltage):
    ones = jnp.ones_like(voltage)
    slope = jax.jvp(element.current, (voltage,), (ones,))[1]
    current = jax.jvp(element.co_content, (voltage,), (ones,))[1]
    return element.current(voltage), current, element.slope(voltage), slope, element.co_content(voltage)


@pytest.mark.parametrize("kind", SMOOTH)
@settings(max_examples=10)
@given(seed=seeds)
def test_co_content_law_and_slope_are_one_another_s_derivatives(kind, seed):
    rng = np.random.default_rng(seed)
    element, voltage = SMOOTH[kind](rng, POINTS), rng.uniform(-1, 1, POINTS)
    current, by_content, slope, by_law, content = map(np.asarray, _by_differentiation(element, voltage))
    # Both diodes' exponentials and the constant −I_S cancel at 0 V: rounding is relative to the parts, not to the sum.
    np.testing.assert_allclose(by_content, current, rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(by_law, slope, rtol=1e-12)
    assert (slope >= 0).all(), "a law that decreases"
    for k in range(3):
        one = jax.tree.map(lambda p, k=k: p[k], element)
        area, _ = quad(lambda u, one=one: float(one.current(jnp.float64(u))), 0, voltage[k], epsabs=0, limit=200)
        assert content[k] == pytest.approx(area, rel=1e-7, abs=1e-15)


def wide_element(kind: str, rng: np.random.Generator, n: int, dtype: type) -> TwoTerminal:
    """Parameters from the extremes of what devices have.

    In float32, where a diode's node equation gets a few Newton steps a visit and nothing else, biases stay below 1 V, the
    two diodes of a pair within a factor of ten, the node's conductance above 1e-6 S: what training meets. The residual
    tells of the rest.
    """
    saturation, biases = log_uniform(rng, 1e-15, 1e-6, n), [0.0, 0.3, 10.0]

    def shockley(polarity):
        if dtype == np.float32:
            return ShockleyDiode(
                saturation * log_uniform(rng, 1, 10, n), rng.uniform(1, 3, n), rng.choice(biases[:2], n), polarity
            )
        return ShockleyDiode(
            log_uniform(rng, 1e-15, 1e-6, n), rng.uniform(1, 3, n), rng.choice([-0.3, *biases], n), polarity
        )

    if kind == "shockley":
        return shockley(polarities(rng, n))
    if kind == "antiparallel":
        return AntiparallelDiodes(shockley(np.ones(n)), shockley(-np.ones(n)))
    if kind == "piecewise":
        on = log_uniform(rng, 1e-3, 1e6, n)
        return PiecewiseDiode(on, on * log_uniform(rng, 1, 1e9, n), rng.choice([0.0, 0.7, 10.0], n), polarities(rng, n))
    if kind == "cubic":
        return CubicConductor(log_uniform(rng, 1e-9, 1e9, n))
    if kind == "sinh":
        return SinhConductor(log_uniform(rng, 1e-12, 1, n), log_uniform(rng, 1e-2, 10, n))
    return SMOOTH[kind](rng, n)


@eqx.filter_jit
def _node_voltage(element: TwoTerminal, conductance, current, start):
    return element.node_voltage(conductance, current, start)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", SMOOTH)
@settings(max_examples=15)
@given(seed=seeds)
def test_node_equation_is_solved_to_rounding_at_the_extremes(kind, dtype, seed):
    rng = np.random.default_rng(seed)
    element = jax.tree.map(lambda p: jnp.asarray(p, dtype), wide_element(kind, rng, POINTS, dtype))
    stepwise = kind in ("shockley", "antiparallel")
    quick = stepwise and dtype == np.float32
    conductance = log_uniform(rng, 1e-6 if quick else 1e-9, 1e3, POINTS).astype(dtype)
    current = (polarities(rng, POINTS) * log_uniform(rng, 1e-14, 1e4, POINTS)).astype(dtype)
    current[:5] = 0.0
    start = (polarities(rng, POINTS) * log_uniform(rng, 1e-3, 1e3, POINTS)).astype(dtype)
    found = np.asarray(_node_voltage(element, conductance, current, start))
    if stepwise:  # a visit makes two steps; sweeps come back until the residual says that all is settled
        for _ in range(12):
            found = np.asarray(_node_voltage(element, conductance, current, found))
    assert found.dtype == dtype and np.isfinite(found).all()
    exact = jax.tree.map(partial(jnp.asarray, dtype=np.float64), element)
    a, b, v = (np.asarray(x, np.float64) for x in (conductance, current, found))
    law = np.asarray(exact.current(jnp.asarray(v)))
    around = [np.asarray(exact.slope(jnp.asarray(v * (1 + step)))) for step in (-1e-5, 0, 1e-5)]
    slope = np.max(around, 0)  # a kink has two
    # Backward error: what rounding the voltage, a bias of up to 10 V and the largest current at the node amounts to.
    rounding = (a + slope) * np.abs(v) + slope * 10.0 * (kind in ("shockley", "antiparallel", "piecewise"))
    ulps = 4096 if quick else 2
    allowed = ulps * np.finfo(dtype).eps * (rounding + np.abs(b) + np.abs(law)) + np.finfo(dtype).tiny
    excess = np.abs(a * v + law - b) / allowed
    worst = int(np.argmax(excess))
    assert excess[worst] <= 1, (
        excess[worst],
        a[worst],
        b[worst],
        v[worst],
        [float(p[worst]) for p in jax.tree.leaves(element)],
    )


@eqx.filter_jit
def _deviation(element, conductance, current, change):
    """A node's voltage, and how far a change of its current moves it, as a deviation and by two whole node equations."""

    def settled(current):
        voltage = current / conductance
        for _ in range(8):  # an element may take a few steps at a time
            voltage = element.node_voltage(conductance, current, voltage)
        return voltage

    rest, whole = settled(current), settled(current + change)
    deviating = element.deviating(rest, current - conductance * rest)
    moved = deviating.node_voltage(conductance, change, jnp.zeros_like(change))
    return rest, moved, whole, deviating.law_residual(moved, change - conductance * moved)


@pytest.mark.parametrize("kind", ELEMENTS)
@settings(max_examples=10)
@given(seed=seeds)
def test_deviations_lead_from_one_node_voltage_to_the_other(kind, seed):
    """Small ones to their own digits, where the law has a change of its own: there it is the slope times them."""
    rng = np.random.default_rng(seed)
    element, conductance = ELEMENTS[kind](rng, POINTS), log_uniform(rng, 1e-4, 1e-1, POINTS)
    current = conductance * rng.uniform(-1, 1, POINTS)
    change = polarities(rng, POINTS) * log_uniform(rng, 1e-3, 1e1, POINTS) * np.abs(current)
    rest, moved, whole, left = _deviation(element, conductance, current, change)
    np.testing.assert_allclose(rest + moved, whole, rtol=1e-8, atol=1e-10)
    assert (np.abs(left) <= 1e-9 * (np.abs(change) + np.abs(current))).all()
    if type(element).change is TwoTerminal.change and kind != "ideal":
        return
    tiny = 1e-12 * change
    rest, moved, _, _ = _deviation(element, conductance, current, tiny)
    blocked = np.isinf(slope := np.asarray(element.slope(rest)))
    np.testing.assert_allclose(moved[~blocked], (tiny / (conductance + slope))[~blocked], rtol=1e-6)
    assert (np.asarray(moved)[blocked] == 0).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@settings(max_examples=10)
@given(seed=seeds)
def test_ideal_diode_blocks_or_conducts_and_never_both(dtype, seed):
    rng = np.random.default_rng(seed)
    polarity = polarities(rng, POINTS).astype(dtype)
    conductance = log_uniform(rng, 1e-9, 1e3, POINTS).astype(dtype)
    current = (polarities(rng, POINTS) * log_uniform(rng, 1e-12, 1e4, POINTS)).astype(dtype)
    diode = IdealDiode(jnp.asarray(polarity))
    voltage = np.asarray(_node_voltage(diode, conductance, current, current))
    through = current - conductance * voltage
    blocks = polarity * current > 0
    assert (polarity * voltage >= 0).all()
    np.testing.assert_allclose(voltage[blocks], (current / conductance)[blocks], rtol=4 * np.finfo(dtype).eps)
    assert (voltage[~blocks] == 0).all() and (polarity * through <= 0)[~blocks].all()
    assert np.abs(diode.law_residual(voltage, through)).max() <= 4 * np.finfo(dtype).eps * np.abs(current).max()
    # At a clamped node a current of the wrong sign is all residual, one of the right sign none.
    wrong = np.asarray(diode.law_residual(np.zeros_like(voltage), polarity))
    np.testing.assert_array_equal(wrong, polarity)
    assert (np.asarray(diode.law_residual(np.zeros_like(voltage), -polarity)) == 0).all()


def test_shockley_at_published_points():
    """I_S (exp(v / (n V_T)) − 1) with V_T = 25.8649 mV at 300.15 K (CODATA 2014 k/q = 8.6173303e-5 V/K)."""
    diode = ShockleyDiode(jnp.array(1e-12), jnp.array(1.0), jnp.array(0.0), jnp.array(1.0))
    thermal = 8.6173303e-5 * 300.15
    assert float(diode.current(jnp.array(thermal))) == pytest.approx(1e-12 * (np.e - 1), rel=1e-6, abs=0)
    assert float(diode.current(jnp.array(-1.0))) == pytest.approx(-1e-12, rel=1e-9, abs=0)


@pytest.mark.parametrize("bounds", [(0.0, 1.0), (-1e-7, 1.0), (float("nan"), 1.0), (1e-3, 1e-3), (1e-3, 1e-4)])
def test_bounds_that_no_device_has_are_refused(bounds):
    with pytest.raises(InputError, match="conductance bound"):
        ProgrammableResistor(jnp.ones(2), *bounds)

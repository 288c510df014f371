"""SPICE's diode, against ngspice in every region of its law and against its own integral and derivative."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mho.elements import JunctionDiode
from mho.errors import InputError
from mho.precision import double
from referee import spice_operating_point

MODELS = [
    ({}, "", ""),
    ({"saturation_current": 1e-9, "ideality": 1.7}, "IS=1e-9 N=1.7", ""),
    ({"breakdown_voltage": 4.0}, "BV=4", ""),
    (
        {"breakdown_voltage": 4.0, "breakdown_current": 1e-5, "breakdown_ideality": 1.3, "series_resistance": 2.0},
        "BV=4 IBV=1e-5 NBV=1.3 RS=2",
        "",
    ),
    ({"temperature": 350.0}, "", "temp=76.85"),
    (
        {
            "temperature": 260.0,
            "ideality": 1.5,
            "activation_energy": 0.69,
            "saturation_exponent": 2.0,
            "nominal_temperature": 310.0,
        },
        "N=1.5 EG=0.69 XTI=2 TNOM=36.85",
        "temp=-13.15",
    ),
    (
        {"area": 2.0, "multiplier": 3.0, "series_resistance": 10.0, "breakdown_voltage": 3.0},
        "RS=10 BV=3",
        "area=2 m=3",
    ),
    ({"multiplier": 3.0, "breakdown_voltage": 3.0, "breakdown_current": 1e-6}, "BV=3 IBV=1e-6", "m=3"),
]
# Every region: breakdown, cubic, the edge at -3 V_T (77.6 mV), exponential.
VOLTAGES = np.array([-6.0, -4.5, -3.3, -2.9, -1.0, -0.3, -0.08, -0.07, 0.0, 0.1, 0.4, 0.6, 0.7, 0.9])


@double
@eqx.filter_jit
def evaluate(diode: JunctionDiode, voltage: jax.Array) -> tuple:
    return diode.current(voltage), diode.slope(voltage), diode.co_content(voltage)


def test_currents_are_those_of_ngspice():
    lines = ["diodes"]
    for m, (_, model, instance) in enumerate(MODELS):
        lines.append(f".model M{m} D({model})")
        for k, v in enumerate(VOLTAGES):
            lines += [f"V{m}_{k} n{m}_{k} 0 {v}", f"D{m}_{k} n{m}_{k} 0 M{m} {instance}"]
    branches = spice_operating_point("\n".join([*lines, ".end"])).branches
    for m, (parameters, _, _) in enumerate(MODELS):
        current = evaluate(JunctionDiode.from_model(**parameters, reltol=1e-9), VOLTAGES)[0]
        theirs = np.array([-branches[f"v{m}_{k}"] for k in range(len(VOLTAGES))])
        # ngspice's own rounding of a current through R_S is an ulp of the voltage over R_S: 1e-16 A at a volt.
        floor = 4e-16 if "series_resistance" in parameters else 1e-28
        np.testing.assert_allclose(current, theirs, rtol=1e-12, atol=floor)


@pytest.mark.parametrize("parameters", [MODELS[1][0], MODELS[3][0]])
def test_co_content_is_the_integral_and_slope_the_derivative(parameters):
    diode = JunctionDiode.from_model(**parameters)
    voltage = np.array([-4.2, -3.0, -0.5, -0.2, 0.0, 0.3, 0.6, 0.8])
    h = 1e-5
    current, slope, _ = evaluate(diode, voltage)
    up, down = evaluate(diode, voltage + h), evaluate(diode, voltage - h)
    np.testing.assert_allclose((up[2] - down[2]) / (2 * h), current, rtol=1e-5, atol=1e-14)
    np.testing.assert_allclose((up[0] - down[0]) / (2 * h), slope, rtol=1e-5, atol=1e-13)


def test_law_increases_across_its_edges_and_stays_finite_far_out():
    diode = JunctionDiode.from_model(breakdown_voltage=4.0, series_resistance=1.0)
    voltage = np.concatenate([np.linspace(-4.6, 1.0, 400), [10.0, 1e3]])
    current = evaluate(diode, voltage)[0]
    assert np.all(np.diff(current) > 0)
    # Almost all of a kilovolt falls across the ohm.
    assert current[-1] == pytest.approx(999.0, abs=1.0)
    assert np.all(np.isfinite(evaluate(diode, np.array([-1e4, 1e4]))))


def test_current_can_be_differentiated_by_series_resistance():
    @double
    def slopes(resistance: np.ndarray) -> tuple:
        def current(r: jax.Array) -> jax.Array:
            base = JunctionDiode.from_model(series_resistance=1.0)
            return eqx.tree_at(lambda d: d.series_resistance, base, r).current(jnp.asarray(0.9))

        h = 1e-5
        return jax.grad(current)(jnp.asarray(resistance)), (current(resistance + h) - current(resistance - h)) / (2 * h)

    exact, difference = slopes(np.array(5.0))
    assert exact == pytest.approx(float(difference), rel=1e-7)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [({"saturation_current": 0.0}, "saturation current IS"), ({"series_resistance": -1.0}, "series resistance RS")],
)
def test_parameters_out_of_range_are_refused(parameters, message):
    with pytest.raises(InputError, match=message):
        JunctionDiode.from_model(**parameters)


@pytest.mark.parametrize("breakdown", [np.inf, np.array([6.0, np.inf, 30.0])])
@pytest.mark.parametrize("more", [{}, {"recombination_current": 1e-11}, {"series_resistance": 3.0}])
def test_a_prepared_law_is_the_law(breakdown: float | np.ndarray, more: dict[str, float]) -> None:
    """In all regions, a junction in breakdown or far beyond conduction among them, for rows of voltages at once."""
    diode = JunctionDiode.from_model(
        saturation_current=np.array([1e-14, 1e-9, 1e-3]), ideality=[1.0, 1.7, 1.1], breakdown_voltage=breakdown, **more
    )
    steps = np.concatenate([np.linspace(-40.0, 1.5, 400), 10.0 ** np.arange(-12.0, 0.0), [30.0]])
    voltages = np.repeat(steps[:, None], 3, 1)
    law = diode.prepared()
    # In one array, and row by row, where fewer branches are reached.
    rows = [np.concatenate(parts) for parts in zip(*(law(v[None]) for v in voltages), strict=True)]
    for found in (law(voltages), rows):
        for ours, expected in zip(found, diode.tangent(voltages), strict=True):
            np.testing.assert_allclose(ours, expected, rtol=1e-12)

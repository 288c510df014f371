"""Diode models with any of ngspice's parameters, at any temperature: the law against ngspice in every region."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given, reject, settings
from hypothesis import strategies as st
from parameters import cards, linear, logarithmic

from mho.elements import JunctionDiode
from mho.netlists import parse_netlist
from mho.netlists.circuits.diodes import junction_diodes
from mho.ngspice.simulator import SpiceError
from mho.precision import double
from referee import spice_operating_point

VOLTAGES = (-9.5, -4.2, -1.0, -0.2, -0.05, 0.0, 0.15, 0.4, 0.62, 0.9)


PARAMETERS = {
    "is": logarithmic(1e-30, 1e-4),
    "n": linear(0.5, 4.0),
    "rs": logarithmic(1e-3, 1e3),
    "trs1": linear(-2e-3, 5e-3),
    "trs2": linear(0.0, 1e-5),
    "ikf": logarithmic(1e-6, 1.0),
    "ikr": logarithmic(1e-6, 1.0),
    "isr": logarithmic(1e-14, 1e-7),
    "nr": linear(1.0, 3.0),
    "vj": linear(0.3, 1.5),
    "m": linear(0.1, 1.0),
    "fc": linear(0.0, 0.9),
    "tm1": linear(-1e-3, 1e-3),
    "jsw": logarithmic(1e-16, 1e-8),
    "ns": linear(0.8, 3.0),
    "jtun": logarithmic(1e-16, 1e-8),
    "jtunsw": logarithmic(1e-16, 1e-8),
    "ntun": linear(5.0, 40.0),
    "xtitun": linear(0.0, 5.0),
    "keg": linear(0.5, 1.5),
    "bv": linear(3.0, 20.0),
    "ibv": logarithmic(1e-9, 1e-1),
    "nbv": linear(0.5, 4.0),
    "tcv": linear(-1e-3, 1e-3),
    "tlev": st.sampled_from([0, 1]),
    "tlevc": st.sampled_from([0, 1]),
    "tpb": linear(0.0, 1e-3),
    "eg": linear(0.4, 1.4),
    "xti": linear(0.0, 6.0),
    "tnom": linear(0.0, 60.0),
    "area": logarithmic(0.1, 10.0),
    "pj": linear(0.0, 20.0),
    "level": st.sampled_from([1, 3]),
}
INSTANCE = {
    "area": logarithmic(0.1, 100.0),
    "m": st.sampled_from([1, 2, 5]),
    "pj": linear(0.0, 20.0),
    "w": linear(0.5, 3.0),
    "l": linear(0.5, 3.0),
    "temp": linear(-55.0, 175.0),
    "dtemp": linear(-20.0, 40.0),
}


# Breakdown currents near the reverse current's, and those that grow with the area at level 3.
FITTED = [
    ("is=1e-6 bv=9.4 ibv=1m", ""),
    ("level=3 bv=9.4 ibv=1m", "area=3"),
    ("level=3 is=1e-9 bv=9.3 ibv=1e-5 nbv=2", "area=0.3 m=2"),
]


@example(diodes=FITTED, celsius=27.0)
@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(cards(PARAMETERS, 14), cards(INSTANCE, 3)), min_size=5, max_size=5), linear(-55.0, 175.0))
def test_currents_are_those_of_ngspice(diodes, celsius):
    lines = ["diodes", f".options temp={celsius}"]
    for k, (model, instance) in enumerate(diodes):
        lines.append(f".model m{k} d({model})")
        for j, volts in enumerate(VOLTAGES):
            lines += [f"v{k}_{j} n{k}_{j} 0 {volts}", f"d{k}_{j} n{k}_{j} 0 m{k} {instance}"]
    text = "\n".join([*lines, ".end"])
    try:
        theirs = spice_operating_point(text).branches
    except SpiceError:
        reject()  # volts beyond a breakdown without a resistance: more than any floating-point number
    netlist = parse_netlist(text)
    table = netlist.diodes
    for k in range(len(diodes)):
        for j, volts in enumerate(VOLTAGES):
            row = np.array([table.names.index(f"d{k}_{j}")])
            diode = junction_diodes(netlist, table, row, float(table.temperature[row[0]]))
            ours = float(diode.current(np.array([volts]))[0])
            # Through a resistance ngspice's current is what the rounding of two voltages leaves of it.
            series = 0.0 if diode.series_resistance is None else float(diode.series_resistance[0])
            floor = 1e-18 + (4e-16 * abs(volts) / series if series else 0.0)
            assert ours == pytest.approx(-theirs[f"v{k}_{j}"], rel=1e-7, abs=floor), (diodes[k], volts)


@settings(max_examples=40, deadline=None)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "series_resistance": logarithmic(1e-2, 1e2),
            "forward_knee": logarithmic(1e-5, 1.0),
            "reverse_knee": logarithmic(1e-5, 1.0),
            "recombination_current": logarithmic(1e-13, 1e-8),
            "sidewall_ideality": linear(1.0, 2.0),
            "tunnelling_current": logarithmic(1e-13, 1e-8),
            "breakdown_voltage": linear(2.0, 6.0),
        },
    ),
    linear(-6.5, 1.0),
)
def test_co_content_is_the_integral_and_slope_the_derivative(parameters, volts):
    diode = JunctionDiode.from_model(sidewall_current=1e-12, perimeter=1.0, **parameters)
    edge = -3.0 * 0.025865
    h = 1e-5
    if abs(diode.junction_voltage(np.array([volts]))[0] - edge) < 3 * h or abs(volts - edge) < 3 * h:
        return  # the recombination current's step
    v = np.array([volts - h, volts, volts + h])
    current, slope = diode.tangent(v)
    content = diode.co_content(v)
    assert (current[2] - current[0]) / (2 * h) == pytest.approx(slope[1], rel=1e-5, abs=1e-13)
    assert (content[2] - content[0]) / (2 * h) == pytest.approx(current[1], rel=1e-5, abs=1e-12)


@double
def test_compiled_laws_are_the_same():
    everything = dict.fromkeys(("sidewall_current", "recombination_current", "tunnelling_current"), 1e-10)
    diode = JunctionDiode.from_model(
        **everything, perimeter=2.0, sidewall_ideality=1.7, series_resistance=3.0, forward_knee=1e-3, reverse_knee=1e-4
    )
    volts = np.linspace(-1.0, 1.0, 21)
    compiled = eqx.filter_jit(lambda d, v: (*d.tangent(v), d.co_content(v)))(diode, jnp.asarray(volts))
    for ours, theirs in zip((*diode.tangent(volts), diode.co_content(volts)), compiled, strict=True):
        np.testing.assert_allclose(theirs, ours, rtol=1e-9, atol=1e-20)

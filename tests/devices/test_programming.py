"""Devices: aihwkit's own traces, closed forms against single pulses, what training does with them."""

import dataclasses
import json
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mho
from mho.devices import DEVICES, Device, Levels, SoftBounds, check_device, named_device, windowed
from mho.devices.noise import normal, uniform, words
from mho.elements import IdealDiode, ProgrammableResistor
from mho.errors import InputError
from mho.experiments.device_fields import DEVICE_NAMES

TRACES = json.loads(Path(__file__).with_name("aihwkit_traces.json").read_text())
"""What aihwkit's own devices (its C++ core, `doDenseUpdate`, at commit 4545f11) do at 40 pulses up, 60 down and 20 up: 12
weights from −0.55 to 0.75 without noise after 1, 8, 40, 41, 100 and 120 pulses; mean and deviation of 160,000 published
devices from 0.2 after 1, 40, 100 and 120."""
PULSES = [1] * 40 + [-1] * 60 + [1] * 20
PULSED = [name for name, device in DEVICES.items() if hasattr(device, "dw_min")]
FAMILIES = [name for name in PULSED if f"{name} 0" in TRACES]
SETTINGS = {
    "linear-step": {"gamma_up": 0.4, "gamma_down": 0.7},
    "power-step": {"pow_gamma": 1.7, "pow_up_down": 0.2},
    "piecewise-step": {"piecewise_up": (1.5, 1.0, 0.3, 0.6), "piecewise_down": (0.2, 1.1, 1.3, 0.4)},
}


def calm(name, **settings):
    """A device without noise and spread."""
    device = DEVICES[name]
    fields = [f.name for f in dataclasses.fields(device)]
    still = {f: 0.0 for f in fields if f.endswith(("_dtod", "_std", "_std_add", "_std_slope"))}
    more = {"dw_min": 0.02, "w_max": 0.8, "w_min": -0.6, **SETTINGS.get(name, {}), **settings}
    return dataclasses.replace(device, **still, lifetime=0.0, **more)


def in_window(device, weights, key=0):
    """Devices at such weights, in a window in which conductances are weights and 10 S."""
    low = 10.0 + device.w_min
    resistors = ProgrammableResistor(jnp.asarray(weights, jnp.float32) + 10.0, low, low + device.w_max - device.w_min)
    return device.drawn(resistors, jax.random.key(key))


@pytest.mark.parametrize("up_down", [0.0, 0.2, -0.3])
@pytest.mark.parametrize("name", FAMILIES)
def test_steps_are_those_of_aihwkit_pulse_by_pulse(name, up_down):
    start = np.linspace(-0.55, 0.75, 12)
    _, device = in_window(calm(name, up_down=up_down), start)
    pulse = jax.jit(lambda w, up: device.moved(device.cells, w, jnp.full(12, up), jnp.ones(12), None))
    weight, seen = jnp.asarray(start, jnp.float32), []
    for index, sign in enumerate(PULSES):
        weight = pulse(weight, sign > 0)
        if index in (0, 7, 39, 40, 99, 119):
            seen.append(weight)
    np.testing.assert_allclose(seen, TRACES[f"{name} {up_down:g}"], rtol=0, atol=3e-6)


@pytest.mark.parametrize("name", [name for name in PULSED if name in TRACES])
def test_published_devices_scatter_as_in_aihwkit(name):
    device = dataclasses.replace(DEVICES[name], lifetime=0.0, rounding="nearest")
    conductance, device = in_window(device, np.full((400, 400), 0.2))
    unit, size = device.cells.unit, device.dw_min
    step = jax.jit(lambda d, g, sign, key: d.programmed(g, jnp.full_like(g, sign * size * unit), key))
    seen = []
    for index, sign in enumerate(PULSES):
        conductance, device = step(device, conductance, float(sign), jax.random.key(index))
        if index in (0, 39, 99, 119):
            weight = np.asarray(conductance - 10.0, np.float64)
            mean, spread = weight.mean(), weight.std()
            peak = np.mean((weight - mean) ** 4) / spread**4
            seen.append((mean, spread, 2 * spread / 400, spread * np.sqrt((peak - 1) / 2) / 400))
    # aihwkit sets weights within the bounds w has without its reference, we within those of the device itself.
    skip = 0 if device.cells.reference is None else 1
    seen, expected = seen[skip:], np.array(TRACES[name][skip:])
    mean, spread, error, other_error = np.array(seen).T
    # Five standard errors of two samples, and rounding of 10 S.
    assert np.all(np.abs(mean - expected[:, 0]) < 5 * error + 2e-6), (seen, expected)
    assert np.all(np.abs(spread - expected[:, 1]) < 5 * other_error + 2e-6), (seen, expected)


@pytest.mark.parametrize("name", ["linear-step", "soft-bounds", "exponential-step", "power-step", "reram-array-om"])
def test_several_pulses_at_once_are_so_many_single_ones(name):
    device = dataclasses.replace(calm(name, dw_min=0.002), pulses_per_update=20, rounding="nearest")
    start = np.linspace(-0.4, 0.6, 11)
    together, device = in_window(device, start)
    single, change = together, device.cells.unit * device.dw_min
    one = jax.jit(lambda g: device.program(g, jnp.full_like(g, change), jax.random.key(0)))
    for _ in range(20):
        single = one(single)
    together = device.program(together, jnp.full_like(together, 20 * change), jax.random.key(0))
    moved = np.max(np.abs(np.asarray(single) - 10.0 - start))
    np.testing.assert_allclose(together, single, rtol=0, atol=3e-3 * moved + 2e-6)
    # What is asked for beyond the largest number of pulses is not made.
    capped = device.program(single, jnp.full_like(single, 1e3 * change), jax.random.key(0))
    np.testing.assert_array_equal(capped, device.program(single, jnp.full_like(single, 20 * change), jax.random.key(0)))


@pytest.mark.parametrize("mult_noise", [True, False])
def test_noise_of_several_pulses_is_that_of_single_ones(mult_noise):
    settings = {"dw_min": 0.03, "dw_min_dtod": 0.0, "w_max_dtod": 0.0, "w_min_dtod": 0.0, "up_down_dtod": 0.0}
    device = SoftBounds(**settings, dw_min_std=0.8, mult_noise=mult_noise, rounding="nearest")
    single, device = in_window(device, np.full((100, 100), -0.2))
    ask, step = float(device.cells.unit * device.dw_min), eqx.filter_jit(device.program)
    together = step(single, jnp.full_like(single, 8 * ask), jax.random.key(99))
    for index in range(8):
        single = step(single, jnp.full_like(single, ask), jax.random.key(index))
    np.testing.assert_allclose(np.std(together), np.std(single), rtol=0.05)
    assert abs(np.mean(together) - np.mean(single)) < 5 * np.std(single) / 100 * 1.5


def test_random_words_are_uniform_normal_and_independent():
    shape = (60, 2, 50)
    word, fill = words(jax.random.key(3), shape, 2)
    even, bell = np.asarray(uniform(word, jnp.float32)), np.asarray(normal(word, fill, jnp.float32))
    assert even.min() >= 0 and even.max() < 1 and abs(even.mean() - 0.5) < 0.05
    assert abs(bell.mean()) < 0.1 and abs(bell.std() - 1) < 0.05 and abs((bell**4).mean() - 2.94) < 0.5
    for axis in range(3):
        near = np.corrcoef(*(np.take(bell, rows, axis).ravel() for rows in ([0], [1])))[0, 1]
        assert abs(near) < 6 / np.sqrt(bell.size / shape[axis])


@given(st.integers(2, 40), st.sampled_from(["nearest", "stochastic"]), st.floats(-1, 1))
def test_levels_are_all_that_a_device_holds(count, rounding, request_):
    resistors = ProgrammableResistor(jnp.linspace(1e-6, 1e-3, 200), 1e-6, 1e-3)
    first, device = Levels(count, rounding).drawn(resistors, jax.random.key(0))
    new = device.program(first, jnp.full_like(first, request_ * 1e-3), jax.random.key(1))
    level = (np.concatenate([first, new]).astype(np.float64) - 1e-6) / (999e-6 / (count - 1))
    np.testing.assert_allclose(level, np.round(level), atol=2e-3)
    assert level.min() > -2e-3 and level.max() < count - 1 + 2e-3


def test_stochastic_rounding_makes_small_changes_on_average():
    resistors = ProgrammableResistor(jnp.full((300, 300), 0.5), 0.0 + 1e-9, 1.0)
    first, device = Levels(11, "stochastic").drawn(resistors, jax.random.key(0))
    new = device.program(first, jnp.full_like(first, 0.013), jax.random.key(5))
    assert float(jnp.mean(new - first)) == pytest.approx(0.013, abs=5 * 0.1 * np.sqrt(0.13 * 0.87) / 300 * 3)
    assert np.array_equal(Levels(11, "nearest").drawn(resistors, jax.random.key(0))[0], first)


@pytest.mark.parametrize("name", ["levels", "cmo", "capacitor", "reram-sb"])
def test_devices_pass_the_check(name):
    lines = check_device(DEVICES[name])
    assert "noise: yes" in lines
    assert ("a change of 0 changes nothing" in lines) == (name != "capacitor"), "capacitors leak"


class Backwards(Device):
    def program(self, conductance, change, key):
        return conductance - change


class Forgetful(Device):
    def program(self, conductance, change, key):
        return (conductance + change).sum()


@pytest.mark.parametrize(
    ("device", "said"), [(Backwards(), "the other way"), (Forgetful(), "of shape"), (Device, "class")]
)
def test_devices_that_no_training_can_use_are_refused(device, said):
    with pytest.raises(InputError, match=said):
        check_device(device)


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        ("reram-ex", (), "did you mean reram-es"),
        ("soft-bounds", ("dw_mim=1",), "did you mean dw_min"),
        ("soft-bounds", ("dw_min=x",), "expected a number"),
        ("soft-bounds", ("dw_min=-1",), "dw_min -1.0: must be positive"),
        ("soft-bounds", ("dw_min_dtod=-0.1",), "must not be negative"),
        ("levels", ("levels=1",), "two at least"),
    ],
)
def test_wrong_settings_are_told_in_one_line(name, settings, said):
    with pytest.raises(InputError, match=said) as problem:
        named_device(name, settings)
    assert "\n" not in str(problem.value)


def test_names_known_without_jax_are_those_that_there_are():
    assert tuple(DEVICES) == DEVICE_NAMES


def small_network(**bounds):
    diodes = IdealDiode(jnp.where(jnp.arange(8) < 4, 1.0, -1.0))
    return mho.layered_network((4, 8, 3), jax.random.key(0), elements=[diodes], input_gain=4.0, **bounds)


def test_a_window_bounds_what_learns():
    network = small_network()
    for floor in ("clipped", "mapped"):
        for layer, before in zip(windowed(network, 10.0, floor=floor).layers, network.layers, strict=True):
            held, first = layer.crossbar.resistors, np.asarray(before.crossbar.resistors.conductance)
            assert held.upper / held.lower == pytest.approx(10, rel=1e-5)
            assert held.upper == pytest.approx(4 * float(first.max()), rel=1e-2)
            expected = np.maximum(first, held.lower) if floor == "clipped" else held.lower + 0.9 * first
            np.testing.assert_allclose(held.conductance, expected, rtol=1e-5)


def test_fit_trains_devices_and_goes_on_bit_for_bit(tmp_path):
    x = np.random.default_rng(0).normal(size=(120, 4))
    y = np.argmax(x[:, :3], axis=1)
    device = SoftBounds(dw_min=0.002, write_noise_std=2.0)
    settings = {"device": device, "progress": False, "learning_rates": 0.01, "optimizer": "adam"}
    network = windowed(small_network())
    once = mho.fit(network, (x, y), epochs=2, out=tmp_path / "once", **settings)
    mho.fit(network, (x, y), epochs=1, out=tmp_path / "twice", **settings)
    again = mho.fit(network, (x, y), epochs=2, out=tmp_path / "twice", resume=True, **settings)
    assert all(map(np.array_equal, jax.tree.leaves(once.network), jax.tree.leaves(again.network)))
    assert once.metrics[-1]["train_error"] < once.metrics[0]["train_error"]
    with pytest.raises(InputError, match="begun with"):
        mho.fit(network, (x, y), epochs=5, out=tmp_path / "twice", resume=True, **{**settings, "device": "ideal"})
    with pytest.raises(InputError, match="upper bound"):
        mho.fit(small_network(), (x, y), epochs=1, **settings)


def test_devices_of_one_seed_are_the_same_and_only_conductances_are_programmed():
    network = windowed(small_network(upper=2.0))
    made = [mho.programming(network, SoftBounds(), None, ("conductance", "bias"), jax.random.key(k)) for k in (1, 1, 2)]
    same, other = (eqx.tree_equal(made[0][1], m[1]) for m in made[1:])
    assert same and not other
    assert len(made[0][1].devices) == 2

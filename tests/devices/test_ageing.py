"""Devices that are stuck, dead, worn, drift or forget: by their laws, and as fields of a run whose zeros change nothing."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import mho
from mho.devices import AgeingDevice, Levels, SoftBounds
from mho.elements import ProgrammableResistor
from mho.experiments.programming import configured_device
from mho.experiments.registry import EXPERIMENTS
from mho.netlists import parse_netlist

pytestmark = pytest.mark.usefixtures("compiled_in_haste")
_LOW, _HIGH = 1e-6, 1e-4


def _resistors(n=20_000):
    return ProgrammableResistor(jnp.linspace(2e-6, 9e-5, n), _LOW, _HIGH)


def _after(device, resistors, changes, seed=0):
    """Conductances after the first programming and each update."""
    g, device = device.placed(resistors, jax.random.key(seed))
    found = [np.asarray(g)]
    for k, change in enumerate(changes):
        held = dataclasses.replace(resistors, conductance=jnp.asarray(found[-1]))
        g, device = device.reprogrammed(held, change, jax.random.key(100 + k))
        found.append(np.asarray(g))
    return found


def test_shares_of_devices_are_stuck_and_dead_and_stay_so():
    resistors = _resistors()
    first, after = _after(AgeingDevice(stuck_low=0.1, stuck_high=0.2, dead=0.05), resistors, [jnp.full(20_000, 1e-6)])
    for level, share in ((0.0, 0.05), (np.float32(_LOW), 0.1), (np.float32(_HIGH), 0.2)):
        there = first == level
        assert there.mean() == pytest.approx(share, abs=0.01) and np.all(after[there] == level)
    free = (first != 0) & (first != np.float32(_LOW)) & (first != np.float32(_HIGH))
    np.testing.assert_allclose(after[free], np.asarray(resistors.conductance)[free] + 1e-6, rtol=1e-5)


def test_drift_is_the_power_law_since_the_last_programming():
    resistors, still = _resistors(4), jnp.zeros(4)
    moved = jnp.asarray([0.0, 1e-6, 0.0, 1e-6])
    device = AgeingDevice(drift=0.06, idle_time=100.0, update_time=50.0)
    idle, first, second = _after(device, resistors, [still, moved])
    begun = np.asarray(resistors.conductance)
    np.testing.assert_allclose(idle, begun * (120 / 20) ** -0.06, rtol=1e-6)
    np.testing.assert_allclose(first, begun * (170 / 20) ** -0.06, rtol=1e-6)
    np.testing.assert_allclose(second[[0, 2]], begun[[0, 2]] * (220 / 20) ** -0.06, rtol=1e-6)
    np.testing.assert_allclose(second[[1, 3]], (first[[1, 3]] + 1e-6) * (70 / 20) ** -0.06, rtol=1e-6)


def test_retention_relaxes_to_its_level():
    resistors = _resistors(100)
    _, after = _after(
        AgeingDevice(retention_time=2.0, retention_level=0.5, update_time=1.0), resistors, [jnp.zeros(100)]
    )
    level, begun = (_LOW + _HIGH) / 2, np.asarray(resistors.conductance)
    np.testing.assert_allclose(after, level + (begun - level) * np.exp(-0.5), rtol=1e-5)


def test_a_device_wears_out_after_as_many_programmings_as_it_has():
    resistors = _resistors(2000)
    up = jnp.full(2000, 1e-7)
    found = _after(AgeingDevice(endurance=3.0), resistors, [up, 0 * up, up, up, up, up])
    steps = np.round((found[-1] - found[0]) / 1e-7)
    assert np.all(steps == 3) and np.array_equal(found[-1], found[-2])
    spread = _after(AgeingDevice(endurance=3.0, endurance_spread=0.5), resistors, [up] * 20)
    lives = np.round((spread[-1] - spread[0]) / 1e-7)
    assert np.median(lives) == 3 and 0.3 < np.std(np.log(np.maximum(lives, 1))) < 0.6


def test_other_devices_age_too_and_an_unaged_one_is_itself():
    resistors = _resistors(500)
    change = [jnp.full(500, 3e-6), jnp.full(500, -2e-6)]
    for device in (Levels(levels=32), SoftBounds(dw_min=0.05)):
        np.testing.assert_array_equal(
            _after(device, resistors, change), _after(AgeingDevice(device), resistors, change)
        )
    (*_, last) = _after(AgeingDevice(Levels(levels=2), drift=0.1, update_time=1e3), resistors, change)
    np.testing.assert_allclose(np.unique(last), np.array([_LOW, _HIGH]) * 51**-0.1, rtol=1e-6)
    with pytest.raises(mho.InputError, match=r"write_noise_std 1\.0: the device reads other than it is programmed"):
        AgeingDevice(SoftBounds(write_noise_std=1.0), drift=0.1)


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("dead", -0.1, "--dead -0.1: must be at least 0 and finite"),
        ("dead", 1.1, "--dead, --stuck-low, --stuck-high: are shares of the devices, 1 together at the most"),
        ("drift", float("nan"), "--drift nan: must be at least 0 and finite"),
    ],
)
def test_settings_that_make_no_sense_are_refused(field, value, told):
    with pytest.raises(mho.InputError, match=f"^{told}$"):
        dataclasses.replace(EXPERIMENTS["drn-digits"].configuration, **{field: value})


def test_a_configuration_has_what_its_fields_say():
    drn = EXPERIMENTS["drn-digits"].configuration
    assert drn.ideal_devices and not drn.has_window
    aged = dataclasses.replace(drn, dead=0.01, endurance=100.0)
    assert not aged.ideal_devices and not aged.has_window
    assert configured_device(aged) == AgeingDevice(dead=0.01, endurance=100.0)
    assert dataclasses.replace(drn, stuck_high=0.01).has_window


def test_dead_devices_of_a_network_stay_dead_while_the_others_learn():
    network = mho.layered_network((4, 6, 2), jax.random.key(0), bias_currents=False)
    optimizer, trained = optax.sgd(0.01), ("conductance",)
    state = optimizer.init(mho.trained_parameters(network, trained))
    begun, state = mho.programming(network, AgeingDevice(dead=0.2), state, trained, jax.random.key(1))
    slope = jax.tree.map(lambda g: -jnp.ones_like(g), mho.trained_parameters(network, trained))
    after, _ = mho.updated(begun, slope, optimizer, state, jax.random.key(2))
    for before, g in zip(jax.tree.leaves(begun), jax.tree.leaves(after), strict=True):
        np.testing.assert_allclose(g, np.where(np.asarray(before) == 0, 0.0, before + 0.01), rtol=1e-6)
    assert 0 < sum(int(np.sum(np.asarray(g) == 0)) for g in jax.tree.leaves(after)) < 30
    text = mho.write_netlist(after, np.array([0.3, -0.2, 0.7, 0.1]))
    # 1e24 Ω in float32, from either side.
    assert text.count("e+24") + text.count("e+23") == sum(
        int(np.sum(np.asarray(g) == 0)) for g in jax.tree.leaves(after)
    )
    nodes = mho.operating_point(parse_netlist(text)).nodes
    outputs = mho.solve(after, [[0.3, -0.2, 0.7, 0.1]]).voltages[-1][0]
    np.testing.assert_allclose([nodes["out_0"], nodes["out_1"]], outputs, rtol=1e-9)

"""Fits of pulsed devices: a family finds itself in its pulses, noise and spread come back, bad tables are told by line."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mho
from mho.command import main
from mho.devices import ConstantStep, ExponentialStep, LinearStep, PowerStep, SoftBounds
from mho.elements import ProgrammableResistor
from mho.experiments.configuration import from_json, to_json
from mho.experiments.programming import configured_device
from mho.experiments.registry import EXPERIMENTS

_WINDOW = (5e-6, 50e-6)
_ALIKE = {
    "dw_min_dtod": 0.0,
    "up_down_dtod": 0.0,
    "w_max_dtod": 0.0,
    "w_min_dtod": 0.0,
    "w_max": 1.0,
    "w_min": -1.0,
    "pulses_per_update": 1,
    "rounding": "nearest",
}

pytestmark = pytest.mark.usefixtures("compiled_in_haste")


def _table(device, devices=1, pulses=60, cycles=1):
    """What such devices read between single pulses up, then down; and what each is."""
    resistors = ProgrammableResistor(jnp.full((devices,), _WINDOW[0]), *_WINDOW)
    g, device = device.drawn(resistors, jax.random.key(3))
    change = float(device.cells.unit) * device.dw_min * 1.0001

    @jax.jit
    def pulsed(g, device, up, key):
        g, device = device.programmed(g, jnp.where(up, change, -change) * jnp.ones(devices), key)
        return resistors.within_bounds(g), device

    read, keys = [("", 0, np.asarray(g))], iter(jax.random.split(jax.random.key(4), 2 * pulses * cycles))
    for _ in range(cycles):
        for way in ("up", "down"):
            for k in range(1, pulses + 1):
                g, device = pulsed(g, device, way == "up", next(keys))
                read.append((way, k, np.asarray(g)))
    lines = [f"{d},{k},{way},{float(g[d])!r}" for d in range(devices) for way, k, g in read]
    return "device,pulse,direction,conductance\n" + "\n".join(lines) + "\n", device.cells


@pytest.mark.parametrize(
    ("law", "device"),
    [
        ("constant-step", ConstantStep(dw_min=0.05, up_down=-0.2, dw_min_std=0.0, **_ALIKE)),
        (
            "linear-step",
            LinearStep(dw_min=0.06, gamma_up=0.4, gamma_down=0.7, gamma_up_dtod=0.0, gamma_down_dtod=0.0, dw_min_std=0.0,
                       **_ALIKE),
        ),
        ("soft-bounds", SoftBounds(dw_min=0.06, up_down=0.3, dw_min_std=0.0, **_ALIKE)),
        (
            "exponential-step",
            ExponentialStep(dw_min=0.08, a=1.0, b=0.0, A_up=0.2, A_down=0.3, gamma_up=1.5, gamma_down=1.0, dw_min_std=0.0,
                            **_ALIKE),
        ),
        ("power-step", PowerStep(dw_min=0.15, pow_gamma=2.0, pow_up_down=0.3, pow_gamma_dtod=0.0, dw_min_std=0.0, **_ALIKE)),
    ],
)  # fmt: skip
def test_a_family_is_found_in_its_own_pulses(tmp_path, law, device):
    path = tmp_path / "pulses.csv"
    path.write_text(_table(device)[0])
    fit = mho.fit_pulses(mho.read_pulses(path))
    assert fit.law == law and fit.relative_error < 2e-3
    for name, value in fit.settings.items():
        expected = getattr(device, name)
        if name not in ("dw_min_std", "write_noise_std"):
            assert value == pytest.approx(expected, rel=0.05, abs=0.02), name
    if law not in ("power-step", "soft-bounds"):
        assert fit.window == pytest.approx(_WINDOW, rel=0.03)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    path = tmp_path_factory.mktemp("pulses") / "cells.csv"
    apart = _ALIKE | {"dw_min_dtod": 0.2, "w_max_dtod": 0.1}
    device = SoftBounds(dw_min=0.05, dw_min_std=0.4, write_noise_std=0.5, **apart)
    text, cells = _table(device, devices=12, cycles=2)
    path.write_text(text)
    return path, cells


def test_noise_of_steps_and_readings_and_the_spread_of_devices_come_back(measured):
    path, cells = measured
    settings = mho.fit_pulses(mho.read_pulses(path), "soft-bounds").settings
    assert settings["dw_min_std"] == pytest.approx(0.4, rel=0.25)
    assert settings["write_noise_std"] == pytest.approx(0.5, rel=0.25)
    assert settings["dw_min"] == pytest.approx(float(np.mean(cells.up)), rel=0.1)
    assert settings["dw_min_dtod"] == pytest.approx(float(np.std(cells.up / cells.up.mean())), rel=0.4)
    assert settings["w_max_dtod"] == pytest.approx(float(np.std(cells.w_max)), rel=0.4)


def test_what_mho_pulses_writes_is_the_device_that_a_configuration_has(measured, tmp_path, capsys):
    device, plot = tmp_path / "cell.toml", tmp_path / "cell.pdf"
    assert main(["pulses", str(measured[0]), "--law", "soft-bounds", "-o", str(device), "--plot", str(plot)]) == 0
    assert "soft-bounds" in capsys.readouterr().out and plot.read_bytes().startswith(b"%PDF")
    drn = EXPERIMENTS["drn-digits"].configuration
    given = dataclasses.replace(drn, device=str(device), device_settings=("dw_min=0.01",))
    assert given.device == "soft-bounds" and from_json(to_json(given)) == given
    fitted = mho.fit_pulses(mho.read_pulses(measured[0]), "soft-bounds").device
    assert configured_device(given) == dataclasses.replace(fitted, dw_min=0.01)
    device.write_text('device = "ideal"\nhidden = 3\n')
    with pytest.raises(mho.InputError, match=f"^--device {device}: is no device of mho pulses"):
        dataclasses.replace(drn, device=str(device))


_UP = [1e-6, 2e-6, 3e-6, 4e-6]
_GOOD = "pulse,conductance\n" + "".join(f"{k},{g}\n" for k, g in enumerate(_UP)) + "4,3e-6\n5,2e-6\n6,1e-6\n"


def test_series_are_cut_where_numbers_start_again_or_at_the_largest_reading(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(_GOOD)
    whole = mho.read_pulses(path)
    path.write_text(_GOOD.replace("4,3e", "1,3e").replace("5,2e", "2,2e").replace("6,1e", "3,1e"))
    again = mho.read_pulses(path)
    for found in (whole, again):
        assert [s.up for s in found] == [True, False]
        assert [s.conductance.tolist() for s in found] == [_UP, _UP[::-1]]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (_GOOD.replace("2,3e-06\n", ""), ":4: pulse 3 follows pulse 1: pulse 2 is missing"),
        (_GOOD.replace("5,2e", "4,2e"), ":7: pulse 4 follows pulse 4: expected the next, or 1 for a new series"),
        (_GOOD.replace("5,2e-6", "5,"), ":7: column 'conductance': is empty"),
        (_GOOD.replace("5,2e-6", "5,high"), ":7: column 'conductance': 'high' is no finite number"),
        (_GOOD.replace("5,2e-6", "5,-2e-6"), ":7: conductance -2e-06 S: must be positive"),
        (_GOOD.replace("5,2e-6", "5.5,2e-6"), ":7: pulse 5.5: expected a whole number from 0"),
        ("pulse,conductance,direction\n1,1e-6,up\n2,2e-6,left\n", ":3: direction 'left': expected up or down"),
        ("pulse,g\n1,1\n", " has no column 'conductance': it has pulse, g"),
        ("pulse,conductance\n", ": has a header and no pulses"),
        ("pulse,conductance\n1,1e-6\n2,2e-6\n3,3e-6\n", ": there are no pulses down: a fit needs both"),
        (_GOOD.replace("6,1e-6\n", ""), ": 2 pulses down: a fit needs 3 at least either way"),
    ],
)
def test_what_is_wrong_in_a_table_is_named_with_its_line(tmp_path, capsys, text, told):
    path = tmp_path / "t.csv"
    path.write_text(text)
    assert main(["pulses", str(path)]) == 2
    assert capsys.readouterr().err == f"mho: {path}{told}\n"

"""Transients of families of circuits against a converged reference, and the integrator against exact solutions."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from mho.dynamics.equations import CircuitInTime
from mho.dynamics.junction_charge import DepletionCharge
from mho.errors import InputError, MhoError
from mho.netlists import parse_netlist
from mho.netlists.circuits.transient import NetlistTransient, netlist_transient
from mho.ngspice.simulator import transient as spice_transient
from mho_benchmarks.transient import converged, error
from mho_benchmarks.transient_circuits import FAMILIES, cockcroft_walton, rc_ladder, relaxation_oscillator
from referee import require_ngspice

SHARE = 1e-3
# ngspice's own switching times don't converge: its waveforms shift by 1 % of the swing with its largest step.
UNJUDGED = ("relaxation_oscillator",)


def found(cards: str) -> NetlistTransient:
    return netlist_transient(parse_netlist(f"title\n{cards}.end\n"))


@pytest.mark.parametrize("name", [name for name in FAMILIES if name not in UNJUDGED])
def test_families_within_a_thousandth_of_the_swing(name: str) -> None:
    require_ngspice()
    cards = FAMILIES[name]()
    ours = found(cards)
    # What rounding leaves over counts in the smallest steps only, up to this share of the node's largest current.
    assert ours.course.residual < 1e-3
    reference = converged(name, cards)
    if reference is None:  # ngspice gets stuck: ours at a hundredth of its tolerance
        finer = found(cards + ".options reltol=1e-5\n")
        reference = finer.times, finer.voltages
    assert max(np.ptp(v) for v in reference[1].values()) > 0.01, "nothing moves, so the test tells nothing"
    assert error(ours.times, ours.voltages, reference) < SHARE


def test_a_clipped_wave_as_an_independent_method_finds_it() -> None:
    """SciPy's Radau on the one equation C dv/dt = (V(t) − v)/R − i_1(v) + i_2(−v), at a tolerance of 1e-10."""
    scale, saturation = 0.025864917007157463, 1e-12
    ours = found(
        "v1 in 0 sin(0 3 10k)\nr1 in a 1k\nc1 a 0 20n\nd1 a 0 m\nd2 0 a m\n.model m d(is=1e-12)\n"
        ".options gmin=0\n.tran 2u 200u\n"
    )

    def current(v: float) -> float:
        # Below −3 V_T SPICE's reverse current is a cubic; between two antiparallel diodes it is what differs.
        return saturation * np.expm1(v / scale) if v > -3 * scale else -saturation * (1 + (3 * scale / (v * np.e)) ** 3)

    def rate(t: float, v: np.ndarray) -> list[float]:
        drive = 3.0 * np.sin(2e4 * np.pi * t)
        return [((drive - v[0]) / 1e3 - current(v[0]) + current(-v[0])) / 20e-9]

    theirs = solve_ivp(rate, (0, 200e-6), [0.0], "Radau", t_eval=ours.times, rtol=1e-10, atol=1e-12, max_step=1e-6)
    np.testing.assert_allclose(ours.voltages["a"], theirs.y[0], atol=2e-4 * np.ptp(theirs.y[0]))


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), nodes=st.integers(1, 6))
def test_random_networks_discharge_by_the_matrix_exponential(seed: int, nodes: int) -> None:
    """C dv/dt = −G v of resistors over three decades and capacitors over three, from random voltages."""
    draw = np.random.default_rng(seed)
    cards, g = [], np.zeros((nodes, nodes))
    for a in range(nodes):
        for b in range(-1, a):
            value = float(10.0 ** draw.uniform(-4.5, -1.5))
            cards.append(f"r{a}x{b + 1} n{a} {f'n{b}' if b >= 0 else 0} {1 / value!r}")
            g[a, a] += value
            if b >= 0:
                g[b, b] += value
                g[a, b] -= value
                g[b, a] -= value
    farads, volts = 10.0 ** draw.uniform(-12, -9, nodes), draw.uniform(-5, 5, nodes)
    cards += [f"c{a} n{a} 0 {float(farads[a])!r} ic={float(volts[a])!r}" for a in range(nodes)]
    rates = -g / farads[:, None]
    stop = float(3.0 / np.abs(np.linalg.eigvals(rates)).min())
    ours = found("\n".join(cards) + f"\n.tran {stop / 40!r} {stop!r} uic\n")
    exact = np.array([expm(rates * t) @ volts for t in ours.times[1:]]).T
    for a in range(nodes):
        # Before the first reported time a node may have swung from its initial voltage.
        swing = np.ptp(np.append(exact[a], volts[a]))
        np.testing.assert_allclose(ours.voltages[f"n{a}"][1:], exact[a], atol=3e-4 * swing + 1e-6)


def test_the_error_falls_with_the_fifth_power_of_the_step() -> None:
    """Of the end of a sine through a low-pass filter, in steps that are all the largest."""

    def off(steps: int) -> float:
        stop = 2e-3
        ours = found(
            f"v1 in 0 sin(0 1 1k)\nr1 in a 1k\nc1 a 0 50n\n.options reltol=1e6\n.tran {stop} {stop} 0 {stop / steps!r}\n"
        )
        w, tau = 2e3 * np.pi, 50e-6
        exact = (np.sin(w * stop) - w * tau * np.cos(w * stop) + w * tau * np.exp(-stop / tau)) / (1 + (w * tau) ** 2)
        return abs(float(ours.voltages["a"][-1]) - exact)

    # Every run begins with the same small steps, which grow: four times as many are not quite a fourth of the size.
    assert off(200) < off(50) / 500


def test_a_relaxation_oscillator_has_its_period() -> None:
    """R C ln of the way up, and (R ∥ R_on) C ln of the way down; by the thresholds 1.5 and 3.5 V of the switch."""
    cards = relaxation_oscillator(1.0).replace(".tran 5e-07", ".tran 1e-08")
    ours = found(cards)
    up, down = 10e3, 1 / (1 / 10e3 + 1 / 101.0)
    low = 5 * 101 / 10101.0
    period = 1e-9 * (up * np.log((5 - 1.5) / (5 - 3.5)) + down * np.log((3.5 - low) / (1.5 - low)))
    v = ours.voltages["out"]
    rising = (v[:-1] < 2.5) & (v[1:] >= 2.5)
    crossings = ours.times[:-1][rising] + 1e-8 * (2.5 - v[:-1][rising]) / (v[1:] - v[:-1])[rising]
    assert len(crossings) >= 5
    np.testing.assert_allclose(np.diff(crossings), period, rtol=1e-3)


def test_charge_is_conserved() -> None:
    """Junctions in series with a capacitor, and nothing else: the charge of the node between stays what it was."""
    ours = found(
        "v1 in 0 sin(0 4 1meg)\nd1 a in m\nc1 a 0 5p\n.model m d(is=1e-30 cjo=20p vj=0.8 m=0.45)\n.options gmin=0\n"
        ".tran 10n 5u\n"
    )
    layer = DepletionCharge(*(np.array([x]) for x in (20e-12, 0.8, 0.45, 0.5)))
    drive, a = ours.voltages["in"], ours.voltages["a"]
    charge = layer.at((a - drive)[:, None])[0][:, 0] + 5e-12 * a
    assert np.ptp(a) > 1.0
    assert np.abs(charge - charge[0]).max() < 5e-5 * 20e-12


@pytest.mark.parametrize("cards", [rc_ladder(20), cockcroft_walton(1)])
def test_sparse_matrices_as_dense_ones(cards: str, monkeypatch: pytest.MonkeyPatch) -> None:
    dense = found(cards)
    monkeypatch.setattr("mho.dynamics.equations.DENSE_LIMIT", 0)
    ours = found(cards)
    for node, v in dense.voltages.items():
        np.testing.assert_allclose(ours.voltages[node], v, atol=3e-4 * np.ptp(v) + 1e-9)


@pytest.mark.parametrize("lie", ["a branch dropped", "a current larger by 1e-5"])
def test_a_lie_is_caught_by_kirchhoffs_laws(lie: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The matrix of resistors without one of them; the elements' currents on their way into the equations."""
    if lie == "a branch dropped":
        honest = CircuitInTime.__init__

        def build(self: CircuitInTime, *arguments: Any, **options: Any) -> None:
            honest(self, *arguments, **options)
            self.stiffness[1, 1] -= 1e-3

        monkeypatch.setattr(CircuitInTime, "__init__", build)
    else:
        drawn = CircuitInTime.drawn
        monkeypatch.setattr(CircuitInTime, "drawn", lambda *arguments: drawn(*arguments) * (1 + 1e-5))
    with pytest.raises(MhoError, match=r"does not get beyond .* s: Kirchhoff's law at a is off by"):
        found(
            "v1 in 0 pulse(1 5 0 1n 1n 1u 2u)\nr1 in a 1k\nr2 a 0 1k\nd1 a 0 m\nc1 a 0 1p\n.model m d\n.tran 10n 1u\n"
        )


def test_a_step_that_cannot_be_made_is_one_line_with_time_and_node() -> None:
    """A source's ramp across a diode without any resistance: beyond 2 V no physical current."""
    said = (
        r"does not get beyond 0\.0\d+ s: out of range is d1 \(a to 0\) at 1\.5\d* V, .*; steps down to .* s were tried$"
    )
    with pytest.raises(MhoError, match=said) as raised:
        found("v1 a 0 pwl(0 0 1 100)\nd1 a 0 m\nc1 a 0 1n\n.model m d\n.tran 1m 1\n")
    assert "\n" not in str(raised.value)


def test_a_capacitors_initial_voltage_holds_also_where_nothing_moves() -> None:
    ours = found("v1 a 0 2\nr1 a b 1k\nr2 b 0 1k\n.tran 1u 10u\n")
    np.testing.assert_allclose(ours.voltages["b"], 1.0, rtol=1e-9)
    assert dataclasses.asdict(ours.course)["rejected"] == 0


def test_charges_are_shared_after_uic_as_in_ngspice() -> None:
    """Capacitors side by side whose voltages differ, and a node that has nothing but capacitors."""
    require_ngspice()
    cards = (
        "c1 a 0 1n ic=5\nc2 a 0 3n\nr1 a 0 1k\nv1 in 0 pulse(0 1 1u 1u 1u 5u 20u)\nc3 in mid 1n\nc4 mid 0 3n ic=0.5\n"
        "c5 b d 2n ic=1\nr2 d 0 10k\nvb b 0 2\n.tran 0.1u 10u 0 10n uic\n"
    )
    with pytest.raises(InputError, match="node 'mid' has no DC path to ground"):
        found(cards.replace(" uic", ""))
    ours = found(cards)
    theirs = spice_transient(f"title\n{cards}.options reltol=1e-6 chgtol=1e-18\n.end\n")
    assert ours.voltages["a"][0] == pytest.approx(1.25, rel=1e-5)
    # ngspice's first time is not 0.
    for node in ("a", "mid", "d"):
        expected = np.interp(ours.times[1:], theirs.times, theirs.voltages[node])
        np.testing.assert_allclose(ours.voltages[node][1:], expected, atol=SHARE * np.ptp(expected), err_msg=node)

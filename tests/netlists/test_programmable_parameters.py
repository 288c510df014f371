"""Parameters of models, subcircuits and .param cards that learn: gradients, what comes back as text, refusals."""

import dataclasses
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mho.errors import InputError
from mho.learning import ImplicitGradient, apply_updates
from mho.netlists import parse_netlist
from mho.netlists.circuits.network import netlist_network
from mho.netlists.circuits.parameters import with_values
from mho.netlists.writing.network_netlist import write_netlist
from mho.precision import double
from mho.steady import NodalNewton, solve
from referee import batch_voltages

X, Y = np.array([[0.4], [-0.9], [1.5]]), np.array([[0.1], [-0.2], [0.3]])
DIODES = """diodes and resistors
.PARAM load=2k unused=3 ; of two resistors
Vx x 0 0
R1 x a 1k
R2 a out {2*load + 1k}
Rl out 0 load
D1 a 0 dm
D2 out 0 dm 2
Xs b out Stage rs=4k
Vb b 0 1
.subckt stage p q rs=1k
Rs p q {rs}
.ends
.Model dm d( is=1u
+ N=1.5 )
.end
"""
AMPLIFIED = """a transistor, a channel, controlled and behavioural sources
Vx x 0 0
Vcc vcc 0 5
R1 x b 5k
R2 vcc b 20k
Rc vcc c 2k
Q1 c b e qn
Re e 0 1k
M1 d c 0 0 mn w=20u l=2u
Rd vcc d 3k
X1 d 0 out gained gain=0.7
B1 out 0 I={scale*1e-4*tanh(v(d))}
.param scale=2
.subckt gained p m o gain=1
E1 o1 0 p m {gain}
Ro o1 o 1k
.ends
Rl out 0 5k
.model qn npn(bf=80 is=1e-15)
.model mn nmos(kp=50u vto=0.8 lambda=0.01)
.end
"""
CHOSEN = {
    DIODES: ("r1", "dm.is=1n..100u", "dm.n=1..3", "xs.rs", "param.load"),
    AMPLIFIED: ("r1", "qn.bf", "mn.vto", "mn.kp", "x1.gain=-2..2", "param.scale"),
}


def network(text: str, *programmable: str) -> Any:
    names = programmable or CHOSEN[text]
    return netlist_network(parse_netlist(text, "own.cir"), inputs="vx", outputs="out", programmable=names, lower=1e-6)


def slopes(rule: Any, circuit: Any) -> list[Any]:
    trained = ("conductance", "parameter")
    found = rule.gradient(circuit, jnp.asarray(X), jnp.asarray(Y), trained=trained).by_parameter
    return [found.branches[0].element.conductance[0], *(p.value for p in found.programmables)]


@pytest.mark.parametrize("text", CHOSEN)
def test_gradients_are_those_of_the_netlist_read_with_other_numbers(text: str) -> None:
    circuit = network(text)
    assert (circuit.ties is not None) == (text == DIODES)

    def cost(value: dict[str, float]) -> float:
        circuit = network(with_values(text, value), "r1")
        return float(np.mean(0.5 * (circuit.prediction(solve(circuit, X).voltages) - Y) ** 2))

    exact = double(slopes)(ImplicitGradient(solver=NodalNewton()), dataclasses.replace(circuit, ties=None))
    for parameter, slope in zip(circuit.programmables, exact[1:], strict=True):
        step = 1e-4 * float(parameter.value)
        above, below = (cost({parameter.name: float(parameter.value) + side}) for side in (step, -step))
        assert slope == pytest.approx((above - below) / (2 * step), rel=1e-5), parameter.name


def test_the_energy_s_slope_is_that_of_the_netlist_read_with_other_numbers() -> None:
    """Equilibrium propagation takes it at two phases."""
    circuit = network(DIODES)
    voltages = solve(circuit, X).voltages

    def slopes(free: Any) -> Any:
        return jax.grad(lambda free: jnp.sum(eqx.combine(free, held).energy(None, jnp.asarray(voltages))))(free)

    free, held = eqx.partition(circuit, circuit.marked(("parameter",)))
    for parameter, slope in zip(circuit.programmables, double(jax.jit(slopes))(free).programmables, strict=True):
        texts = [with_values(DIODES, {parameter.name: float(parameter.value) * (1 + side)}) for side in (1e-4, -1e-4)]
        ends = [network(text, "r1").energy(None, voltages).sum() for text in texts]
        assert slope.value == pytest.approx((ends[0] - ends[1]) / (2e-4 * parameter.value), rel=1e-5), parameter.name


@pytest.mark.parametrize("text", CHOSEN)
def test_an_update_keeps_the_bounds_and_comes_back_as_text(text: str, tmp_path: Path) -> None:
    circuit = network(text)
    updates: Any = jax.tree.map(lambda _: None, circuit)

    def values(c: Any) -> list[Any]:
        return [p.value for p in c.programmables]

    steps = [np.float64(100.0), *np.linspace(-0.2, 0.3, len(circuit.programmables) - 1)]
    updates = eqx.tree_at(values, updates, steps, is_leaf=lambda x: x is None)
    moved = jax.tree.map(np.asarray, double(apply_updates)(circuit, updates))
    first, *others = moved.programmables
    assert first.value == first.largest
    for before, after, step in zip(circuit.programmables[1:], others, steps[1:], strict=True):
        moves = before.value * np.exp(step) if before.least > 0 else before.value + step
        assert after.value == pytest.approx(moves, rel=1e-12)
    written = write_netlist(moved, X[0])
    kept = [line for line in text.splitlines() if line in written.splitlines()]
    assert len(kept) >= len(text.splitlines()) - len(steps) - 2
    theirs, ours = batch_voltages(written, tmp_path), solve(moved, X[:1]).voltages[0]
    for node, volts in theirs.items():
        if "#" not in node:
            assert moved.voltage(ours, node) == pytest.approx(volts, rel=1e-6, abs=1e-6)
    # Read back, the same parameters begin where these have come to.
    names = [f"{p.name}={p.least:.17g}..{p.largest:.17g}" for p in moved.programmables]
    back = netlist_network(parse_netlist(written), inputs="vx", outputs="out", programmable=names)
    np.testing.assert_allclose(values(back), values(moved), rtol=1e-15)
    with pytest.raises(InputError, match="are not its netlist's: of that, what is programmable alone may change"):
        write_netlist(eqx.tree_at(lambda c: c.branches[1].element.conductance, moved, replace_fn=lambda g: 2 * g))


WRONG = {
    ".param k={2*load}\nR9 out 0 {k}": {
        "param.k": r"parameter 'param.k' has the expression '\{2\*load\}' for its value"
    },
    ".param k=2 + 1\nR9 out 0 {k}": {"param.k": "has the expression '2 \\+ 1'"},
    ".param k=1\nR9 out 0 {1k*exp(k)}": {
        "param.k": "'param.k' from 0.001 to 1000: own.cir:17: .* isn't a finite number",
        "param.k=-1..3": "neither in a straight line nor by a power",
    },
    ".param k=0\nR9 out 0 {k+1k}": {"param.k": "is 0, not above 0: give it bounds, param.k=LEAST..LARGEST"},
    ".param k=2\nR9 out 0 {k*load}": {"param.k,param.load": "what follows from both can follow from one"},
    ".param k=2\nV9 y 0 {k}\nR9 y 0 1k": {"param.k": "sets a source, which does not learn"},
    ".param k=2\nR9 out 0 {k}\n.param k=3": {"param.k": "2 cards give it; rename one"},
    "Xt b out stage": {"xt.rs": "matches no resistor and no parameter"},
    "": {
        "param.unused": "nothing in the operating point depends on it",
        "dm.bv": "matches no resistor and no parameter; the netlist gives: dm.is, dm.n, param.load",
        "dm.is=1u": "bounds are two numbers, dm.is=LEAST..LARGEST",
        "dm.is=2u..3u": "begins at 1e-06: must be within the bounds 2e-06 to 3e-06",
        "dm.n=-1..2": r"'dm.n' from -1 to 2: .*N of diode model 'dm' is -1; it must be above 0",
    },
}


@pytest.mark.parametrize(("more", "name"), [(more, name) for more, names in WRONG.items() for name in names])
def test_what_cannot_learn_is_one_line(more: str, name: str) -> None:
    with pytest.raises(InputError, match=rf"^own.cir.*{WRONG[more][name]}") as raised:
        network(DIODES.replace(".end\n", f"{more}\n.end\n"), name)
    assert "\n" not in str(raised.value)

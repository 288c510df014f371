"""Operating points that no double could tell apart, against exact fractions; circuits with more than one operating point."""

import math
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mho.compensated import added, sums_at, two_product, two_sum
from mho.errors import MhoError
from mho.netlists import parse_netlist
from mho.netlists.circuits.circuit import netlist_circuit
from mho.networks import CircuitBuilder
from mho.steady.newton import solve_circuit
from mho.steady.other_points import lasts, other_point

doubles = st.floats(-1e100, 1e100, allow_subnormal=False).filter(lambda x: x == 0 or abs(x) > 1e-100)


@given(a=doubles, b=doubles)
def test_pairs_lose_nothing(a, b):
    total, lost = two_sum(np.float64(a), np.float64(b))
    assert Fraction(float(total)) + Fraction(float(lost)) == Fraction(a) + Fraction(b)
    product, rest = two_product(np.float64(a), np.float64(b))
    assert Fraction(float(product)) + Fraction(float(rest)) == Fraction(a) * Fraction(b)


@given(values=st.lists(doubles, min_size=1, max_size=40), seed=st.integers(0, 99))
def test_sums_are_those_of_twice_the_precision(values, seed):
    places = np.random.default_rng(seed).integers(0, 3, len(values))
    found, largest = sums_at([(np.array(values), places)], 3)
    for place in range(3):
        terms = [v for v, p in zip(values, places, strict=True) if p == place]
        exact = math.fsum(terms)
        assert abs(found[place] - exact) <= 1e-15 * abs(exact) + 1e-30 * largest[place]


def test_compiled_pairs_are_pairs():
    with jax.enable_x64(True):
        value, tail = jax.jit(added)((jnp.float64(1.0), jnp.float64(0.0)), jnp.float64(1e-20))
        assert float(value) == 1.0 and float(tail) == 1e-20


def exact_voltages(nodes: int, edges: list[tuple[int, int, float]], held: dict[int, float]) -> list[Fraction]:
    """Of a resistive network, by Gaussian elimination in fractions."""
    free = [k for k in range(nodes) if k not in held]
    rows = {k: {j: Fraction(0) for j in free} | {-1: Fraction(0)} for k in free}
    for a, b, g in edges:
        for here, there in ((a, b), (b, a)):
            if here in rows:
                rows[here][here] += Fraction(g)
                if there in rows:
                    rows[here][there] -= Fraction(g)
                else:
                    rows[here][-1] += Fraction(g) * Fraction(held[there])
    for k in free:
        pivot = rows[k][k]
        for j in free:
            if j != k and (share := rows[j][k] / pivot):
                for m in rows[k]:
                    rows[j][m] -= share * rows[k][m]
    return [Fraction(held[k]) if k in held else rows[k][-1] / rows[k][k] for k in range(nodes)]


@settings(max_examples=60)
@given(seed=st.integers(0, 10**6), decades=st.sampled_from([3, 9, 18]))
def test_error_bounds_hold_on_stiff_networks(seed, decades):
    random = np.random.default_rng(seed)
    nodes = 8
    pairs = [(k, int(random.integers(0, k))) for k in range(1, nodes)]
    pairs += [tuple(random.choice(nodes, 2, replace=False).tolist()) for _ in range(5)]
    edges = [(a, b, float(10 ** random.uniform(-decades / 2, decades / 2))) for a, b in pairs]
    held = {0: 0.0, nodes - 1: float(random.uniform(-1e3, 1e3))}
    exact = exact_voltages(nodes, edges, held)
    builder = CircuitBuilder()
    builder.add_voltage_source(nodes - 1, 0, held[nodes - 1], name="v")
    builder.add_resistors(*(list(x) for x in zip(*edges, strict=True)))
    point = solve_circuit(builder.build())
    numbers = {builder._names[k]: k for k in range(nodes)}
    for k in range(nodes):
        off = abs(float(Fraction(float(point.voltages[numbers[str(k)]])) - exact[k]))
        assert off <= point.error_bound[numbers[str(k)]]
        assert off <= 1e-14 * abs(held[nodes - 1])


LATCH = """two amplifiers in a ring, their outputs clamped
E1 a 0 0 y 50
R1 a x 1k
E2 c 0 0 x 50
R2 c y 1k
D1 x p dm
D2 m x dm
D3 y p dm
D4 m y dm
VP p 0 2
VM m 0 -2
RX x 0 1meg
{nodeset}
.model dm d
"""


def test_a_latch_has_other_points_and_its_middle_does_not_last():
    circuit = netlist_circuit(parse_netlist(LATCH.format(nodeset="")))
    middle = solve_circuit(circuit)
    assert abs(middle.voltages).max() == pytest.approx(2.0) and not lasts(circuit, middle)
    other = other_point(circuit, middle)
    assert other is not None and lasts(circuit, other)
    x, y = (other.voltages[circuit.node_names.index(n, "node")] for n in "xy")
    assert x == pytest.approx(-y, rel=1e-6) and abs(x) > 2.5


@pytest.mark.parametrize(
    ("cards", "message"),
    [
        ("v1 a 0 2\nd1 a 0 m", r"no physical operating point: d1 \(a to 0\) at 2 V, where its law gives 3.8\d*e\+19 A"),
        ("i1 0 b 1e9\ni2 b 0 1e9\nr1 b 0 1e9", r"node 'b' is determined no better than 7\.\d*e\+03 V"),
    ],
)
def test_a_point_of_no_use_is_refused(cards, message):
    """A diode beyond what its law is meant for; 16 ulp of a gigaampere through a gigaohm."""
    with pytest.raises(MhoError, match=message):
        solve_circuit(netlist_circuit(parse_netlist(f"t\n{cards}\n.model m d\n")))


def test_one_point_has_no_other():
    circuit = netlist_circuit(
        parse_netlist("stage\nV1 a 0 1\nR1 a b 1k\nD1 b 0 dm\nE1 c 0 b 0 3\nR2 c 0 1k\n.model dm d\n")
    )
    point = solve_circuit(circuit)
    assert other_point(circuit, point) is None and lasts(circuit, point)

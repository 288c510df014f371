"""A circuit with capacitors as an ordinary differential equation in the voltages that its capacitors hold.

Modified nodal analysis (Ho, Ruehli and Brennan 1975) gives C dy/dt + f(y) + K y = r(t): y the node voltages and the
currents of the sources, f the elements' currents at the nodes, r the sources' values. Three linear maps, computed once,
make an ODE of this differential-algebraic equation:

1. The sources' own equations are solved: y = T x + S r, for any x. The columns of W span the combinations of Kirchhoff's
   laws in which the sources' unknown currents cancel. With M = Wᵀ C T: d/dt (M x + Wᵀ C S r) = −Wᵀ (f(y) + K y − r).
   So a capacitor in parallel with a source, which would raise the index to 2, is no difficulty.
2. M = U₁ Σ V₁ᵀ by its singular values; x = V₁ q + V₂ z. The state is a = q + Σ⁻¹ U₁ᵀ Wᵀ C S r [V], which stays continuous
   where a source jumps, and da/dt = −Σ⁻¹ U₁ᵀ Wᵀ (f + K y − r).
3. What no capacitor holds, z, follows from 0 = U₂ᵀ Wᵀ (f + K y − r) by Newton's method: the resistive rest of the circuit,
   solved with the capacitors as voltage sources. The index is 1 (Hairer and Wanner, Solving Ordinary Differential Equations
   II, chapter VI.1), since the laws of the elements increase.

Junctions whose charge is no multiple of their voltage (`JunctionCharge`) enter C with a constant capacitance C₀ each. With B
their incidence and D = diag(C(v) − C₀) at their voltages v = Bᵀ y, the law above becomes Wᵀ (C + B D Bᵀ) dy/dt = …: for the
state, (1 + G D H) da/dt = −Σ⁻¹ U₁ᵀ Wᵀ (f + K y − r) − G D E dr/dt, with G = Σ⁻¹ U₁ᵀ Wᵀ B and dv/dt = H da/dt + E dr/dt.

An amplifier with a bandwidth B [Hz] amplifies u instead of its near side's voltage v, with τ du/dt = v − u, τ = 1/(2π B):
one pole, and a buffer that draws nothing.
"""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from numpy.typing import ArrayLike
from scipy.linalg import null_space

from mho.errors import InputError
from mho.networks.circuit import Circuit
from mho.steady.equations import System, from_rest, move, tangents
from mho.steady.modified_system import modified_system
from mho.transient.junction_charge import JunctionCharge

_NEWTON_STEPS = 60
_SMALL_STEP = 1e-10
_RANK = 1e-13


class Dynamics(eqx.Module):
    """The ODE of a circuit; see the module. Arrays are float64."""

    system: System
    stiffness: Any
    """K, (size, size)."""
    from_states: Any
    """T V₁, (size, states)."""
    from_rest: Any
    """T V₂, (size, rest)."""
    from_sources: Any
    """S, (size, size)."""
    held_back: Any
    """Σ⁻¹ U₁ᵀ Wᵀ C S, (states, size)."""
    projection: Any
    """Σ⁻¹ U₁ᵀ Wᵀ C, (states, size): from y to the state a [V]."""
    drive: Any
    """−Σ⁻¹ U₁ᵀ Wᵀ [1/F], (states, size)."""
    balance: Any
    """U₂ᵀ Wᵀ, (rest, size)."""
    source_rows: Any
    """Where r holds the voltages of `Circuit.source_names`."""
    source_current: Any
    """From what the kept laws leave over to the sources' currents, (sources, size)."""
    capacitance: Any
    """C [F], (size, size)."""
    charge: JunctionCharge | None
    charge_push: Any
    """G, (states, diodes)."""
    charge_voltage: tuple[Any, Any, Any]
    """Bᵀ, (diodes, size), H, (diodes, states), and E, (diodes, size)."""

    @property
    def states(self) -> int:
        """Number of states."""
        return self.drive.shape[0]

    def imbalance(self, y: Array, r: Array) -> Array:
        """f(y) + K y − r: currents [A] at the nodes, volts in the sources' equations."""
        currents = tuple(e.current(d) for e, d in zip(self.system.elements, self.system.drops(y), strict=True))
        return self.system.flows(currents) + self.stiffness @ y - r

    def unknowns(self, state: Array, r: Array) -> Array:
        """Y at a state and the sources' values: node voltages [V], ground left out, first; the currents in y are 0.

        NaN where Newton's method finds no solution of the resistive rest.
        """
        base = self.from_states @ (state - self.held_back @ r) + self.from_sources @ r
        if self.from_rest.shape[1] == 0:
            return base
        fixed = lax.stop_gradient(base)
        drops_of = tuple(
            _gather(self.from_rest, a) - _gather(self.from_rest, b)
            for a, b in zip(self.system.first, self.system.second, strict=True)
        )

        held = lax.stop_gradient(r)

        def step(y: Array, stands: tuple) -> Array:
            """The linear circuit in which each element is its tangent where it stands, solved."""
            slopes = tuple(e.slope(u) for e, u in zip(self.system.elements, stands, strict=True))
            rest = self.system.drops(y)
            currents = tuple(
                e.current(u) + g * (d - u)
                for e, u, g, d in zip(self.system.elements, stands, slopes, rest, strict=True)
            )
            left = self.balance @ (self.system.flows(currents) + self.stiffness @ y - held)
            matrix = self.balance @ self.stiffness @ self.from_rest
            for a, b, g, d in zip(self.system.first, self.system.second, slopes, drops_of, strict=True):
                tangent = _gather(self.balance.T, a) - _gather(self.balance.T, b)
                matrix = matrix + tangent.T @ (g[:, None] * d)
            return y - self.from_rest @ jnp.linalg.solve(matrix, left)

        def unsolved(carry: tuple) -> Array:
            return (carry[2] < _NEWTON_STEPS) & ~(carry[3] <= _SMALL_STEP)

        def advance(carry: tuple) -> tuple:
            y, stands, count, _ = carry
            after = step(y, stands)
            size = jnp.max(jnp.abs(after - y) / (1.0 + jnp.abs(after)))
            drops = self.system.drops(after)
            there = tangents(self.system, drops)
            moved, _ = move(self.system, stands, tangents(self.system, stands), drops, there)
            return after, moved, count + 1, size

        start = (fixed, from_rest(self.system, fixed)[0], jnp.int32(0), jnp.asarray(jnp.inf))
        y, _, _, size = lax.while_loop(unsolved, advance, start)
        # One more step from the solution, outside the loop, carries the derivatives.
        y = lax.stop_gradient(jnp.where(size <= _SMALL_STEP, y, jnp.nan)) + base - fixed
        return step(y, self.system.drops(lax.stop_gradient(y)))

    def rate(self, state: Array, r: Array) -> Array:
        """da/dt [V/s], the sources at rest."""
        return self.rate_at(self.unknowns(state, r), r, jnp.zeros_like(r))

    def rate_at(self, y: Array, r: Array, r_rate: Array) -> Array:
        """da/dt [V/s], at the unknowns y of a state, the sources' values and their time derivatives."""
        plain = self.drive @ self.imbalance(y, r)
        if self.charge is None:
            return plain
        at_junction, by_state, by_source = self.charge_voltage
        pushed = self.charge_push * (self.charge.capacitance(at_junction @ y) - self.charge.reference)
        matrix = jnp.eye(self.states) + pushed @ by_state
        return jnp.linalg.solve(matrix, plain - pushed @ (by_source @ r_rate))


def _gather(matrix: Any, index: Any) -> Any:
    """Rows of a matrix; a row of zeros for the ground, whose index is the number of rows."""
    return np.vstack([matrix, np.zeros((1, matrix.shape[1]))])[np.asarray(index)]


def circuit_dynamics(
    circuit: Circuit,
    capacitors: tuple[ArrayLike, ArrayLike, ArrayLike],
    *,
    bandwidth: float | None = None,
    charge: JunctionCharge | None = None,
) -> Dynamics:
    """The ODE of a circuit with capacitors.

    Args:
        circuit: the circuit.
        capacitors: node numbers of their two ends, and their capacitances [F], each (capacitors,).
        bandwidth: of all amplifiers [Hz]; None for infinite.
        charge: junctions with a charge of their own; `capacitors` leaves them out.

    Raises:
        InputError: if there is no capacitor that a voltage can change, a capacitance is negative or the bandwidth not
            positive, or capacitors cancel each other by an amplifier.
    """
    circuit = jax.tree.map(lambda x: np.asarray(x, np.float64) if np.asarray(x).dtype.kind == "f" else x, circuit)
    sources = np.asarray(circuit.source_voltage)
    system = modified_system(circuit, sources)
    nodes, size = circuit.nodes - 1, system.size
    extra = np.arange(nodes, size)  # currents
    stiffness = np.zeros((size, size))
    np.add.at(stiffness, (np.asarray(system.rows), np.asarray(system.columns)), np.asarray(system.values))
    if charge is not None:
        held = zip(capacitors, (charge.first, charge.second, charge.reference), strict=True)
        capacitors = tuple(np.append(c, more) for c, more in held)  # pyright: ignore[reportAssignmentType]
    capacitance = _capacitance(size, *capacitors)
    if bandwidth is not None:
        if not (bandwidth > 0 and np.isfinite(bandwidth)):
            raise InputError(f"amplifier bandwidth {bandwidth} Hz: must be positive and finite")
        system, stiffness, capacitance = _with_poles(circuit, system, stiffness, capacitance, bandwidth)
        size = system.size

    # What is linear in the nodes' voltages alone is solved for; a source whose current appears elsewhere is kept.
    eliminated = np.array(
        [b for b in extra if not stiffness[b, extra].any() and not stiffness[extra, b].any()], dtype=np.int64
    )
    kept = np.setdiff1d(np.arange(size), eliminated)
    equations = stiffness[np.ix_(eliminated, kept)]
    currents = stiffness[np.ix_(kept, eliminated)]
    free, laws = np.zeros((size, len(kept) - len(eliminated))), np.zeros((size, len(kept) - len(eliminated)))
    free[kept] = null_space(equations) if len(eliminated) else np.eye(len(kept))
    laws[kept] = null_space(currents.T) if len(eliminated) else np.eye(len(kept))
    from_sources = np.zeros((size, size))
    from_sources[np.ix_(kept, eliminated)] = np.linalg.pinv(equations)
    source_current = np.zeros((size, size))
    source_current[np.ix_(eliminated, kept)] = -np.linalg.pinv(currents)

    left, singular, right = np.linalg.svd(laws.T @ capacitance @ free)
    rank = int(np.sum(singular > _RANK * max(singular.max(initial=0.0), capacitance.max(initial=0.0))))
    if rank == 0:
        raise InputError("no node has a capacitor whose voltage can change: there is nothing to follow in time")
    balance = left[:, rank:].T @ laws.T
    beside = np.abs(balance @ capacitance @ from_sources).max(initial=0.0)
    if beside > 1e-9 * capacitance.max():
        raise InputError("capacitors cancel each other by an amplifier: the circuit's voltages may jump at any time")
    projection = (left[:, :rank] / singular[:rank]).T @ laws.T
    held_back = projection @ capacitance @ from_sources
    from_states = free @ right[:rank].T
    incidence = np.zeros((0, size)) if charge is None else _incidence(size, charge.first, charge.second)
    if np.abs(balance @ incidence.T).max(initial=0.0) > 1e-9:
        raise InputError("a diode with CJO or TT beside an amplifier or controlled source that no capacitor can follow")
    source_rows = nodes + np.arange(len(sources))
    return Dynamics(
        system=system,
        stiffness=stiffness,
        from_states=from_states,
        from_rest=free @ right[rank:].T,
        from_sources=from_sources,
        held_back=held_back,
        projection=projection @ capacitance,
        drive=-projection,
        balance=balance,
        source_rows=source_rows,
        source_current=source_current[source_rows],
        capacitance=capacitance,
        charge=charge,
        charge_push=projection @ incidence.T,
        charge_voltage=(incidence, incidence @ from_states, incidence @ (from_sources - from_states @ held_back)),
    )


def _incidence(size: int, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Bᵀ: +1 at the first unknown and −1 at the second, (branches, size), of node numbers; ground has none."""
    branch = np.arange(len(first))
    matrix = np.zeros((len(first), size + 1))
    np.add.at(matrix, (branch, np.asarray(first) - 1), 1.0)
    np.add.at(matrix, (branch, np.asarray(second) - 1), -1.0)
    return matrix[:, :size]


def _capacitance(size: int, first: ArrayLike, second: ArrayLike, farads: ArrayLike) -> np.ndarray:
    values = np.asarray(farads, np.float64)
    if not (np.isfinite(values) & (values >= 0)).all():
        raise InputError(f"capacitance {values[~(values >= 0)][:1]} F: must be finite and not negative")
    a, b = np.asarray(first) - 1, np.asarray(second) - 1  # ground becomes the last row, which is dropped
    matrix = np.zeros((size + 1, size + 1))
    for row, column, sign in ((a, a, 1), (b, b, 1), (a, b, -1), (b, a, -1)):
        np.add.at(matrix, (row, column), sign * values)
    return matrix[:size, :size]


def _with_poles(
    circuit: Circuit, system: System, stiffness: np.ndarray, capacitance: np.ndarray, bandwidth: float
) -> tuple[System, np.ndarray, np.ndarray]:
    """One more unknown u and one more equation, τ du/dt + u − v = 0, for each amplifier."""
    if circuit.amplifiers is None:
        raise InputError("an amplifier bandwidth is given, and the circuit has no amplifiers")
    near = np.asarray(circuit.amplifiers.near) - 1
    count, before = len(near), system.size
    size = before + count
    rows, poles = before - count + np.arange(count), before + np.arange(count)
    grown = np.zeros((2, size, size))
    grown[0, :before, :before], grown[1, :before, :before] = stiffness, capacitance
    grown[0, rows, poles] = grown[0, rows, near]
    grown[0, rows, near] = 0.0
    grown[0, poles, poles] = 1.0
    grown[0, poles, near] = -1.0
    grown[1, poles, poles] = 1.0 / (2.0 * np.pi * bandwidth)

    def moved(ends: tuple) -> tuple:
        return tuple(np.where(np.asarray(e) == before, size, e) for e in ends)

    constant = np.append(system.constant, np.zeros(count))
    wider = dataclasses.replace(
        system, first=moved(system.first), second=moved(system.second), constant=constant, size=size
    )
    return wider, grown[0], grown[1]

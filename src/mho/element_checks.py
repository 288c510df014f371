"""A check of an element of one's own: that its law, its co-content and all else that it defines are one and the same thing.

What the rest of mho takes for granted of an element is tested here in both precisions, and its SPICE card against ngspice.
"""

import math
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from mho.elements import TwoTerminal
from mho.errors import InputError

_POINTS = 24
_EXTREME = 1e4
"""Volts at which a law may overflow, but not become NaN."""
_VISITS = 16
"""Calls of the `node_voltage` of an element that is not `exact`, until it has settled."""
_ULPS = {"float64": 256, "float32": 4096}
"""Rounding allowed in a node equation's solution."""
_CONDUCTANCES, _CURRENTS = (1e-5, 1e-3, 1e-1), (0.0, 1e-9, -1e-9, 1e-4, -1e-4, 1e-2, -1e-2)
"""Of the node equations [S, A]."""
_STARTS = 0.0, 0.5, -0.5
"""Of their solution [V]."""
_STEP = 1e-6
"""Of a parameter, for a difference."""
_SPICE_RTOL, _SPICE_ATOL = 1e-5, 1e-11
"""SPICE's diodes leave Shockley's law in reverse by a part of their saturation current, and have 1e-12 S beside them."""


def check_element(element: TwoTerminal, voltages: tuple[float, float] = (-1.0, 1.0)) -> list[str]:
    """Check an element; see `mho.TwoTerminal` for what a subclass defines.

    Args:
        element: the element, with parameters of shape () or (n,).
        voltages: between which its law is tested [V]. Where its co-content is infinite it cannot be, and is not tested.

    Returns:
        What was checked, a line each; a line that begins with "not checked:" says what was not, and why.

    Raises:
        InputError: for the first check that fails: what is wrong, where, and by how much.
    """
    if not isinstance(element, TwoTerminal):
        what = "a class: give one with its parameters" if isinstance(element, type) else type(element).__name__
        raise InputError(f"element: is {what}; an object of a subclass of mho.TwoTerminal is needed")
    low, high = voltages
    if not (np.isfinite([low, high]).all() and low < high):
        raise InputError(f"voltages {voltages}: two finite voltages are needed, the lower one first")
    name = type(element).__name__
    shape = _shape(name, element)
    # No round numbers: laws have their kinks there.
    at = np.sort(np.random.default_rng(0).uniform(low, high, _POINTS))
    grid = np.broadcast_to(at.reshape(-1, *(1 for _ in shape)), (_POINTS, *shape)).copy()
    # What is infinite or no number is judged, not warned of.
    with np.errstate(all="ignore"):
        done = [_domain(name, element)]
        done += [_shapes(name, element, grid, dtype) for dtype in _ULPS]
        done += [check(name, element, grid) for check in (_law, _gradients, _changes)]
        done += [_node_equation(name, element, shape, dtype) for dtype in _ULPS]
        done += [_deviations(name, element, shape), _card(name, element, grid)]
    return done


def _shape(name: str, element: TwoTerminal) -> tuple[int, ...]:
    leaves = jax.tree.leaves(element)
    for leaf in leaves:
        if not isinstance(leaf, jax.Array | np.ndarray | float | int):
            raise InputError(
                f"{name}: has a parameter of type {type(leaf).__name__}; arrays are needed, or static fields"
            )
    try:
        shape = np.broadcast_shapes(*(np.shape(leaf) for leaf in leaves))
    except ValueError:
        sizes = ", ".join(str(np.shape(leaf)) for leaf in leaves)
        raise InputError(f"{name}: parameters of shapes {sizes} do not broadcast") from None
    if len(shape) > 1:
        raise InputError(f"{name}: parameters of shape {shape}; give an element with parameters of shape () or (n,)")
    return shape


def _domain(name: str, element: TwoTerminal) -> str:
    for parameter, (least, largest) in element.domain.items():
        if not hasattr(element, parameter):
            raise InputError(f"{name}.domain: names {parameter!r}, which is no parameter")
        if getattr(element, parameter) is None:
            continue
        value = np.asarray(getattr(element, parameter))
        outside = ~((value >= least) & (value <= largest))
        if outside.any():
            raise InputError(
                f"{name}.domain: {parameter} = {value[outside].flat[0]:g} is outside [{least:g}, {largest:g}]"
            )
    return "domain: names parameters, whose values are within it"


def _called(
    name: str, what: str, function: Callable, element: TwoTerminal, *arrays: Any, dtype: str = "float64"
) -> Any:
    """What a function of the element and arrays gives when JAX compiles it in a precision; what it raises in one line."""

    def cast(leaf: Any) -> Any:
        return jnp.asarray(leaf, dtype if np.asarray(leaf).dtype.kind == "f" else None)

    try:
        with jax.enable_x64(dtype == "float64"):
            return jax.tree.map(np.asarray, jax.jit(function)(*jax.tree.map(cast, (element, *arrays))))
    except InputError:
        raise
    except Exception as problem:
        reason = str(problem).strip().split("\n")[0]
        raise InputError(f"{name}.{what}: raised {type(problem).__name__}: {reason}") from problem


def _shapes(name: str, element: TwoTerminal, grid: np.ndarray, dtype: str) -> str:
    methods: dict[str, Callable] = {
        "current": lambda e, v: e.current(v),
        "slope": lambda e, v: e.slope(v),
        "co_content": lambda e, v: e.co_content(v),
        "change": lambda e, v: e.change(v, 1e-3 * v),
        "in_range": lambda e, v: e.in_range(v),
    }
    far = np.sign(grid) * _EXTREME
    for what, method in methods.items():
        found, extreme = _called(
            name, what, lambda e, v, w, method=method: (method(e, v), method(e, w)), element, grid, far, dtype=dtype
        )
        expected = "bool" if what == "in_range" else dtype
        if found.shape != grid.shape:
            raise InputError(f"{name}.{what}: gives shape {found.shape} for voltages of shape {grid.shape}")
        if found.dtype != expected:
            raise InputError(f"{name}.{what}: gives {found.dtype} for voltages and parameters of {dtype}")
        if what != "change" and np.isnan(extreme).any():
            where = far[np.isnan(extreme)][0]
            raise InputError(f"{name}.{what}: is NaN at {where:g} V in {dtype}; infinite may it be, but a number")
    return f"shapes and types: those of the voltages, in {dtype}, and no NaN at ±{_EXTREME:g} V"


def _law(name: str, element: TwoTerminal, grid: np.ndarray) -> str:
    def evaluated(e: TwoTerminal, v: Any) -> tuple:
        one = jnp.ones_like(v)
        by_content = jax.jvp(e.co_content, (v,), (one,))[1]
        by_law = jax.jvp(e.current, (v,), (one,))[1]
        return e.current(v), e.slope(v), e.co_content(v), by_content, by_law, e.tangent(v), e.co_content(0.0 * v)

    found = _called(name, "co_content", evaluated, element, grid)
    current, slope, content, by_content, by_law, tangent, at_zero = found
    may = np.isfinite(content) | np.isnan(content)
    if not may.any():
        raise InputError(f"{name}.co_content: is infinite from {grid.min():g} to {grid.max():g} V: nothing to check")
    for what, value in {"current": current, "slope": slope, "co_content": content}.items():
        _require(name, f"{what}: is not finite", may & ~np.isfinite(value), grid, value)
    tensest = np.abs(np.where(may, current, 0.0)).max()
    _agree(name, "current: is not the derivative of co_content", current, by_content, may, grid, 1e-9 * tensest)
    least = 1e-9 * np.abs(np.where(may, by_law, 0.0)).max()
    _agree(name, "slope: is not the derivative of current", slope, by_law, may, grid, least)
    _require(name, "slope: is negative, where a law must not decrease", may & (slope < 0), grid, slope)
    falling = np.zeros_like(may)
    falling[1:] = may[1:] & may[:-1] & (np.diff(current, axis=0) < -1e-12 * (np.abs(current[1:]) + tensest))
    _require(name, "current: decreases with the voltage, where a law must not", falling, grid, current)
    _require(name, "co_content: is not 0 W at 0 V", ~(np.abs(at_zero) <= 1e-15), 0.0 * grid, at_zero)
    for what, ours, whole in (("current", current, tangent[0]), ("slope", slope, tangent[1])):
        _agree(name, f"tangent: its {what} is not `{what}`", whole, ours, may, grid, 1e-12 * np.abs(ours[may]).max())
    return "law: co-content, current and slope are one another's derivatives; the current does not decrease"


def _require(name: str, what: str, wrong: np.ndarray, grid: np.ndarray, value: np.ndarray) -> None:
    if wrong.any():
        at = tuple(int(k[0]) for k in np.nonzero(wrong))
        raise InputError(f"{name}.{what}: {value[at]:.9g} at {grid[at]:.9g} V")


def _agree(
    name: str, what: str, ours: np.ndarray, theirs: np.ndarray, may: np.ndarray, grid: np.ndarray, least: float
) -> None:
    apart = may & ~(np.abs(ours - theirs) <= 1e-6 * np.abs(theirs) + least)
    if apart.any():
        at = tuple(int(k[0]) for k in np.nonzero(apart))
        raise InputError(f"{name}.{what}: {ours[at]:.9g} against {theirs[at]:.9g} at {grid[at]:.9g} V")


def _gradients(name: str, element: TwoTerminal, grid: np.ndarray) -> str:
    """∂p/∂θ, which learning takes, against central differences."""
    flat, structure = jax.tree_util.tree_flatten_with_path(element)
    # Integers are not trained, and an infinite parameter is one that is not there.
    varied = [
        k
        for k, (_, leaf) in enumerate(flat)
        if np.asarray(leaf).dtype.kind == "f" and np.isfinite(np.asarray(leaf)).all()
    ]

    def evaluated(e: TwoTerminal, v: Any) -> tuple:
        leaves = jax.tree.leaves(e)

        def content(k: int, moved: Any) -> Any:
            return jax.tree.unflatten(structure, [*leaves[:k], moved, *leaves[k + 1 :]]).co_content(v)

        found = []
        for k in varied:
            at = partial(content, k)
            step = _STEP * jnp.maximum(jnp.abs(leaves[k]), 1e-9)
            slope = jax.jvp(at, (leaves[k],), (jnp.ones_like(leaves[k]),))[1]
            found.append((slope, at(leaves[k] + step), at(leaves[k] - step), step + 0.0 * v))
        return e.co_content(v), found

    total, found = _called(name, "co_content", evaluated, element, grid)
    for k, (slope, up, down, step) in zip(varied, found, strict=True):
        difference = (up - down) / (2.0 * step)
        may = np.isfinite(total) & np.isfinite(difference)
        rounding = 1e-15 * np.abs(np.where(may, total, 0.0)) / step
        allowed = 1e-4 * np.abs(difference) + rounding + 1e-9 * _largest(slope, may)
        apart = may & ~(np.abs(slope - difference) <= allowed)
        if apart.any():
            where = tuple(int(i[0]) for i in np.nonzero(apart))
            parameter = jax.tree_util.keystr(flat[k][0]).lstrip(".")
            raise InputError(
                f"{name}.co_content: its derivative by {parameter} is {slope[where]:.9g}, "
                f"against a difference of {difference[where]:.9g}, at {grid[where]:.9g} V"
            )
    return "gradients: co-content by each parameter, against differences"


def _largest(values: np.ndarray, may: np.ndarray) -> float:
    return float(np.nan_to_num(np.abs(np.where(may, values, 0.0)), nan=0.0).max())


def _changes(name: str, element: TwoTerminal, grid: np.ndarray) -> str:
    deviation = np.resize([0.05, -0.05, 1e-3], len(grid)).reshape(-1, *(1 for _ in grid.shape[1:])) + 0.0 * grid

    def evaluated(e: TwoTerminal, v: Any, d: Any) -> tuple:
        return e.change(v, d), e.current(v), e.current(v + d), e.co_content(v) + e.co_content(v + d)

    found, before, after, content = _called(name, "change", evaluated, element, grid, deviation)
    may = np.isfinite(content)
    least = 1e-9 * max(_largest(before, may), _largest(after, may))
    _agree(name, "change: is not i(v + δ) − i(v)", found, after - before, may, grid, least)
    return "change: i(v + δ) − i(v)"


def _node_equation(name: str, element: TwoTerminal, shape: tuple[int, ...], dtype: str) -> str:
    apart = (-1, *(1 for _ in shape))
    a, b, start = (np.ravel(x) for x in np.meshgrid(_CONDUCTANCES, _CURRENTS, _STARTS))
    a, b, start = (np.broadcast_to(x.astype(dtype).reshape(apart), (len(x), *shape)) for x in (a, b, start))

    def settled(e: TwoTerminal, g: Any, i: Any, v: Any) -> Any:
        return lax.fori_loop(0, 1 if e.exact else _VISITS, lambda _, v: e.node_voltage(g, i, v), v)

    v = _called(name, "node_voltage", settled, element, a, b, start, dtype=dtype).astype(np.float64)
    a, b = a.astype(np.float64), b.astype(np.float64)

    def judged(e: TwoTerminal, v: Any, current: Any) -> tuple:
        around = [e.slope(v * (1.0 + turn) + turn) for turn in (-1e-5, 0.0, 1e-5)]  # a kink has two
        return e.law_residual(v, current), around

    left, slopes = _called(name, "law_residual", judged, element, v, b - a * v)
    slope = np.max(np.where(np.isfinite(slopes), slopes, 0.0), 0)
    # Backward error: what rounding the voltage, on the scale of 1 V, and the currents amounts to.
    rounding = (a + slope) * (np.abs(v) + 1.0) + np.abs(b)
    wrong = ~(np.abs(left) <= _ULPS[dtype] * np.finfo(dtype).eps * rounding)
    if wrong.any():
        at = tuple(int(k[0]) for k in np.nonzero(wrong))
        raise InputError(
            f"{name}.node_voltage: {v[at]:.9g} V from {start[at]:g} V, in {dtype}, leaves {left[at]:.3g} A of the node "
            f"equation g·v + i(v) = I with g = {a[at]:g} S and I = {b[at]:g} A"
        )
    return f"node equation: g·v + i(v) = I is solved, in {dtype}"


def _deviations(name: str, element: TwoTerminal, shape: tuple[int, ...]) -> str:
    """A node's voltage after a change of its current: by the element's deviations, and by the node equation anew."""
    current = np.array([1e-4, -1e-4, 5e-4, -5e-4]).reshape(-1, *(1 for _ in shape)) + np.zeros((4, *shape))

    def moved(e: TwoTerminal, i: Any, change: Any) -> tuple:
        g = jnp.full_like(i, 1e-3)

        def settled(node: Callable, i: Any) -> Any:
            return lax.fori_loop(0, _VISITS, lambda _, v: node(g, i, v), jnp.zeros_like(i))

        rest = settled(e.node_voltage, i)
        return rest, settled(e.deviating(rest, i - g * rest).node_voltage, change), settled(e.node_voltage, i + change)

    rest, deviation, whole = _called(name, "deviating", moved, element, current, 0.3 * current[::-1])
    apart = ~(np.abs(rest + deviation - whole) <= 1e-7 * np.abs(whole) + 1e-9)
    if apart.any():
        at = tuple(int(k[0]) for k in np.nonzero(apart))
        raise InputError(
            f"{name}.deviating: a node at {rest[at]:.9g} V moves to {rest[at] + deviation[at]:.9g} V by its deviation, "
            f"against {whole[at]:.9g} V by the node equation"
        )
    return "deviations: lead where the node equation leads"


def _card(name: str, element: TwoTerminal, grid: np.ndarray) -> str:
    """The currents that ngspice has through the element's own cards, each between a source and ground."""
    entries = max(math.prod(grid.shape[1:]), 1)
    chosen = [(k, index) for k in range(0, len(grid), 3) for index in range(min(entries, 3))]
    flat = grid.reshape(len(grid), entries)
    # A law that is given at kinks and jumps alone is none of ngspice's.
    content, current = (
        np.reshape(found, flat.shape)
        for found in _called(name, "current", lambda e, v: (e.co_content(v), e.current(v)), element, grid)
    )
    chosen = [(k, index) for k, index in chosen if np.isfinite(content[k, index])]
    cards: list[str] = []
    for row, (k, index) in enumerate(chosen):
        cards.append(f"Vcheck{row} check{row} 0 DC {flat[k, index]:.17g}")
        try:
            cards += _lines(name, element.card(f"x{row}", f"check{row}", "0", index if grid.ndim > 1 else None))
        except NotImplementedError:
            return f"not checked: {name} has no SPICE card, and circuits with it have no netlist"
    if shutil.which("ngspice") is None:
        return "not checked: the SPICE card, for ngspice is not on the PATH"
    from mho.ngspice.simulator import operating_point

    try:
        point = operating_point("\n".join([f"* {name}", *cards, ".op", ".end", ""]))
    except InputError as problem:
        raise InputError(f"{name}.card: ngspice refuses {cards[1]!r}: {problem}") from problem
    for row, (k, index) in enumerate(chosen):
        # SPICE counts a source's current into its first node.
        theirs, ours = -point.branches[f"vcheck{row}"], float(current[k, index])
        allowed = _SPICE_RTOL * abs(ours) + _SPICE_ATOL * max(1.0, abs(flat[k, index]))
        if not abs(theirs - ours) <= allowed:
            raise InputError(
                f"{name}.card: ngspice has {theirs:.9g} A at {flat[k, index]:.9g} V, current gives {ours:.9g} A"
            )
    return "SPICE card: ngspice has the same currents"


def _lines(name: str, lines: Sequence[str]) -> list[str]:
    if isinstance(lines, str) or not all(isinstance(line, str) for line in lines):
        raise InputError(f"{name}.card: gives {type(lines).__name__}; a list of lines is needed")
    return list(lines)

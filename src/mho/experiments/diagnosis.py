"""Why a network does not learn, from what an epoch and its probe have measured: one line a cause, with the option at fault.

A cause is a fact that was measured, such as phases that differ by less than their voltages are rounded to. Where several
options could mend it, the one is named that is the furthest from the experiment's own value.
"""

import math
from collections.abc import Sequence

import numpy as np

from mho.experiments.configuration import Configuration, RuleConfiguration, shown
from mho.experiments.probe import Probe

_WRONG = 0.02
"""Error up to which a network has learned: its updates may vanish then."""
_CHANCE = 0.95
"""Share of the error of guessing above which a network has learned nothing."""
_GROWN, _BLOWN = 10.0, 1e3
"""Factors on the weights' root mean square above which they have left where they began: if nothing is learned, and ever."""
_ROUNDINGS = 4.0
"""Roundings of the largest prediction that a change between phases must be above."""
_DROWNED = 1e3
"""Roundings below which a change between phases may be right at the outputs and lost in the layers before."""
_HELD = 0.99
"""Share of the way to the targets at which a nudge holds the outputs instead of nudging them."""
_CHANGED = math.log(2.0)
"""By how many factors of e an option must be from the experiment's own value to be held responsible."""
_ASTRAY = 0.5
"""Cosine with the exact gradient below which a layer learns something else."""
_BOUND = 0.999
"""Share of the conductances at their bounds from which there is nothing left to learn with."""


_NEAR_LIMIT = 0.8
"""Share of its limit above which a nudging factor is held responsible for a loss that is not finite."""


def guessing_error(targets: np.ndarray) -> float:
    """The training error of a prediction that does not look at its input: of the commonest class, or of the mean."""
    if targets.ndim > 1:
        return 1.0
    return 1.0 - float(np.max(np.bincount(targets))) / len(targets)


def distance(configuration: Configuration, own: Configuration | None, name: str) -> float:
    """By how many factors of e a field is from the experiment's own value; 0 where there is none."""
    if own is None or not hasattr(own, name) or "auto" in (getattr(own, name), getattr(configuration, name)):
        return 0.0
    here, there = (np.ravel(np.asarray(getattr(c, name) or 1.0, float)) for c in (configuration, own))
    if np.array_equal(here, there):
        return 0.0
    here, there = np.log(here), np.log(there)
    return float(np.max(np.abs(here - there)) if here.shape == there.shape else abs(here.mean() - there.mean()))


def suspects(configuration: Configuration, own: Configuration | None, fields: Sequence[str]) -> str:
    """The options, of those that bear on something, that are likely at fault, with their values.

    They are those the furthest from the experiment's own values; if none is, the first.

    Args:
        configuration: what is trained.
        own: the experiment's own configuration; None for an experiment without a name.
        fields: fields that bear on it, the likeliest first.
    """
    far = {name: distance(configuration, own, name) for name in fields if hasattr(configuration, name)}
    furthest = max(far.values(), default=0.0)
    named = [name for name in far if 2.0 * far[name] >= furthest] if furthest > _CHANGED else list(far)[:1]
    return " or ".join(shown(configuration, name) for name in named)


def rate_suspects(configuration: Configuration, own: Configuration | None, epoch: int, *, grows: bool) -> str:
    """The options that make updates too large, or else too small, in an epoch counted from 1.

    It is the decay where that has changed the learning rates the most until then.
    """
    decayed = (epoch - 1) * math.log(configuration.decay) * (1.0 if grows else -1.0)
    if decayed > max(math.log(10.0), distance(configuration, own, "learning_rates")):
        return shown(configuration, "decay")
    return suspects(configuration, own, ("learning_rates", "initial", "gains", "input_gain", "beta", "eta"))


def warnings(
    configuration: Configuration,
    own: Configuration | None,
    probe: Probe,
    *,
    epoch: int,
    error: float,
    chance: float,
    tolerance: float | None,
    exhausted: int,
    start_weight: float,
) -> list[str]:
    """What a user must know of an epoch, a line each; none if it went well.

    Args:
        configuration: what is trained.
        own: the experiment's own configuration; None for an experiment without a name.
        probe: what the probe found.
        epoch: counted from 1.
        error: on the training samples.
        chance: that of guessing; see `guessing_error`.
        tolerance: of the operating points' residuals; None where there is no circuit.
        exhausted: operating points for which the sweeps ran out.
        start_weight: root mean square of the weights before training.
    """
    told = []
    above = probe.above(tolerance) if tolerance is not None else 0
    if above:
        assert isinstance(configuration, RuleConfiguration)
        told.append(
            f"{above} of {len(probe.residuals)} operating points probed break Kirchhoff's current law by more than "
            f"{tolerance:g} of the largest current at a node: {_imprecise(configuration, own, probe)}"
        )
    if exhausted:
        told.append(
            f"{exhausted} operating points ran out of sweeps: raise {shown(configuration, 'max_sweeps')} or "
            f"{shown(configuration, 'rtol')}, or lower {shown(configuration, 'beta')}"
        )
    if probe.beyond:
        told.append(
            f"nodes go up to {probe.beyond:.2g} V beyond the measured curve, where it is taken to be straight: measure "
            f"further, or lower {shown(configuration, 'input_gain') if hasattr(configuration, 'input_gain') else 'inputs'}"
        )
    learning = _no_learning(configuration, own, probe, epoch, error, chance, start_weight)
    learning = learning or _astray(configuration, own, probe, error)
    return [*told, learning] if learning is not None else told


def _astray(configuration: Configuration, own: Configuration | None, probe: Probe, error: float) -> str | None:
    cosines = probe.health.cosine if probe.health is not None and error > _WRONG else ()
    astray = [(c, k) for k, c in enumerate(cosines, start=1) if c is not None and c < _ASTRAY]
    if not astray:
        return None
    cosine, layer = min(astray)
    where = f" of layer {layer}" if len(cosines) > 1 else ""
    told = f"the gradient{where} that trains has cosine {cosine:.2f} with the exact one: "
    noises = [name for name in ("read_noise", "relative_read_noise", "read_step") if getattr(configuration, name, 0.0)]
    if noises:
        which = " or ".join(shown(configuration, name) for name in noises)
        return f"{told}too large: {which}; or too small: {shown(configuration, 'reads')}"
    spreads = getattr(configuration, "spreads", {})
    if {"gains", "current_gains"} & spreads.keys():
        named = ("gain_mismatch", "current_gain_mismatch", "mismatch")
        which = " or ".join(shown(configuration, name) for name in named if getattr(configuration, name))
        return f"{told}the amplifiers' voltage and current gains differ apart: {which}"
    drowned = probe.signal is not None and probe.signal < _DROWNED * probe.precision
    side = "small" if drowned else "large"
    return f"{told}too {side}: {suspects(configuration, own, ('beta', 'eta', 'rtol'))}"


def _imprecise(configuration: RuleConfiguration, own: Configuration | None, probe: Probe) -> str:
    if configuration.rtol > 1e-5 or (own is not None and configuration.rtol > getattr(own, "rtol", math.inf)):
        return f"lower {shown(configuration, 'rtol')}"
    if probe.reached is not None and probe.reached > _HELD and configuration.rule == "equilibrium-propagation":
        return f"the nudge is stiffer than float32 can balance; lower {shown(configuration, 'beta')}"
    fields = ("input_gain", "gains", "initial", "beta", "lower", "saturation_current", "learning_rates")
    return (
        "rounding at nodes that carry little of their layer's current, or fewer sweeps than these need: see "
        f"{suspects(configuration, own, fields)} and {shown(configuration, 'rtol')}"
    )


def _no_learning(
    configuration: Configuration,
    own: Configuration | None,
    probe: Probe,
    epoch: int,
    error: float,
    chance: float,
    start_weight: float,
) -> str | None:
    if error <= _WRONG:
        return None
    rule = configuration if isinstance(configuration, RuleConfiguration) else None
    nudged = rule is not None and rule.rule == "equilibrium-propagation"
    step, at_chance = probe.step, error >= _CHANCE * chance
    grown = max(step.weight, 1e-300) / max(start_weight, 1e-300)
    # By half a cosine the last steps are to vanish.
    ended = configuration.schedule == "cosine" and epoch == configuration.epochs
    stalled = step.size < 0.5 * probe.rounding and not ended
    lost = probe.signal is not None and probe.signal < _ROUNDINGS * probe.precision
    if grown > _BLOWN or (grown > _GROWN and (at_chance or stalled or lost)):
        return (
            f"the weights have grown {grown:.2g} times: updates too large: see "
            f"{rate_suspects(configuration, own, epoch, grows=True)}"
        )
    if step.at_bound > _BOUND:
        return (
            f"{step.at_bound:.1%} of the conductances stand at a bound of their devices: see "
            f"{suspects(configuration, own, ('lower', 'upper', 'initial', 'learning_rates'))}"
        )
    if lost:
        what = "the nudged phases" if nudged else "the clamped phase"
        which = suspects(configuration, own, ("beta", "initial") if nudged else ("eta",))
        return (
            f"no learning signal: {what} differ from the free one by {probe.signal:.1g} of the largest prediction, "
            f"less than its rounding ({probe.precision:.1g}) lets through: {_too_small(which)}"
        )
    if not (stalled or at_chance):
        return None
    if nudged and probe.reached is not None and probe.reached > _HELD:
        return (
            f"the nudged phases hold the outputs at their targets ({probe.reached:.1%} of the way), which no longer tells "
            f"how to reach them: too large: {suspects(configuration, own, ('beta',))}"
        )
    if stalled:
        which = rate_suspects(configuration, own, epoch, grows=False)
        return (
            f"the weights no longer move: an update is {float(step.size):.1g} of them, less than their rounding "
            f"({probe.rounding:.1g}): {_too_small(which)}"
        )
    if epoch > 1:
        return (
            f"the training error, {error:.1%}, is that of guessing, though the phases differ and the weights move: "
            f"try others than {suspects(configuration, own, ('learning_rates', 'beta', 'input_gain', 'initial', 'lower'))}"
        )
    return None


def _too_small(which: str) -> str:
    return f"too large: {which}" if which.startswith("--initial") else f"too small: {which}"


def divergence(configuration: Configuration, own: Configuration | None, *, epoch: int, share: float | None) -> str:
    """The likely cause of a loss that is not finite.

    Args:
        configuration: what is trained.
        own: see `warnings`.
        epoch: counted from 1.
        share: the nudging factor in units of the least that leaves a phase no state, as the epoch began; None where there is
            no such limit.
    """
    if share is not None and share > _NEAR_LIMIT:
        # As the outputs' conductances fall, −β comes to pull harder than they hold: the energy has no minimum then.
        which = suspects(configuration, own, ("beta", "initial", "lower"))
        small = "the outputs' conductances too small for the nudging"
        judged = "the nudging factor too large" if which.startswith("--beta") else small
        return f"{judged} ({which}): it was {share:.0%} of its limit when the epoch began"
    return f"a learning rate too large ({rate_suspects(configuration, own, epoch, grows=True)})"

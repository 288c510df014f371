"""What nudges or clamps a network's outputs, of one sample, as SPICE cards.

A nudging source is called after the prediction that it pulls (`Bnudge_3`), a held current of a layered network after its
output node (`Inudge_3`), a clamp `Vclamp_3`.
"""

from collections.abc import Sequence

import numpy as np

from mho.elements import CurrentSource, VoltageSource
from mho.errors import InputError
from mho.learning.cost import Cost
from mho.learning.nudging import EnergyNudge
from mho.steady import Clamp

Ends = Sequence[tuple[str, str]]
"""Pairs of nodes: a prediction is the voltage of the first less that of the second."""
Nudge = CurrentSource | EnergyNudge | Clamp
"""What a learning rule attaches to the outputs in its nudged or clamped phase."""


def nudge_cards(nudge: Nudge | None, predictions: Ends, held: Ends) -> list[str]:
    """The cards of what is attached to the outputs; none for None.

    Args:
        nudge: of one sample: currents of shape (n,) or (1, n) into the first nodes of `held` [A]; an energy nudge with a
            strength of shape (1, 1) and a target of shape (1, predictions); or a clamp of the predictions [V], (1,
            predictions).
        predictions: the nodes that the predictions are measured between.
        held: those between which held currents flow, which are a layered network's output nodes and ground.

    Raises:
        InputError: if it is not that of one sample, or not finite.
    """
    if nudge is None:
        return []
    if isinstance(nudge, CurrentSource):
        injected = np.asarray(nudge.injected, np.float64)
        if injected.size != len(held):
            raise InputError(f"nudge of {injected.size} currents: one sample's, one for each of {len(held)} outputs")
        one = CurrentSource(_finite(injected, "nudging currents"))  # type: ignore[arg-type]
        return [line for k, ends in enumerate(held) for line in one.card(f"nudge_{k}", *ends, k)]
    if isinstance(nudge, Clamp):
        volts = np.asarray(nudge.voltage, np.float64)
        if volts.size != len(predictions):
            raise InputError(
                f"clamp of {volts.size} voltages: one sample's, one for each of {len(predictions)} outputs"
            )
        source = VoltageSource(_finite(volts, "clamped voltages"))  # type: ignore[arg-type]
        return [line for k, ends in enumerate(predictions) for line in source.card(f"clamp_{k}", *ends, k)]

    target = _finite(np.asarray(nudge.target, np.float64), "targets")
    strength = _finite(np.asarray(nudge.strength, np.float64), "nudging strength").reshape(-1)
    if strength.size != 1 or target.size != len(predictions):
        raise InputError(
            f"energy nudge of strength {strength.shape} and target {target.shape}: one sample's, (1, 1) and "
            f"(1, {len(predictions)}), are needed"
        )
    wanted = [f"{y:.17g}" for y in target.reshape(-1).tolist()]
    return energy_nudge_cards(nudge.cost, f"{strength[0]:.17g}", wanted, predictions)


def energy_nudge_cards(cost: Cost, strength: str, target: Sequence[str], predictions: Ends) -> list[str]:
    """The currents β ∂C/∂p that flow out of a prediction's first node into its second; β and the targets are expressions."""
    measured = [f"V({plus})" if minus == "0" else f"V({plus},{minus})" for plus, minus in predictions]
    slopes = cost.gradient_expressions(measured, target)
    return [
        f"Bnudge_{k} {plus} {minus} I = {strength}*({slope})"
        for k, ((plus, minus), slope) in enumerate(zip(predictions, slopes, strict=True))
    ]


def _finite(values: np.ndarray, what: str) -> np.ndarray:
    if not np.isfinite(values).all():
        raise InputError(f"{what}: not all are finite")
    return values

"""An epoch's record: a line of metrics.jsonl, and in the checkpoints."""

import math
import reprlib
from typing import Any

from mho.errors import InputError

Metrics = dict[str, Any]
"""One epoch's record.

`epoch` counts from 1. `train_loss` and `train_error` are means over the epoch's samples, each before the update that
it takes part in; `test_error` is that of the network after the epoch. Errors are fractions: of samples not predicted
or, in a regression, of variance unexplained (see `mho.experiments.error`). `seconds` is the wall-clock time of the
epoch's steps, compilation and tests apart. After the epoch up to 64 of its samples settle once more, in all phases
that training settles: `residual` is the largest imbalance of Kirchhoff's current law at a node relative to the
largest branch current there, evaluated in float64 apart from the solver, `probed` the number of operating points,
`above_tolerance` how many of them are above `tolerance` by that measure. `out_of_sweeps` counts operating points of
the whole epoch for which the solver made `max_sweeps` sweeps without reaching `rtol` by its own measure,
`test_out_of_sweeps` those of the test; `sweeps` is the mean number of sweeps, or of Newton's steps, for an update,
over all phases. `gradient_cosine` and `gradient_ratio` compare the gradient that trains with the exact one on 8 of
the samples, by layer: cosine of the angle between them, and lengths; null where the rule's is the exact one, and for
circuits. `signal` is the largest difference of a prediction between the phases that are compared, relative to the
largest prediction, and `signal_rounding` what rounding, or the solver's tolerance, leaves of that uncertain.
`warnings` says in a line each what is wrong, such as why a network does not learn. Where all samples there are are
trained on, `test_error` is null and `error_after` is the error on them after the epoch. What a software baseline does
not have is null, and lines that earlier versions wrote have fewer fields.
"""


def check_record(record: object, epoch: int) -> None:
    """Refuse what is no record of an epoch.

    Raises:
        InputError: if it is none, says which field.
    """
    if not isinstance(record, dict):
        raise InputError(f"expected an object, found {type(record).__name__}")
    if record.get("epoch") != epoch:
        raise InputError(f"epoch is {_brief(record.get('epoch'))}, expected {epoch}")
    for name in ("train_loss", "train_error", "test_error", "seconds", "residual"):
        value = record.get(name)
        # None where there is none: a software baseline's residual, the test error where all samples are trained on.
        optional = name in ("test_error", "residual")
        if not (value is None and optional) and not _is_finite(value):
            raise InputError(f"{name} is {_brief(value)}, expected a number")


def _is_finite(value: object) -> bool:
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:
        return False


def _brief(value: object) -> str:
    # Of integers beyond what Python prints, too.
    return "an integer of very many digits" if isinstance(value, int) and abs(value) >= 2**63 else reprlib.repr(value)


def told_error(record: Metrics) -> str:
    """The error after an epoch, by what it is measured on."""
    if record["test_error"] is None:
        return f"error on the training samples {record['error_after']:.2%}"
    return f"test error {record['test_error']:.2%}"

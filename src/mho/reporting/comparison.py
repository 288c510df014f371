"""Several runs side by side: final errors, curves over each other, fields that differ."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from mho.reporting.document import Element, Section, quantity, table
from mho.reporting.measured import Measured
from mho.reporting.settings import fields, told_value
from mho.reporting.training_curves import curve


def comparison_section(runs: Sequence[Measured]) -> Section:
    """Of two runs or more."""
    body = [_finals(runs)]
    for title, field, label, factor in (
        ("Training loss", "train_loss", "loss", 1.0),
        ("Test error", "test_error", "error [%]", 100.0),
        ("Error on the training samples after the epoch", "error_after", "error [%]", 100.0),
        ("Kirchhoff residual", "residual", "relative residual", 1.0),
    ):
        named: dict[str, Any] = {}
        for run in runs:
            records = [r for r in run.run.metrics if r.get(field) is not None]
            if records:
                named[run.name] = [r["epoch"] for r in records], [factor * r[field] for r in records]
        if named:
            told = ", ".join(f"{name} {quantity(y[-1])}" for name, (_, y) in named.items())
            body.append(curve(title, named, label, f"At the end: {told}."))
    return Section("Comparison", [*body, _differences(runs)])


def _finals(runs: Sequence[Measured]) -> Element:
    rows = []
    for run in runs:
        last = run.run.metrics[-1] if run.run.metrics else {}
        after = last.get("test_error") if last.get("test_error") is not None else last.get("error_after")
        errors = [(v, "–" if v is None else f"{v:.2%}") for v in (last.get("train_error"), after, run.error)]
        seconds = sum(r["seconds"] for r in run.run.metrics)
        rows.append([run.name, run.experiment, len(run.run.metrics), *errors, (seconds, f"{seconds:.1f} s")])
    columns = ("run", "experiment", "epochs", "training error", "error after the epoch", "error in this report", "time")
    return table("Errors at the end", columns, rows)


def _differences(runs: Sequence[Measured]) -> Element:
    """Of fields that not all kinds of runs have, those that are not at their defaults."""
    values = [fields(run.configuration) for run in runs]
    rows = []
    for field in {f.name: f for run in runs for f in dataclasses.fields(run.configuration)}.values():
        told = [v.get(field.name, "–") for v in values]
        if len(set(told)) > 1 and set(told) != {"–", told_value(field.default)}:
            rows.append([field.name, *told])
    return table("Fields that differ", ("field", *(run.name for run in runs)), rows)

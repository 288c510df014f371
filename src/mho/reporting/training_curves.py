"""How a run trained: losses, errors, residuals, sweeps and the gradient's health, epoch by epoch."""

from collections.abc import Mapping, Sequence
from typing import Any

from mho.experiments.record import Metrics
from mho.reporting.document import (
    Element,
    Section,
    axis,
    element,
    epoch_axis,
    figure,
    lines,
    paragraph,
    quantity,
    subheading,
    table,
)
from mho.reporting.measured import Measured

ERRORS = {"train_error": "training", "test_error": "test", "error_after": "training samples, after the epoch"}
"""What errors are of, by their fields."""

_WARNINGS = 20


def error_name(measured: Measured) -> str:
    """What an error is a percentage of."""
    form = measured.form
    return "variance unexplained" if form is not None and form.classes is None else "samples not predicted"


def curve(title: str, named: Mapping[str, tuple[Sequence[Any], Sequence[Any]]], label: str, told: str) -> Element:
    """Curves over the epochs."""
    values = [v for _, y in named.values() for v in y]
    epochs = max((len(x) for x, _ in named.values()), default=0)
    return figure(title, lines(named), told, x=epoch_axis(epochs), y=axis(label, values), showlegend=True)


def training_section(measured: Measured) -> Section:
    """Of any run."""
    metrics, epochs = measured.run.metrics, measured.configuration.epochs
    if not metrics:
        return Section("Training", [paragraph(f"No epoch of {epochs} is finished yet: there are no curves.")])
    last = metrics[-1]
    seconds = sum(r["seconds"] for r in metrics)
    body = [paragraph(f"{len(metrics)} of {epochs} epochs are done, in {seconds:.1f} s of training steps.")]
    body.append(_curve(metrics, "Training loss", {"train_loss": "training loss"}, "loss"))
    named = {name: [None if (v := r.get(name)) is None else 100 * v for r in metrics] for name in ERRORS}
    x = [r["epoch"] for r in metrics]
    shown = {ERRORS[k]: (x, v) for k, v in named.items() if any(e is not None for e in v)}
    finals = ", ".join(f"{name} {values[-1]:.2f} %" for name, (_, values) in shown.items() if values[-1] is not None)
    body.append(curve("Errors", shown, f"{error_name(measured)} [%]", f"At the end: {finals}."))
    if last.get("residual") is not None:
        fields = {"residual": "largest residual of the probe", "tolerance": "tolerance"}
        body.append(_curve(metrics, "Kirchhoff residual", fields, "relative residual"))
    if last.get("sweeps") is not None:
        body.append(_curve(metrics, "Sweeps an update", {"sweeps": "sweeps, or Newton steps"}, "mean number"))
    body += _health(metrics)
    if last.get("residual") is not None:
        body.append(_shortages(metrics))
    return Section("Training", body + _warnings(metrics))


def _curve(metrics: list[Metrics], title: str, fields: dict[str, str], label: str) -> Element:
    x = [r["epoch"] for r in metrics]
    named = {name: (x, [r.get(field) for r in metrics]) for field, name in fields.items()}
    first, last = (r.get(next(iter(fields))) for r in (metrics[0], metrics[-1]))
    ends = f"From {quantity(first)} after epoch 1 to {quantity(last)} after epoch {x[-1]}."
    return curve(title, named, label, ends)


def _warnings(metrics: list[Metrics]) -> list[Element]:
    """Each once, with the epochs that had it."""
    epochs: dict[str, list[str]] = {}
    for record in metrics:
        for warning in record.get("warnings", ()):
            epochs.setdefault(warning, []).append(str(record["epoch"]))
    listed = list(epochs.items())[-_WARNINGS:]
    told = [element("li", f"{w} (epoch {', '.join(e[:10])}{', …' if len(e) > 10 else ''})") for w, e in listed]
    of = f"the last {len(told)} of {len(epochs)}" if len(told) < len(epochs) else str(len(told))
    return [subheading(f"Warnings: {of}"), element("ul", *told)] if told else []


def _shortages(metrics: list[Metrics]) -> Element:
    fields = ("above_tolerance", "probed", "out_of_sweeps", "test_out_of_sweeps")
    columns = ("epoch", "above the tolerance", "of probed", "out of sweeps in training", "in the test")
    rows = [[r["epoch"], *(r.get(f) for f in fields)] for r in metrics]
    bad = [row for row in rows if any(row[k] for k in (1, 3, 4))]
    few = bad[-30:] or rows[-1:]
    of = f"{len(bad)} of {len(rows)} epochs had any; " if bad else "no epoch had any; "
    return table(f"Operating points that missed their tolerance: {of}{len(few)} shown", columns, few)


def _health(metrics: list[Metrics]) -> list[Element]:
    """Signal, and the gradient beside the exact one, layer by layer."""
    body = []
    if metrics[-1].get("signal") is not None:
        fields = {"signal": "signal", "signal_rounding": "uncertain by rounding or tolerance"}
        body.append(_curve(metrics, "Signal between the phases", fields, "relative to predictions"))
    x = [r["epoch"] for r in metrics]
    titles = {
        "gradient_cosine": ("Gradient: angle to the exact one", "cosine, 1 is best"),
        "gradient_ratio": ("Gradient: length beside the exact one", "ratio, 1 is best"),
    }
    for field, (title, label) in titles.items():
        if not metrics[-1].get(field):
            continue
        layers = range(len(metrics[-1][field]))
        named = {f"layer {k + 1}": (x, [r.get(field) and r[field][k] for r in metrics]) for k in layers}
        told = ", ".join(f"layer {k + 1} {quantity(metrics[-1][field][k])}" for k in layers)
        body.append(curve(title, named, label, f"After epoch {x[-1]}: {told}."))
    return body

"""What a network gets right and wrong: confusions and misread samples, or predictions against targets."""

import io

import numpy as np

from mho.reporting.document import (
    Element,
    Section,
    axis,
    data_address,
    figure,
    paragraph,
    pictures,
    plain,
    quantity,
    subheading,
    table,
)
from mho.reporting.measured import Measured

_POINTS = 1000
"""Of a scatter, at the most."""


def predictions_section(measured: Measured, images: int) -> Section:
    """Of a run whose data are there; of others why not.

    Args:
        measured: the run.
        images: misread samples that are shown, at the most.
    """
    if measured.answers is None:
        return Section("Predictions", [paragraph(f"Nothing is known of its predictions: {measured.missing}.")])
    error = "no variance to explain" if measured.error is None else f"error {measured.error:.2%}"
    body = [paragraph(f"Of {measured.tested_on}, in float64: {error}.")]
    assert measured.dataset is not None
    if measured.dataset.classes is None:
        return Section("Predictions", body + _scatter(measured))
    return Section("Predictions", body + _confusion(measured) + _misread(measured, images))


def _scatter(measured: Measured) -> list[Element]:
    assert measured.answers is not None and measured.dataset is not None
    form, answers = measured.dataset.form, measured.answers
    told = form.told(answers.prediction, measured.run.target_voltage)
    wanted = form.target_scaling.undo(answers.expected)
    shown = np.linspace(0, len(told) - 1, min(len(told), _POINTS)).astype(int)
    body = []
    for k, label in enumerate(form.labels[:8]):
        x, y = wanted[shown, k], told[shown, k]
        ends = [float(min(x.min(), y.min())), float(max(x.max(), y.max()))]
        off = float(np.sqrt(np.mean((told[:, k] - wanted[:, k]) ** 2)))
        points = {"type": "scatter", "mode": "markers", "name": "samples", "x": x, "y": y, "marker": {"opacity": 0.7}}
        line = {"type": "scatter", "mode": "lines", "name": "equal", "x": ends, "y": ends, "line": {"dash": "dash"}}
        said = f"Root mean square of the difference: {quantity(off)}; {len(shown)} of {len(told)} samples shown."
        title = f"Predicted and true {label}"
        body.append(figure(title, [points, line], said, x=axis(f"true {label}"), y=axis(f"predicted {label}")))
    return body


def _confusion(measured: Measured) -> list[Element]:
    assert measured.answers is not None and measured.dataset is not None
    labels, true, read = measured.dataset.form.labels, measured.answers.expected, measured.classes
    counts = np.zeros((len(labels), len(labels)), int)
    np.add.at(counts, (true, read), 1)
    right, there, told = np.diag(counts), counts.sum(1), counts.sum(0)
    rows = []
    for k, label in enumerate(labels):
        rates = [
            (float(a), f"{a:.1%}") if n else (None, "–")
            for a, n in ((right[k] / n if n else 0.0, n) for n in (there[k], told[k]))
        ]
        away = counts[k].copy()
        away[k] = 0
        worst = f"{labels[int(away.argmax())]} ({away.max()})" if away.max() else "–"
        rows.append([label, int(there[k]), int(right[k]), *rates, worst])
    columns = ("class", "samples", "read right", "recall", "precision", "most often misread as")
    heat = {
        "type": "heatmap",
        "z": np.where(counts > 0, counts / np.maximum(there[:, None], 1), np.nan),
        "x": (names := [f"{plain(label)} " for label in labels]),  # the blank keeps numerals names
        "y": names,
        "text": counts,
        "texttemplate": "%{text}" if len(labels) <= 20 else "",
        "hovertemplate": "true %{y}, read %{x}: %{text} samples<extra></extra>",
        "colorscale": "Blues",
        "zmin": 0,
        "zmax": 1,
        "colorbar": {"title": {"text": "share"}, "thickness": 12},
    }
    said = f"{int(right.sum()):,} of {int(there.sum()):,} samples lie on the diagonal."
    y = axis("true class", autorange="reversed", type="category")
    shown = figure("Confusion matrix", [heat], said, x=axis("read as", type="category"), y=y, height=460)
    return [shown, table("Classes, one by one", columns, rows)]


def _misread(measured: Measured, images: int) -> list[Element]:
    assert measured.answers is not None and measured.dataset is not None
    answers, labels, shape = measured.answers, measured.dataset.form.labels, measured.dataset.image_shape
    wrong = np.flatnonzero(measured.classes != answers.expected)
    if shape is None:
        return []
    if not len(wrong):
        return [paragraph("No sample was misread.")]
    shown = wrong[np.linspace(0, len(wrong) - 1, min(len(wrong), images)).astype(int)]
    found = []
    for k in shown:
        true, read, number = labels[int(answers.expected[k])], labels[int(measured.classes[k])], answers.number[k]
        picture = np.asarray(measured.dataset.test_inputs[number], np.float64).reshape(shape[2], *shape[:2])
        found.append((address(grey(picture)), f"sample {number}: a {true}, read as {read}", f"{true} → {read}"))
    return [
        subheading(f"Misread samples: {len(shown)} of {len(wrong):,}"),
        paragraph("True class → class that was read."),
        pictures(found),
    ]


def grey(planes: np.ndarray) -> np.ndarray:
    """Planes of an image, (channels, height, width), as bytes: (height, width), or (height, width, 3) of three."""
    low, high = planes.min(), planes.max()
    bytes_ = np.round(255 * (planes - low) / (high - low if high > low else 1.0)).astype(np.uint8)
    return np.moveaxis(bytes_, 0, -1) if len(bytes_) == 3 else bytes_.mean(0).astype(np.uint8)


def address(pixels: np.ndarray) -> str:
    """A picture as the address of itself."""
    from PIL import Image

    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG", optimize=True)
    return data_address(content.getvalue(), "image/png")

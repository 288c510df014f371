"""What all pictures of circuits share."""

from typing import Any

FONT = 7.5
"""Of names and values, in points."""
LINE = 1.0
"""Width of wires, in points."""
UNIT = 0.3
"""Inches that schemdraw's unit of length is on paper."""
VOLTAGE, CURRENT = "#1f5fa8", "#b02a30"
"""Colours of voltages and currents."""


def blank_axes(x: tuple[float, float], y: tuple[float, float]) -> tuple[Any, Any]:
    """Axes without a frame, of the size that schemdraw's units have on paper, and a drawing of symbols on them."""
    # Imported here: matplotlib takes a second, which a complaint need not wait for.
    import schemdraw
    from matplotlib.figure import Figure

    figure = Figure(figsize=(UNIT * (x[1] - x[0]), UNIT * (y[1] - y[0])))
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set(xlim=x, ylim=y, aspect="equal", autoscale_on=False)
    axes.axis("off")
    schemdraw.use("matplotlib")
    drawing = schemdraw.Drawing(canvas=axes, show=False)
    drawing.config(unit=2.0, inches_per_unit=UNIT, fontsize=FONT, lw=LINE, margin=0)
    return axes, drawing

"""Parts of the page: elements of HTML, tables that sort, and figures that zoom, each with its numbers in text."""

import base64
import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

import numpy as np

from mho.engineering import engineering

Element = ElementTree.Element
Child = Element | str

_COLOURS = ("#1f5fa8", "#b3401b", "#2d7a3e", "#6b3fa0", "#8a6100", "#a0305f", "#3f6f78", "#555555")
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
_SYMBOLS = ("circle", "square", "diamond", "cross", "triangle-up", "x", "star", "triangle-down")
_DECADES = 1.3
"""That values span at least where their axis is logarithmic."""
_LONG = 40
"""Characters beyond which a cell of a table is kept wide."""
_MARKED = 60
"""Points up to which a line shows them."""


@dataclass(frozen=True)
class Section:
    """A part of the page with a heading of its own."""

    title: str
    body: list[Element] = field(default_factory=list)


def element(tag: str, *children: Child, **attributes: str) -> Element:
    """An element of HTML; in names of attributes `_` stands for `-`, and `class_` for `class`."""
    made = Element(tag, {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()})
    last: Element | None = None
    for child in children:
        if not isinstance(child, str):
            made.append(child)
            last = child
        elif last is None:
            made.text = (made.text or "") + child
        else:
            last.tail = (last.tail or "") + child
    return made


def paragraph(text: str, **attributes: str) -> Element:
    """A line or more of text."""
    return element("p", text, **attributes)


def subheading(text: str) -> Element:
    """A heading within a section; the page gives it its level."""
    return element("h", text)


def quantity(value: float | None, unit: str = "") -> str:
    """A number to four digits with its unit; a dash for none."""
    return "–" if value is None or np.isnan(value) else engineering(float(value), unit, 4)


def data_address(content: bytes, kind: str) -> str:
    """A file of a media type as the address of itself."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def table(caption: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Element:
    """A table whose columns sort; what is no text is a number, None for none, or a pair of a number and its text."""
    head = element("tr", *(element("th", element("button", name, type="button"), scope="col") for name in columns))
    made = [element("tr", *(_cell(value, k == 0) for k, value in enumerate(row))) for row in rows]
    whole = element("table", element("caption", caption), element("thead", head), element("tbody", *made))
    return element("div", whole, class_="wide", tabindex="0", role="region", aria_label=caption)


def _cell(value: Any, heads: bool) -> Element:
    attributes = {"scope": "row"} if heads else {}
    if isinstance(value, tuple):
        attributes["data_value"] = repr(float(value[0])) if value[0] is not None else ""
        text = value[1]
    elif isinstance(value, str):
        text = value
    else:
        attributes["data_value"] = "" if value is None else repr(float(value))
        text = "–" if value is None else f"{value:,}" if isinstance(value, int) else quantity(float(value))
    if "data_value" in attributes:
        attributes["class_"] = "number"
    elif len(text) > _LONG:
        attributes["class_"] = "long"
    return element("th" if heads else "td", text, **attributes)


def pictures(pairs: Sequence[tuple[str, str, str]]) -> Element:
    """Small pictures side by side: the address, the alternative text and the caption of each."""
    shown = [element("figure", element("img", src=at, alt=alt), element("figcaption", c)) for at, alt, c in pairs]
    return element("div", *shown, class_="pictures")


def plain(text: str) -> str:
    """A text in a figure, which plotly.js would else read as HTML."""
    return html.escape(text, quote=False)


def axis(title: str, values: Sequence[Any] | np.ndarray = (), *, unit: str = "", **settings: Any) -> dict[str, Any]:
    """An axis of a figure: logarithmic where all values are positive and span decades; a unit gets its prefix."""
    given = np.array([v for v in values if v is not None], float)
    given = given[np.isfinite(given)]
    made: dict[str, Any] = {
        "title": {"text": plain(f"{title} [{unit}]" if unit else title), "standoff": 6},
        "automargin": True,
    }
    if given.size and given.min() > 0 and np.log10(given.max() / given.min()) >= _DECADES:
        made |= {
            "type": "log",
            "exponentformat": "power",
            "dtick": max(1, int(np.log10(given.max() / given.min()) // 6)),
        }
    if unit and "type" not in made:
        made |= {"exponentformat": "SI", "minexponent": 0}
    return made | settings


def epoch_axis(epochs: int) -> dict[str, Any]:
    """The axis of the epochs, ticks at whole ones."""
    return {"title": {"text": "epoch", "standoff": 6}, "tickformat": "d"} | ({"dtick": 1} if epochs <= 10 else {})


def lines(named: Mapping[str, tuple[Sequence[Any], Sequence[Any]]], **settings: Any) -> list[dict[str, Any]]:
    """Curves by their names, from their x and y: told apart by dashes and marks as well as by colours."""
    return [
        {
            "type": "scatter",
            "mode": "lines+markers" if len(x) <= _MARKED else "lines",
            "name": plain(name),
            "x": list(x),
            "y": list(y),
            "line": {"color": _COLOURS[k % len(_COLOURS)], "dash": _DASHES[k % len(_DASHES)]},
            "marker": {"symbol": _SYMBOLS[k % len(_SYMBOLS)], "size": 7},
        }
        | settings
        for k, (name, (x, y)) in enumerate(named.items())
    ]


def figure(
    title: str,
    traces: Sequence[dict[str, Any]],
    told: str,
    *,
    x: dict[str, Any] | None = None,
    y: dict[str, Any] | None = None,
    height: int = 340,
    **layout: Any,
) -> Element:
    """A figure of plotly.js.

    Args:
        title: its heading.
        traces: what plotly calls so.
        told: its key numbers in text, which stand below it.
        x: the horizontal axis.
        y: the vertical axis.
        height: of it in pixels.
        layout: plotly's further settings.
    """
    import plotly.graph_objects as plotly

    given = {
        "template": "none",
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": "#1a1a1a"},
        "margin": {"l": 56, "r": 16, "t": 34, "b": 48},
        "height": height,
        "colorway": _COLOURS,
        "showlegend": len(traces) > 1,
        "legend": {"orientation": "h", "yanchor": "top", "y": -0.25, "x": 0},
        "modebar": {"remove": ["lasso2d", "select2d"], "color": "#5a6570", "activecolor": "#0b4f9c"},
        "xaxis": x or {},
        "yaxis": y or {},
    }
    content = plotly.Figure(data=list(traces), layout=given | layout).to_json() or ""
    holder = element("div", class_="plot", role="img", aria_label=f"{title}. {told}", style=f"min-height:{height}px")
    data = element("script", content.replace("</", "<\\/"), type="application/json")
    return element("figure", element("figcaption", element("strong", title), f" {told}"), holder, data, class_="drawn")

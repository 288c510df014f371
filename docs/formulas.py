"""Formulas between dollars become MathML when the pages are built, which browsers draw by themselves."""

import re
from typing import Any

from latex2mathml.converter import convert

_CODE = re.compile(r"(^```.*?^```|`[^`\n]*`)", re.DOTALL | re.MULTILINE)
_DISPLAY, _INLINE = re.compile(r"\$\$(.+?)\$\$", re.DOTALL), re.compile(r"\$(\S[^$]*?)\$")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Called by MkDocs for each page."""
    parts = _CODE.split(markdown)
    # Code stands at the odd places.
    return "".join(part if place % 2 else _formulas(part) for place, part in enumerate(parts))


def _formulas(text: str) -> str:
    text = _DISPLAY.sub(lambda found: "\n" + convert(found[1].strip(), display="block") + "\n", text)
    # In a span: at a line's start Markdown takes <math> for a block of its own.
    return _INLINE.sub(lambda found: f"<span>{convert(found[1])}</span>", text)

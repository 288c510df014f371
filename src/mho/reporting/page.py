"""The page: sections of one run or several, with plotly.js and all else that it needs inside."""

import base64
import gzip
import html
import os
from collections.abc import Iterable
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from string import Template
from xml.etree import ElementTree

from mho.errors import InputError
from mho.experiments.atomic_file import write_atomically
from mho.experiments.prediction import Run
from mho.experiments.progress import Quiet, Show
from mho.reporting.circuit import circuit_section
from mho.reporting.comparison import comparison_section
from mho.reporting.conductances import conductances_section
from mho.reporting.document import Element, Section, element
from mho.reporting.measured import Measured, measure
from mho.reporting.operating_points import operating_section
from mho.reporting.predictions import predictions_section
from mho.reporting.settings import settings_section, versions
from mho.reporting.training_curves import training_section

_IMAGES = 100
"""Small pictures of a kind that are shown of one run; several runs share them."""

Subject = Run | str | os.PathLike[str]


def report(
    runs: Subject | Iterable[Subject], out: str | os.PathLike[str] | None = None, *, show: Show | None = None
) -> Path:
    """Write what a run is, learned and does, or several runs compared, as one HTML page that needs no network.

    Args:
        runs: a run, or several: folders, checkpoints, or what `mho.load` gave.
        out: the page to write; report.html in the folder of the first run if None.
        show: shows what takes time; nothing is shown if it is None.

    Returns:
        The page that was written.

    Raises:
        InputError: if there is no such run or no checkpoint, or the page cannot be written.
    """
    given = [runs] if isinstance(runs, Run | str | os.PathLike) else list(runs)
    if not given:
        raise InputError("report: names no run")
    found = []
    for run in given:
        run = run if isinstance(run, Run) else Path(run)
        (show or Quiet()).line(f"measuring {run.folder if isinstance(run, Run) else run}")
        found.append(measure(run))
    if len({run.name for run in found}) < len(found):
        found = [replace(run, name=str(run.run.folder)) for run in found]
    path = Path(out) if out is not None else found[0].run.folder / "report.html"
    text = page(found)
    try:
        write_atomically(path, lambda file: file.write(text.encode(errors="replace")))
    except BrokenPipeError:
        raise
    except OSError as problem:
        raise InputError(f"{path}: cannot be written: {problem.strerror}") from problem
    return path


def page(runs: list[Measured]) -> str:
    """The page's HTML."""
    images = max(6, _IMAGES // len(runs))
    title = f"mho: {runs[0].name}" if len(runs) == 1 else f"mho: {len(runs)} runs compared"
    if len(runs) == 1:
        shown = [(f"s{k}", section, 2) for k, section in enumerate(_sections(runs[0], images))]
    else:
        shown = [("c", comparison_section(runs), 2)]
        for n, run in enumerate(runs):
            shown.append((f"r{n}", Section(f"Run {run.name}"), 2))
            shown += [(f"r{n}s{k}", section, 3) for k, section in enumerate(_sections(run, images))]
    contents = element(
        "ul", *(element("li", element("a", s.title, href=f"#{i}")) for i, s, level in shown if level == 2)
    )
    body = "\n".join(_written(*part) for part in shown)
    script = files("plotly").joinpath("package_data", "plotly.min.js").read_bytes()
    return Template(files("mho.reporting").joinpath("page.html").read_text(encoding="utf-8")).substitute(
        title=html.escape(title),
        contents=_text(contents),
        body=body,
        versions=html.escape(versions()),
        plotly=base64.b64encode(gzip.compress(script, 9, mtime=0)).decode(),
    )


def _sections(run: Measured, images: int) -> list[Section]:
    made = (
        circuit_section(run),
        training_section(run),
        predictions_section(run, images),
        conductances_section(run, images),
        operating_section(run),
        settings_section(run),
    )
    return [section for section in made if section is not None]


def _written(name: str, section: Section, level: int) -> str:
    heading = element(f"h{level}", section.title, id=f"{name}-title")
    whole = element("section", heading, *section.body, id=name, aria_labelledby=f"{name}-title")
    for below in whole.iter("h"):
        below.tag = f"h{level + 1}"
    return _text(whole)


def _text(made: Element) -> str:
    return ElementTree.tostring(made, encoding="unicode", method="html")

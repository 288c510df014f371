"""`mho report`: its page in a browser and what it says in text."""

import os
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import mho
from mho.command import main
from mho.experiments.configuration import AnalogConfiguration
from mho.experiments.registry import EXPERIMENTS
from mho.experiments.training import train

pytestmark = pytest.mark.usefixtures("compiled_in_haste")

DIGITS = AnalogConfiguration(
    dataset="digits",
    hidden=(12,),
    element="shockley",
    gains=(4.0,),
    paired_outputs=True,
    upper=1.0,
    learning_rates=(1e-2,),
    beta=0.1,
    input_gain=5.0,
    epochs=2,
)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A layered network that reads images, and a circuit that learns a regression."""
    folder = tmp_path_factory.mktemp("runs")
    train("mine", DIGITS, folder / "digits")
    train("linear-regression", EXPERIMENTS["linear-regression"].configuration, folder / "linear")
    return folder / "digits", folder / "linear"


class Outline(HTMLParser):
    """What a screen reader goes by."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.headings: list[int] = []
        self.without: list[str] = []
        self.lang: str | None = None
        self.waiting: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "html":
            self.lang = given.get("lang")
        if re.fullmatch(r"h\d", tag):
            self.headings.append(int(tag[1]))
        if tag == "img" and not given.get("alt"):
            self.without.append("img alt")
        if "plot" in (given.get("class") or "").split() and not given.get("aria-label"):
            self.without.append("plot aria-label")
        if tag in ("table", "figure"):
            self.waiting.append({"table": "caption", "figure": "figcaption"}[tag])
        if self.waiting and tag == self.waiting[-1]:
            self.waiting[-1] = ""

    def handle_endtag(self, tag: str) -> None:
        if tag in ("table", "figure") and (left := self.waiting.pop()):
            self.without.append(f"{tag} {left}")


def test_the_page_tells_all_in_text(runs: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    digits, linear = runs
    assert main(["report", str(digits)]) == 0
    assert capsys.readouterr().out == f"wrote {digits / 'report.html'}\n"
    text = (digits / "report.html").read_text()
    outline = Outline(text)
    assert outline.lang == "en" and not outline.without
    assert outline.headings[0] == 1 and max(np.diff(outline.headings)) <= 1
    error = mho.load(digits).metrics[-1]["test_error"]
    assert f"error {error:.2%}." in text
    wrong = round(error * 360)
    assert f"Misread samples: {min(wrong, 100)} of {wrong}" in text and "Receptive fields: 12 of 12 nodes" in text
    sections = re.findall(r"<h2[^>]*>([^<]*)", text)
    assert sections == ["Circuit", "Training", "Predictions", "Conductances", "Operating points", "Configuration"]
    assert not re.search(r"(src|href)=\"(?!data:|#)", text), "the page asks for something outside"
    assert len(text) < 4e6
    # Without a finished epoch, and without data, there is a page of what there is.
    bare = digits.with_name("bare")
    shutil.copytree(digits, bare)
    (bare / "metrics.jsonl").unlink()
    text = mho.report(mho.load(bare)).read_text()
    assert "No epoch of 2 is finished yet" in text
    both = mho.report([digits, linear], linear / "both.html").read_text()
    assert ">Comparison<" in both and ">Run digits<" in both and "Predicted and true" in both
    assert not Outline(both).without and max(np.diff(Outline(both).headings)) <= 1


def browser() -> str:
    """Chromium without a window; where CI is set it has to be there."""
    for name in ("chromium-headless-shell", "chromium", "google-chrome"):
        if (found := shutil.which(name)) is not None:
            return found
    reason = "no Chromium opens the report: install chromium-headless-shell"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def opened(page: Path, width: int, *given: str) -> subprocess.CompletedProcess[str]:
    """The page in a browser of a window so wide."""
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--enable-logging=stderr"]
    command = [browser(), *options, f"--window-size={width},4000", "--virtual-time-budget=30000", *given, page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


TRY = """<script>setInterval(() => {
  if (document.body.dataset.drawn === undefined) return;
  document.body.dataset.width = document.documentElement.scrollWidth;
  const head = [...document.querySelectorAll("th button")].find(b => b.textContent === "recall");
  const cells = () => [...head.closest("table").tBodies[0].rows].map(r => r.cells[3].dataset.value);
  if (document.body.dataset.sorted) return;
  head.click(); document.body.dataset.sorted = cells().join(" ");
}, 50)</script>"""


def test_a_browser_draws_it_without_complaint_on_desks_and_phones(runs: tuple[Path, Path], tmp_path: Path) -> None:
    text = mho.report(runs[0], tmp_path / "page.html").read_text()
    (tmp_path / "page.html").write_text(text + TRY)
    for width in (1280, 375):
        picture = tmp_path / f"{width}.png"
        shown = opened(tmp_path / "page.html", width, "--dump-dom", f"--screenshot={picture}")
        body = re.search(r"<body[^>]*>", shown.stdout)
        assert body is not None, shown.stderr
        found = dict(re.findall(r'data-(\w+)="([^"]*)"', body[0]))
        assert int(found["drawn"]) >= text.count('class="plot"') > 10
        assert int(found["width"]) <= width, "the page is wider than the window"
        recalls = [float(v) for v in found["sorted"].split()]
        assert len(recalls) == 10 and recalls == sorted(recalls)
        assert "CONSOLE" not in shown.stderr, shown.stderr
        pixels = np.asarray(Image.open(picture).convert("RGB"))
        assert pixels.shape[:2] == (4000, width)
        # Ink in every part of the screen, and the curves' colour.
        assert all((part < 128).any() for part in np.array_split(pixels, 10))
        assert np.all(np.abs(pixels.astype(int) - (0x1F, 0x5F, 0xA8)) < 8, -1).sum() > 200

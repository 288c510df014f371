"""The README's and the documentation's examples run as a reader would type them; their commands and options exist."""

import dataclasses
import functools
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mho.command import SUBCOMMANDS
from mho.experiments.configuration import NetlistConfiguration
from mho.experiments.registry import EXPERIMENTS, NETLISTS

pytestmark = pytest.mark.usefixtures("compiled_in_haste")

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md")])
_BLOCK = r"^```{}\n(.*?)^```"


def blocks(page: Path, kind: str) -> list[str]:
    return re.findall(_BLOCK.format(kind), page.read_text(), re.DOTALL | re.MULTILINE)


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p, "python")], ids=named)
def test_examples_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict = {"__name__": "__main__"}
    for block in blocks(page, "python"):
        exec(compile(block, named(page), "exec"), names)
    if page.name == "python.md":
        assert names["solution"].voltages[-1].shape == (1, 2) and np.all(names["solution"].residual <= 1e-12)
        # An untrained divider halves 1 V; this one was to give 0.8 of it.
        assert 200 < float(re.search(r"R1 in out (\S+)", names["text"])[1]) < 300  # type: ignore[index]
        assert int(names["unconverged"]) == 0
        assert names["costs"][-1] < 0.8 * names["costs"][0]


def commands() -> list[tuple[str, str]]:
    lines = [(named(page), line) for page in PAGES for block in blocks(page, "console") for line in block.splitlines()]
    return [(page, line) for page, line in lines if line.startswith("mho ")]


@functools.cache
def help_of(subcommand: str) -> str:
    of = ["drn-digits"] if subcommand in ("train", "sweep") else []
    ran = subprocess.run(
        [sys.executable, "-m", "mho", subcommand, *of, "--help"],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"COLUMNS": "200"},
    )
    return ran.stdout


def kind_of(experiment: str) -> type:
    if experiment.endswith(NETLISTS):
        return NetlistConfiguration
    named = "drn-digits" if experiment.startswith("runs/") or experiment.endswith(".toml") else experiment
    return type(EXPERIMENTS[named].configuration)


@pytest.mark.parametrize(("page", "line"), commands())
def test_commands_and_their_options_exist(page: str, line: str) -> None:
    _, subcommand, *given = shlex.split(line, comments=True)
    assert subcommand in SUBCOMMANDS, page
    options = [word.partition("=")[0] for word in given if word.startswith("--")]
    if subcommand in ("train", "sweep") and given and not given[0].startswith("-"):
        fields = {"--" + field.name.replace("_", "-") for field in dataclasses.fields(kind_of(given[0]))}
        options = [option for option in options if option not in fields]
    for option in options:
        assert option in help_of(subcommand), f"{page}: {line}"

"""Reproductions: papers' tables are experiments that can be trained, and published stands beside measured."""

import csv
from pathlib import Path

import pytest

import mho
from mho.command import main
from mho.experiments.paper import paper_names, read_paper

pytestmark = pytest.mark.usefixtures("compiled_in_haste")


@pytest.mark.parametrize("name", paper_names())
def test_rows_of_a_paper_can_be_trained_and_say_where_their_figures_stand(name: str) -> None:
    paper = read_paper(name)
    assert all((row.published is None) == (row.where == "") for row in paper.rows)
    assert all(row.published is None for row in paper.rows if row.part == "quick") and "quick" in paper.parts
    assert len({(row.network, row.part) for row in paper.rows}) == len(paper.rows)


def test_published_errors_of_scellier_2024() -> None:
    found = {(row.part, row.configuration.rule): row.published for row in read_paper("scellier2024").of(())}  # type: ignore[attr-defined]
    by = {"equilibrium-propagation": [3.46, 1.57, 1.48, 1.66, 1.33], "implicit": [3.30, 1.54, 1.45, 1.50, 1.30]}
    for rule, errors in by.items():
        assert [found[part, rule] for part in ("xs", "1h", "2h", "3h", "xl")] == errors


def test_a_part_is_trained_once_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    command = ["reproduce", "scellier2024", "--part", "quick", "--seeds", "0..1"]
    assert main(command) == 0
    first = capsys.readouterr().out
    (line,) = csv.DictReader((tmp_path / "reproductions/scellier2024/results.csv").read_text().splitlines())
    assert line["published"] == "" and float(line["measured"]) < 15.0 and line["seeds"] == "2"
    assert (tmp_path / "reproductions/scellier2024/results.png").stat().st_size > 10_000
    assert f"{float(line['measured']):.2f} ± {float(line['deviation']):.2f} % (2)" in first
    (again,) = mho.reproduce("scellier2024", ["quick"], seeds=range(2), progress=False)
    assert again.mean == pytest.approx(float(line["measured"]), abs=1e-3)
    assert main(command) == 0
    captured = capsys.readouterr()
    assert captured.out == first and "nothing left to train" in captured.err


@pytest.mark.parametrize(
    ("given", "code", "told"),
    [
        (["scelier2024"], 2, "unknown paper 'scelier2024': did you mean scellier2024?"),
        (["scellier2024", "--part", "xs", "--part", "4h"], 2, "--part 4h: scellier2024 has xs, 1h, 2h, 3h, xl, quick"),
        (
            ["universal-drn", "--part", "kuzushiji"],
            1,
            "universal-drn: nothing to train: mho fetches no Kuzushiji-MNIST",
        ),
    ],
)
def test_what_cannot_be_reproduced_is_one_line(
    given: list[str], code: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["reproduce", *given]) == code
    assert capsys.readouterr().err == f"mho: {told}\n"

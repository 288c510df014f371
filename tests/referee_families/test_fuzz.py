"""A short run of hostile netlists through reader and solver, and proof that the run would tell."""

import warnings

import pytest

from mho.errors import InputError
from mho_benchmarks import fuzz
from mho_benchmarks.referee.hostile import HOSTILE, hostile_text

SAMPLES = 8


def test_hostile_netlists_end_in_an_answer_or_one_line():
    rows = fuzz.measure(samples=SAMPLES, seed=0)
    assert len(rows) == len(HOSTILE)
    assert not any(row["cases"] for row in rows), "\n".join(fuzz.table(rows))
    counts = {ended: sum(row["counts"].get(ended, 0) for row in rows) for ended in ("solved", "not read")}
    # Netlists that are all read, or none, would try one half of the way alone.
    assert min(counts.values()) >= 0.15 * SAMPLES * len(HOSTILE)


@pytest.mark.parametrize("family", ["sentences", "edited sentences", "bridge"])
def test_a_seed_gives_one_netlist(family):
    assert hostile_text(family, 3) == hostile_text(family, 3) != hostile_text(family, 4)


@pytest.mark.parametrize(
    ("raised", "ended"),
    [
        (ZeroDivisionError("division by zero"), "traceback"),
        (MemoryError(), "traceback"),
        (InputError("two\nlines"), "traceback"),
        (InputError(""), "traceback"),
        (InputError("d1: no"), "not solved"),
    ],
)
def test_what_is_no_clear_line_is_told(monkeypatch, raised, ended):
    def fails(*_, **__):
        raise raised

    monkeypatch.setattr("mho.steady.newton.solve_circuit", fails)
    assert fuzz.outcome("t\nv1 a 0 1\nr1 a 0 1\n")[0] == ended


def _dies(work, told):
    told.send("started")
    for k, _ in enumerate(work):
        if k == 1:
            raise SystemExit(3)
        told.send(("solved", 0.0, ""))


def test_a_process_that_dies_is_counted_and_replaced(monkeypatch):
    monkeypatch.setattr(fuzz, "_go_through", _dies)
    (row,) = fuzz.measure(samples=4, families=["characters"])
    assert row["counts"] == {"solved": 2, "died": 2}


@pytest.mark.parametrize(
    "card",
    [
        ".temp 1e200",
        ".options tnom=1e200",
        "r2 a 0 4.9e-324",
        "b1 a 0 i=v(a) tc2=1 temp=1e200",
        "i1 0 a 1e400",
        f"r2 a 0 {'9' * 400}",
        ".param k={10**400}\nr2 a 0 {k}",
    ],
)
def test_what_once_ended_in_a_traceback_or_a_warning(card):
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        assert fuzz.outcome(f"t\nv1 a 0 1\nr1 a b 1\nd1 b 0 d\n.model d d\n{card}\n")[0] in ("not read", "not solved")

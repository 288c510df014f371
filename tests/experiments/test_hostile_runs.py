"""Runs whose files hold anything: each is read, or refused in one line that names the file."""

import dataclasses
import io
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mho.errors import InputError, MhoError
from mho.experiments.checkpoint_names import at_start, checkpoint_name, checkpoints
from mho.experiments.configuration import BaselineConfiguration
from mho.experiments.found_runs import trained_network
from mho.experiments.run import checkpoint_folder, read_configuration, read_metrics
from mho.experiments.training import resume, train

SETTINGS = BaselineConfiguration(dataset="iris", hidden=(4,), epochs=2, batch_size=11, learning_rates=(0.1,))

ANYTHING: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    1,
    2**31,
    10**400,
    1e308,
    math.nan,
    math.inf,
    "",
    "iris",
    "\0",
    "é" * 300,
    [],
    [[[[[]]]]],
    [1, "a", None],
    {},
    {"a": {"b": [math.nan]}},
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sound") / "run"
    train("iris", SETTINGS, folder)
    return folder


@pytest.fixture
def copied(run: Path, tmp_path: Path) -> Path:
    shutil.copytree(run, tmp_path / "run")
    return tmp_path / "run"


def read_or_refused(work: Callable[[], object]) -> str | None:
    """What an error says, in one line; any other exception than the project's own fails the test."""
    try:
        work()
    except MhoError as problem:
        assert len(str(problem)) < 2000
        return str(problem)
    return None


def mutated_bytes(content: bytes, random: np.random.Generator) -> bytes:
    start, end = sorted(random.integers(0, len(content) + 1, 2).tolist())
    match random.integers(4):
        case 0:
            return content[:start]
        case 1:
            return content[:start] + content[end:]
        case 2:
            return content[:start] + random.bytes(5) + content[start:]
    return content[:start] + b"[" * int(random.integers(1, 100_000)) + content[end:]


def test_config_json_may_hold_anything(copied: Path) -> None:
    path = copied / "config.json"
    sound = path.read_bytes()
    fields = json.loads(sound)
    refused = 0
    for name in fields:
        for value in ANYTHING:
            path.write_text(json.dumps(fields | {name: value}))
            said = read_or_refused(lambda: trained_network(copied))
            assert said is None or "config.json" in said
            refused += said is not None
    assert refused > 0.9 * len(fields) * len(ANYTHING)
    random = np.random.default_rng(0)
    for _ in range(100):
        path.write_bytes(mutated_bytes(sound, random))
        read_or_refused(lambda: read_configuration(copied))
    for content in (b"", b"\xff\xfe", b"null", b"[]", b"9" * 5000, b'{"experiment": []}'):
        path.write_bytes(content)
        assert str(path) in (read_or_refused(lambda: read_configuration(copied)) or "")


def test_metrics_may_hold_anything_and_old_lines_are_read(copied: Path) -> None:
    path = copied / "metrics.jsonl"
    sound = path.read_bytes()
    first, second = read_metrics(copied)
    contract = ("epoch", "train_loss", "train_error", "test_error", "seconds", "residual")
    for name in contract:
        for value in ANYTHING:
            path.write_text(json.dumps(first | {name: value}) + "\n")
            said = read_or_refused(lambda: read_metrics(copied))
            assert said is None or f"{path}:1: " in said
            assert said is not None or value is None or isinstance(value, int | float)
    random = np.random.default_rng(0)
    for _ in range(100):
        path.write_bytes(mutated_bytes(sound, random))
        read_or_refused(lambda: read_metrics(copied))
    path.write_text("".join(json.dumps({name: m[name] for name in contract}) + "\n" for m in (first, second)) + '{"ep')
    assert [m["test_error"] for m in read_metrics(copied)] == [first["test_error"], second["test_error"]]


def rewritten(path: Path, about: object, changes: dict[str, np.ndarray]) -> bytes:
    with np.load(path) as archive:
        arrays = {name: archive[name] for name in archive.files}
    content = io.BytesIO()
    np.savez(content, **(arrays | {"about": np.array(json.dumps(about))} | changes))  # type: ignore[arg-type]
    return content.getvalue()


def test_checkpoints_may_hold_anything(copied: Path) -> None:
    newest = checkpoints(checkpoint_folder(copied))[0]
    with np.load(newest) as archive:
        about = json.loads(str(archive["about"]))
        names = [name for name in archive.files if name.startswith("network")]
    changes: list[bytes] = []
    for name in about:
        for value in ANYTHING:
            changes.append(rewritten(newest, about | {name: value}, {}))
    for value in ANYTHING:
        changes.append(rewritten(newest, value, {}))
    for name in names:
        for array in (np.zeros(0), np.zeros((2, 2), np.float64), np.array("a"), np.array(1)):
            changes.append(rewritten(newest, about, {name: array}))
    sound, refused = newest.read_bytes(), 0
    random = np.random.default_rng(0)
    changes += [mutated_bytes(sound, random) for _ in range(100)]
    for content in changes:
        newest.write_bytes(content)
        for work in (lambda: trained_network(copied), lambda: resume(copied)):
            said = read_or_refused(work)
            assert said is None or str(copied) in said
        refused += said is not None
    assert refused > 0.8 * len(changes)


def test_an_edited_configuration_is_not_exported(copied: Path) -> None:
    path = copied / "config.json"
    path.write_text(path.read_text().replace('"optimizer": "sgd"', '"optimizer": "adam"'))
    for work in (lambda: trained_network(copied), lambda: resume(copied, epochs=3)):
        with pytest.raises(InputError, match=r"config\.json: optimizer is adam, but the run was trained with sgd"):
            work()


def test_a_run_without_a_checkpoint_is_not_begun_anew(copied: Path) -> None:
    for path in checkpoints(checkpoint_folder(copied)):
        path.unlink()
    before = {path: path.read_bytes() for path in copied.rglob("*") if path.is_file() and path.name != ".lock"}
    with pytest.raises(InputError, match=r"has no checkpoint to go on from; begin it anew by mho train iris --out"):
        resume(copied)
    assert {path: path.read_bytes() for path in before} == before


def test_checkpoints_sort_by_number(tmp_path: Path) -> None:
    order = [(0, 0), (0, 7), (9, 0), (99_999, 0), (99_999, 10**9 + 1), (100_000, 0), (100_000, 3), (10**6, 0)]
    for epochs, step in reversed(order):
        (tmp_path / checkpoint_name(epochs, step)).touch()
    (tmp_path / "epochs-best.npz").touch()
    assert checkpoints(tmp_path) == [tmp_path / checkpoint_name(*reached) for reached in reversed(order)]
    assert [at_start(path) for path in checkpoints(tmp_path)] == [False] * (len(order) - 1) + [True]


def test_a_run_that_fails_at_its_start_leaves_nothing_in_the_way(tmp_path: Path) -> None:
    folder = tmp_path / "made" / "run"
    wrong = dataclasses.replace(SETTINGS, learning_rates=(1e38,))
    with pytest.raises(MhoError, match=r"ceased to be finite in epoch 1.*there is no checkpoint yet"):
        train("iris", wrong, folder)
    assert not list(tmp_path.iterdir())
    folder.mkdir(parents=True)
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(MhoError, match="ceased to be finite"):
        train("iris", wrong, folder)
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]
    train("iris", dataclasses.replace(SETTINGS, epochs=1), folder)
    assert (folder / "notes.txt").read_text() == "mine" and len(read_metrics(folder)) == 1

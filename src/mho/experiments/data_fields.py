"""What of a configuration says which data are learned from, and how they are read."""

import math
import os
from dataclasses import dataclass
from typing import Literal

from mho.errors import InputError

InputScaling = Literal["none", "standard", "range"]
"""Scalings by name: see `mho.experiments.data.scaling.scaled`."""
Task = Literal["classification", "regression"]

_TABLES, _ARCHIVES = (".csv", ".tsv", ".txt"), (".npz",)
_OF_FILES = ("target", "test_dataset", "test_share", "task")
"""Fields that a data set with a name has no use for."""


NAMED = ("mnist", "fashion-mnist", "digits", "iris", "wine", "xor", "diabetes", "linear", "allosteric")
"""The keys of `mho.experiments.data.DATASETS`, known without loading JAX. A folder of such a name is ./NAME."""


def is_file(dataset: str) -> bool:
    """Whether a data set is named by its file or folder, as a separator in the name, its ending or such a folder tells."""
    if dataset in NAMED:
        return False
    return os.sep in dataset or dataset.lower().endswith(_TABLES + _ARCHIVES) or os.path.isdir(dataset)


def option(field: str) -> str:
    """The option of the command that a field is: `--batch-size` for `batch_size`."""
    return "--" + field.replace("_", "-")


@dataclass(frozen=True, kw_only=True)
class DataFields:
    """What is learned from. A data set of the user's own is named by its file, and its path is kept from the root."""

    dataset: str = "mnist"
    """Data set: mnist, fashion-mnist, digits, iris, wine, xor, or for a regression diabetes, linear or allosteric; or the
    user's own: FILE.csv, FILE.npz, or a folder with a subfolder of pictures for each class."""
    target: tuple[str, ...] = ()
    """Columns of a table that are to be predicted, by name or, without a header, by number from 1; the last if not given."""
    task: Task | None = None
    """What to learn of the targets; if not given, text and whole numbers of few values are classes."""
    test_dataset: str | None = None
    """File or folder of the samples to test on; a share of the samples is kept for the test if it is not given."""
    test_share: float | None = None
    """That share, drawn by --split-seed; 0 tests on the training samples. 0.2 if not given, or 0 below 20 samples."""
    split_seed: int = 0
    """Seed by which the samples for the test are drawn."""
    input_scaling: InputScaling | tuple[float, ...] = "none"
    """What inputs become before --input-gain makes volts of them: they stay as they are; standard: of mean 0 and deviation
    1; range: from 0 to 1, as the training samples tell, each column of a table by itself and all pixels of images alike;
    or they are multiplied by a number, or one for each feature. With standard and range a regression's targets, too."""
    input_offset: tuple[float, ...] = ()
    """What is subtracted from inputs before they are multiplied: a number, or one for each feature."""
    data_dir: str | None = None
    """Folder that holds the files of mnist or fashion-mnist; they are downloaded and cached if it is not given."""
    validation: int = 0
    """Training samples to hold out and test on in place of the test set, for tuning; 0 for none."""
    shift: int = 0
    """Pixels by which training images are shifted up or down and to a side, anew each time; 0 for none."""

    def refuse_negative(self, *names: str) -> None:
        """Refuse fields that are negative or not finite; those that are not given pass.

        Raises:
            InputError: with the first of them.
        """
        for name in names:
            value = getattr(self, name)
            if value is not None and not 0 <= value < math.inf:
                raise InputError(f"{option(name)} {value}: must be at least 0 and finite")

    def __post_init__(self) -> None:
        for name in ("dataset", "test_dataset"):
            value = getattr(self, name)
            if value is not None and (is_file(value) or name == "test_dataset"):
                # So that a run can be gone on with from another folder.
                object.__setattr__(self, name, os.path.abspath(value))
        if not is_file(self.dataset):
            for name in _OF_FILES:
                if getattr(self, name):
                    raise InputError(f"{option(name)}: the data set {self.dataset} has its own")
        elif self.data_dir is not None:
            raise InputError(f"--data-dir {self.data_dir}: is for mnist and fashion-mnist, not for {self.dataset}")
        if self.test_share is not None:
            if not 0 <= self.test_share < 1:
                raise InputError(f"--test-share {self.test_share}: must be at least 0 and below 1")
            if self.test_dataset is not None:
                raise InputError(f"--test-share {self.test_share}: --test-dataset has the samples to test on")
        for name in ("split_seed", "validation", "shift"):
            if getattr(self, name) < 0:
                raise InputError(f"--{name.replace('_', '-')} {getattr(self, name)}: must not be negative")
        check_scaling(self.input_scaling, self.input_offset)


def check_scaling(scaling: InputScaling | tuple[float, ...], offset: tuple[float, ...]) -> None:
    """Refuse factors and offsets that are none.

    Raises:
        InputError: for one that is not finite, a factor of 0, or an offset beside what learns its own.
    """
    if isinstance(scaling, str):
        if scaling not in ("none", "standard", "range"):
            raise InputError(f"--input-scaling {scaling}: expected none, standard, range or factors")
        if offset and scaling != "none":
            raise InputError(f"--input-offset: --input-scaling {scaling} has its own offset")
    elif not scaling or not all(math.isfinite(factor) and factor for factor in scaling):
        given = " ".join(map(str, scaling))
        raise InputError(f"--input-scaling {given}: factors must be finite and not 0")
    if not all(map(math.isfinite, offset)):
        raise InputError(f"--input-offset {' '.join(map(str, offset))}: must be finite")

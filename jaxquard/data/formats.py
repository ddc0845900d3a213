"""The formats of data sets that are given by their path. A new one is a reader in a file of its own, and a row here."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from jaxquard.data.dataset import Dataset
from jaxquard.data.folder import has_idx, load_folder
from jaxquard.data.image_folder import entries, has_classes, load_image_folder
from jaxquard.data.npz import load_npz
from jaxquard.data.parquet import load_parquet
from jaxquard.data.parts import part_named
from jaxquard.data.reading import Options
from jaxquard.data.tables import load_tables

Files = list[tuple[str, Path]]  # each with its part: "train", "val" or "test"


class Format(NamedTuple):
    """`name`: in messages. `fits`: whether a path has this format. `load`: the reader; it raises DataError."""

    name: str
    fits: Callable[[Path], object]
    load: Callable[[Path, Options], Dataset]


def load_path(path: Path, options: Options) -> Dataset:
    """The data set at an existing path. Raises DataError."""
    return next(one for one in FORMATS if one.fits(path)).load(path, options)


def _files(path: Path, *suffixes: str) -> Files:
    """A file with one of the suffixes, as "train"; or those in a folder whose names say which part they are, such as
    train.csv, mnist_test.csv.gz or train-00000-of-00002.parquet."""
    if os.path.isfile(path):
        return [("train", path)] if path.name.lower().endswith(suffixes) else []
    found: Files = []
    for file in filter(os.path.isfile, entries(path)):
        words = re.split(r"[-_. ]", file.name)
        part = next((part for part in map(part_named, words) if part), None)
        if part and file.name.lower().endswith(suffixes) and not file.name.startswith("."):
            found.append((part, file))
    return found if any(part == "train" for part, _ in found) else []


def _csv(path: Path) -> Files:
    return _files(path, ".csv", ".csv.gz")


def _parquet(path: Path) -> Files:
    return _files(path, ".parquet")


FORMATS = (  # the first that fits is taken
    Format("four IDX files", has_idx, lambda path, _: load_folder(path)),
    Format("a folder of pictures", has_classes, load_image_folder),
    Format("CSV files", _csv, lambda path, _: load_tables(path, _csv(path))),
    Format("Parquet files", _parquet, lambda path, options: load_parquet(path, _parquet(path), options)),
    Format("any other folder", os.path.isdir, load_image_folder),  # says what is missing
    Format("an .npz file", os.path.isfile, lambda path, _: load_npz(path)),
)

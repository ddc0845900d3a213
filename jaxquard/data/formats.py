"""The formats of data sets that are given by their path. A new one is a reader in a file of its own, and a row here."""

import itertools
import os
import re
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from jaxquard.data.dataset import Dataset
from jaxquard.data.folder import has_idx, load_folder
from jaxquard.data.image_folder import entries, has_classes, load_image_folder
from jaxquard.data.npz import load_npz
from jaxquard.data.oddities import shortened
from jaxquard.data.parquet import load_parquet
from jaxquard.data.parts import part_named
from jaxquard.data.reading import Options
from jaxquard.data.tables import load_tables
from jaxquard.errors import DataError
from jaxquard.naming import visible

PICTURES = "a folder of pictures"
SHARD = "[0-9]+(-of-[0-9]+)?(?:-[0-9a-f]{16})?"  # as in train-00000-of-00002-0123456789abcdef.parquet
COUNTED = re.compile("([0-9]+)-of-([0-9]+)(?:-[0-9a-f]{16})?")
Files = list[tuple[str, Path]]  # each with its part: "train", "val" or "test"


class Format(NamedTuple):
    """`name`: in messages. `fits`: whether a path has this format. `load`: the reader; it raises DataError."""

    name: str
    fits: Callable[[Path], object]
    load: Callable[[Path, Options], Dataset]


def load_path(path: Path, options: Options) -> Dataset:
    """The data set at an existing path. Raises DataError."""
    try:
        chosen = next(one for one in FORMATS if one.fits(path))
        dataset = chosen.load(path, options)
    except DataError as error:
        raise DataError(_printable(str(error), path)) from None
    notes = _about_files(path, chosen.name) if path.is_dir() else []
    return replace(dataset, notes=(*notes, *dataset.notes)) if notes else dataset


def _printable(message: str, path: Path) -> str:
    """A message with escapes for what does not print in the names of `path` and of the files in it."""
    names = {*path.parts, *(below.name for below in path.rglob("*"))}
    for name in sorted((name for name in names if name != visible(name)), key=len, reverse=True):
        message = message.replace(name, visible(name))
    return message


def _about_files(folder: Path, chosen: str) -> list[str]:
    """Notes on the tables in a folder that are not used."""
    tables = {"CSV files": _csv(folder), "Parquet files": _parquet(folder)}
    left = [files for name, files in tables.items() if files and chosen not in (name, PICTURES)]
    return [f"not used: {shortened(file.name for _, file in files)}" for files in left]


def _other_folder(path: Path, options: Options) -> Dataset:
    """DataError that says where in a folder a data set is; otherwise, what is missing."""
    for below in entries(path):
        known = below.suffix == ".npz" or any(one.fits(below) for one in FORMATS[:4])
        if known and not below.name.startswith("."):
            raise DataError(f"{path}: no data set for training, but {visible(below.name)} can be read: give {below}")
    return load_image_folder(path, options)


def _file(path: Path) -> Dataset:
    if path.suffix.lower() != ".npz" and os.access(path, os.R_OK) and not zipfile.is_zipfile(path):
        raise DataError(f"{path}: not a data set; give a folder of pictures, or a .csv, .csv.gz, .parquet or .npz file")
    return load_npz(path)


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


def _shards(path: Path, files: Files) -> Files:
    """The files. DataError if a part has two with names that differ in more than numbers: these are no shards; or if a
    folder has only some of the shards that a name counts, such as train-00000-of-00002.
    """
    firsts: dict[str, Path] = {}
    for part, file in files:
        names = [re.sub(SHARD, r"#\1", one.name) for one in (firsts.setdefault(part, file), file)]
        if names[0] != names[1]:
            raise DataError(f"{path}: has {firsts[part].name} and {file.name}; keep one of them")
    for part, first in firsts.items():
        found = [COUNTED.search(file.name) for one, file in files if one == part]
        numbers = {int(one[1]) for one in found if one}
        if path.is_dir() and found[0] and len(numbers) < (total := int(found[0][2])):
            missing = next(k for k in itertools.count(total in numbers) if k not in numbers)  # from 0 or from 1
            name = COUNTED.sub(f"{missing:0{len(found[0][1])}}-of-{found[0][2]}", first.name)
            raise DataError(f"{path}: {name} is missing")
    return files


def _csv(path: Path) -> Files:
    return _files(path, ".csv", ".csv.gz")


def _parquet(path: Path) -> Files:
    return _files(path, ".parquet")


FORMATS = (  # the first that fits is taken
    Format("four IDX files", has_idx, lambda path, _: load_folder(path)),
    Format(PICTURES, has_classes, load_image_folder),
    Format("CSV files", _csv, lambda path, _: load_tables(path, _shards(path, _csv(path)))),
    Format("Parquet files", _parquet, lambda path, options: load_parquet(path, _shards(path, _parquet(path)), options)),
    Format("any other folder", os.path.isdir, _other_folder),  # says what is missing
    Format("an .npz file", os.path.isfile, lambda path, _: _file(path)),
)

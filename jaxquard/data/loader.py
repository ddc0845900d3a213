"""`load`: a Dataset from a name or a path. A known data set comes from the cache, else from its other sources."""

import importlib.util
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from jaxquard import arguments
from jaxquard.arguments import checked
from jaxquard.data import cache, catalogue, idx
from jaxquard.data.cache import Cached, Progress, Report
from jaxquard.data.catalogue import Entry
from jaxquard.data.dataset import Dataset, build, hold_out_test
from jaxquard.errors import DataError, JaxquardError
from jaxquard.files import expanded
from jaxquard.naming import visible

NEEDS_SKLEARN = "needs scikit-learn: pip install scikit-learn"


@checked
def load(
    dataset: str | Path = "fashion-mnist",
    *,
    image_size: str | int | Sequence[int] | None = None,
    color: Literal["auto", "grey", "rgb"] = "auto",
    skip_damaged: bool = False,
    data_dir: str | Path | None = None,
    offline: bool | None = None,
    report: Report | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """Load a data set: a known name, or a path: docs/DATA.md lists the formats.

    image_size, color: of the images that are made from pictures, in a folder or in Parquet: height and width (default:
    the commonest size, at most 64 pixels), and "grey", "rgb" or "auto" (grey if all pictures are). Other data sets keep
    theirs. skip_damaged: leave out pictures that cannot be read.
    data_dir: the folder of all data sets, where each is searched first (default: JAXQUARD_DATA, else the platform's
    cache). offline: do not use the network (default: whether JAXQUARD_OFFLINE is set, and not to 0).
    report: gets one line per attempt. progress: gets (file name, bytes so far, total bytes or None).
    Raises UsageError for an unknown name, DataError if the data are missing or damaged.
    """
    if dataset == catalogue.ARRAYS:
        raise catalogue.only_in_python()
    place, report, progress = Path(data_dir) if data_dir else None, report or _ignore, progress or _ignore
    size = None if image_size is None else arguments.image_size(image_size)
    entry = catalogue.find(dataset) if isinstance(dataset, str) else None
    if entry is None:
        found = _load_path(dataset, size, color, skip_damaged, cache.home(place) / "pictures", progress)
    elif not entry.files:
        found = _load_digits(entry)
    else:
        if offline is None:
            offline = os.environ.get("JAXQUARD_OFFLINE", "0") not in ("", "0")
        cached = _from_cache(entry, place, report) or _from_sources(entry, place, offline, report, progress)
        found = _as_dataset(entry, cached)
    return found if found.reading else _as_stored(found, size, color)


def _as_stored(dataset: Dataset, size: tuple[int, int] | None, color: str) -> Dataset:
    """A data set that was not made from pictures, with a note if that has other images than asked for."""
    *stored, channels = dataset.image_shape
    other = [f"{size[0]}×{size[1]}"] if size and list(size) != stored else []
    other += [color] if color != ("grey" if channels == 1 else "rgb") and color != "auto" else []
    note = f"not {' or '.join(other)}: only images that are made from pictures have another size or colour"
    return replace(dataset, notes=(*dataset.notes, note)) if other else dataset


@dataclass(frozen=True)
class Status:
    """The state of a known data set on this machine. `size` is in bytes; `detail` is its source, or the fault."""

    name: str
    title: str
    state: Literal["ready", "absent", "damaged"]
    folder: Path
    size: int = 0
    detail: str = ""


def status(data_dir: Path | None = None) -> list[Status]:
    """The state of each data set, with every SHA-256 in the cache verified. Downloads nothing."""
    home = cache.home(data_dir)
    return [_status(entry, home / entry.name) for entry in catalogue.CATALOGUE.values()]


def _status(entry: Entry, folder: Path) -> Status:
    if not entry.files:  # it comes with a package
        found = importlib.util.find_spec("sklearn")
        state = "ready" if found else "absent"
        return Status(entry.name, entry.title, state, folder, detail="scikit-learn" if found else NEEDS_SKLEARN)
    try:
        cached = cache.load(entry, folder)
        if cached is None:
            return Status(entry.name, entry.title, "absent", folder)
        for name, values in cached.arrays.items():
            if idx.sha256(values) != cached.sha256[name]:
                raise DataError(f"{folder / name}: damaged (wrong SHA-256)")
    except DataError as damage:
        return Status(entry.name, entry.title, "damaged", folder, detail=str(damage))
    size = sum(values.size for values in cached.arrays.values())
    return Status(entry.name, entry.title, "ready", folder, size, cached.source)


def _from_cache(entry: Entry, data_dir: Path | None, report: Report) -> Cached | None:
    try:
        return cache.load(entry, cache.home(data_dir) / entry.name)
    except DataError as damage:
        report(f"{damage}; looking for another copy")
        return None


def _from_sources(entry: Entry, data_dir: Path | None, offline: bool, report: Report, progress: Progress) -> Cached:
    """The data set from the first sources that have it. Stores a copy in the cache."""
    from jaxquard.data import sources  # imports urllib, which takes 30 ms

    home = cache.home(data_dir)
    nearby = [home, *(Path(os.path.expanduser(name)) for name in entry.folders)]
    if entry.pinned:  # then a cache without its manifest can be verified, too
        nearby[1:1] = [home / entry.name, cache.platform_home() / entry.name]
    every = sources.chain(entry, dict.fromkeys(nearby), offline=offline, report=report, progress=progress)
    try:
        cached = sources.gather(entry, every, report)
    except DataError as failure:
        raise DataError(f"{failure}\n{_by_hand(entry, home, offline)}") from None
    try:
        cache.store(home / entry.name, cached)
    except JaxquardError as error:
        report(f"not stored in the cache: {error}")
    return cached


def _by_hand(entry: Entry, home: Path, offline: bool) -> str:
    """How the user can supply the files, for when no source has them."""
    lines = ["The network was not tried (--offline or JAXQUARD_OFFLINE)."] if offline and entry.mirrors else []
    lines.append(f"To supply the files by hand, get these from {entry.homepage}")
    lines.append(f"and put them into {home}, or name their folder with --data-dir or JAXQUARD_DATA:")
    files = [entry.archive] if entry.archive else entry.files
    return "\n".join([*lines, *(f"  {file.name}.gz" for file in files)])


def _as_dataset(entry: Entry, cached: Cached) -> Dataset:
    """Name the classes, and undo EMNIST's transposed images and labels from 1."""
    arrays = {file.role: cached.arrays[file.name] for file in entry.files}
    sha256 = {file.role: cached.sha256[file.name] for file in entry.files}  # of unchanged arrays
    for role, values in arrays.items():
        if values.ndim == 3 and entry.transposed:
            arrays[role] = values.swapaxes(1, 2).copy()
        elif values.ndim == 1 and entry.first_label:
            arrays[role] = values.astype(np.int32) - entry.first_label
        if arrays[role] is not values:
            del sha256[role]
    return build(
        entry.name,
        arrays,
        called={file.role: file.name for file in entry.files},
        source=cached.source,
        class_names=entry.class_names,
        sha256=sha256,
    )


def _load_path(dataset: str | Path, *options: Any) -> Dataset:
    """A folder or a file. A word that is neither is an unknown name. `options`: those of `reading.Options`."""
    from jaxquard.data import formats, reading  # imports Pillow and SciPy

    path = Path(expanded(dataset))
    if dataset and (os.path.isfile(path) or os.path.isdir(path)):  # Path.is_file raises without permission
        return formats.load_path(path, reading.Options(*options))
    if (
        isinstance(dataset, Path)
        or path.suffix in (".npz", ".csv", ".gz", ".parquet")
        or "/" in dataset
        or os.sep in dataset
    ):
        raise DataError(f"{visible(str(dataset))[:200]}: no such folder or file, or no permission to read it")
    raise catalogue.unknown(str(dataset))


def _load_digits(entry: Entry) -> Dataset:
    """scikit-learn's 1,797 images of 8×8 pixels. Their values from 0 to 16 become 0 to 255."""
    if importlib.util.find_spec("sklearn") is None:
        raise JaxquardError(f"'{entry.name}' {NEEDS_SKLEARN}")
    from sklearn.datasets import load_digits

    digits: Any = load_digits()  # its type annotation includes pandas
    labels = digits.target
    pixels = np.rint(digits.data.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    arrays = hold_out_test(pixels, labels, by_class=False)
    return build(
        entry.name,
        arrays,
        called={role: f"digits:{role}" for role in arrays},
        source="scikit-learn",
        class_names=entry.class_names,
    )


def _ignore(*_: object) -> None:
    """The default for `report` and `progress`."""

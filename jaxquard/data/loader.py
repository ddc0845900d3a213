"""`load`: from a name or a path to a Dataset, by the cache if it can and by everything else if it must."""

import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from jaxquard.data import cache, catalogue, idx, sources
from jaxquard.data.cache import Cached
from jaxquard.data.catalogue import CATALOGUE, Entry
from jaxquard.data.dataset import Dataset, build, hold_out_test
from jaxquard.data.folder import load_folder
from jaxquard.data.npz import load_npz
from jaxquard.data.sources import Progress, Report
from jaxquard.errors import DataError, JaxquardError


def load(
    dataset: str | Path = "fashion-mnist",
    *,
    data_dir: Path | None = None,
    offline: bool | None = None,
    report: Report | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """Load a data set: a known name, a folder of four IDX files, or an .npz file.

    data_dir: where data sets are kept and looked for first (default: JAXQUARD_DATA, else the platform's cache).
    offline: never touch the network (default: whether JAXQUARD_OFFLINE is set to something other than 0).
    report: gets one plain line per attempt. progress: gets (file name, bytes so far, total bytes or None).
    Raises UsageError for an unknown name, DataError when the data are missing or damaged.
    """
    entry = catalogue.find(str(dataset))
    if entry is None:
        return _load_path(dataset)
    if not entry.files:
        return _load_digits(entry)
    if offline is None:
        offline = os.environ.get("JAXQUARD_OFFLINE", "0") not in ("", "0")
    return _load_known(entry, cache.home(data_dir), offline, report or _ignore, progress or _ignore)


@dataclass(frozen=True)
class Status:
    """How a known data set stands on this machine. `size` is in bytes; `detail` says where it came from, or the fault."""

    name: str
    title: str
    state: Literal["ready", "absent", "damaged"]
    folder: Path
    size: int = 0
    detail: str = ""


def status(data_dir: Path | None = None) -> list[Status]:
    """Look at the cache, data set by data set, checking every SHA-256. Fetches nothing."""
    return [_status(entry, cache.home(data_dir) / entry.name) for entry in CATALOGUE.values() if entry.files]


def _status(entry: Entry, folder: Path) -> Status:
    try:
        cached = cache.load(entry, folder)
        if cached is None:
            return Status(entry.name, entry.title, "absent", folder)
        for name, values in cached.arrays.items():
            if idx.sha256(values) != cached.sha256[name]:
                raise DataError(f"{folder / name}: damaged (its SHA-256 is wrong)")
    except DataError as damage:
        return Status(entry.name, entry.title, "damaged", folder, detail=str(damage))
    size = sum(values.size for values in cached.arrays.values())
    return Status(entry.name, entry.title, "ready", folder, size, cached.source)


def _load_known(entry: Entry, home: Path, offline: bool, report: Report, progress: Progress) -> Dataset:
    """From the cache; failing that, from the first sources that have it, leaving a copy in the cache."""
    folder = home / entry.name
    try:
        cached = cache.load(entry, folder)
    except DataError as damage:
        report(f"{damage}; looking for another copy")
        cached = None
    if cached is None:
        nearest = dict.fromkeys((home, folder, cache.platform_home() / entry.name))
        cached = sources.gather(entry, sources.chain(entry, nearest, offline=offline, progress=progress), report)
        _keep(folder, cached, report)
    return _as_dataset(entry, cached, folder)


def _keep(folder: Path, cached: Cached, report: Report) -> None:
    try:
        cache.store(folder, cached)
    except OSError as error:
        report(f"not kept for next time: {folder}: {error.strerror or error}")


def _as_dataset(entry: Entry, cached: Cached, folder: Path) -> Dataset:
    """Name the classes, and undo EMNIST's transposed images and labels from 1."""
    arrays = {file.role: cached.arrays[file.name] for file in entry.files}
    if entry.transposed:
        arrays |= {role: values.swapaxes(1, 2).copy() for role, values in arrays.items() if values.ndim == 3}
    if entry.first_label:
        arrays |= {
            role: values.astype(np.int32) - entry.first_label for role, values in arrays.items() if values.ndim == 1
        }
    return build(
        entry.name,
        arrays,
        called={file.role: str(folder / file.name) for file in entry.files},
        sha256=cached.sha256,
        source=cached.source,
        class_names=entry.class_names,
    )


def _load_path(dataset: str | Path) -> Dataset:
    path = Path(dataset).expanduser()
    looks_like_a_path = isinstance(dataset, Path) or path.suffix == ".npz" or len(path.parts) != 1 or path.exists()
    if not looks_like_a_path:
        raise catalogue.unknown(str(dataset))
    if path.is_dir():
        return load_folder(path)
    if not path.exists():
        raise DataError(f"{path}: there is no such folder or file")
    return load_npz(path)


def _load_digits(entry: Entry) -> Dataset:
    """scikit-learn's 1,797 images of 8×8 pixels, whose values 0 to 16 become 0 to 255."""
    if importlib.util.find_spec("sklearn") is None:
        raise JaxquardError("'digits' is scikit-learn's, which is not installed: pip install scikit-learn")
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    pixels = np.rint(images.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    arrays = hold_out_test(pixels, labels)
    return build(
        entry.name,
        arrays,
        called={role: f"digits:{role}" for role in arrays},
        sha256={"images": idx.sha256(pixels), "labels": idx.sha256(labels.astype(np.uint8))},
        source="scikit-learn",
        class_names=entry.class_names,
    )


def _ignore(*_: object) -> None:
    """Nobody is listening."""

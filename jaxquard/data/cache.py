"""A cache of decoded data sets on disk: four plain IDX files and a manifest. Loading takes milliseconds.

There are no locks. Each file is written under a temporary name and renamed when complete; the manifest comes last.
Several processes may do this at once, because they write the same bytes.
An unwritable cache raises an error, which the caller reports; no other place is used.
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jaxquard.data import idx
from jaxquard.data.catalogue import Entry
from jaxquard.errors import DataError
from jaxquard.files import cache_folder, expanded, explained, sweep, write_atomically

Report = Callable[[str], None]  # gets one line per attempt
Progress = Callable[[str, int, int | None], None]  # gets (file name, bytes so far, total bytes or None)

_MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Cached:
    """A data set in the cache: arrays by file name, SHA-256 of the decoded files, and their source."""

    arrays: dict[str, np.ndarray]
    sha256: dict[str, str]
    source: str


def home(data_dir: Path | None = None) -> Path:
    """The folder of all data sets: `data_dir`, else JAXQUARD_DATA, else the platform's cache directory."""
    chosen = data_dir or os.environ.get("JAXQUARD_DATA")
    return Path(expanded(chosen)) if chosen else platform_home()


def platform_home() -> Path:
    """The folder for data sets in the platform's cache directory."""
    return cache_folder() / "data"


def load(entry: Entry, folder: Path) -> Cached | None:
    """The data set in this folder, with its checksums verified; None if there is none; DataError if it is damaged.

    Removes old temporary files, too: `store` may never run here again.
    """
    manifest = folder / _MANIFEST
    if not os.path.isfile(manifest):
        return None
    try:
        described = json.loads(manifest.read_bytes())
        listed = {file.name: described["files"][file.name] for file in entry.files}
        sums = {name: (str(item["sha256"]), int(item["crc32"])) for name, item in listed.items()}
        source = str(described["source"])
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        raise DataError(f"{manifest}: damaged") from None
    arrays = {}
    for file in entry.files:
        sha256, crc32 = sums[file.name]
        arrays[file.name] = idx.read_idx(folder / file.name, ndim=file.ndim)
        if idx.crc32(arrays[file.name]) != crc32 or file.sha256 not in ("", sha256):
            raise DataError(f"{folder / file.name}: damaged (its checksum is wrong)")
    sweep(folder)
    return Cached(arrays, {name: sha256 for name, (sha256, _) in sums.items()}, source)


def store(folder: Path, cached: Cached) -> None:
    """Write a verified data set into the folder, each file atomically. Raises JaxquardError."""
    with explained(folder, "write"):
        folder.mkdir(parents=True, exist_ok=True)
    sweep(folder)
    for name, values in cached.arrays.items():
        write_atomically(folder / name, idx.header(values.shape), values.data)
    files = {
        name: {"sha256": cached.sha256[name], "crc32": idx.crc32(values)} for name, values in cached.arrays.items()
    }
    document = {"source": cached.source, "files": files}
    write_atomically(folder / _MANIFEST, json.dumps(document, indent=1).encode())

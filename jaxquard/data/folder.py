"""A data set as a folder of four IDX files with MNIST's names: the user's own, or a copy of a known one."""

import os
from pathlib import Path

from jaxquard.data import idx
from jaxquard.data.dataset import NDIM, Dataset, build
from jaxquard.errors import DataError

_STEMS = {
    "train_images": ("train-images-idx3-ubyte",),
    "train_labels": ("train-labels-idx1-ubyte",),
    "test_images": ("t10k-images-idx3-ubyte", "test-images-idx3-ubyte"),
    "test_labels": ("t10k-labels-idx1-ubyte", "test-labels-idx1-ubyte"),
}


def find(folder: Path, *stems: str) -> Path | None:
    """The first existing file of these names, gzipped or not, with `-idx` or with `.idx` as in some copies."""
    for stem in stems:
        for name in (f"{stem}.gz", stem, f"{stem.replace('-idx', '.idx')}.gz", stem.replace("-idx", ".idx")):
            if os.path.isfile(folder / name):  # Path.is_file raises without permission
                return folder / name
    return None


def has_idx(folder: Path) -> bool:
    """Whether the folder has one of the four files."""
    return any(find(folder, *stems) for stems in _STEMS.values())


def load_folder(folder: Path) -> Dataset:
    """Read the four IDX files of a folder, and the class names, one per line, in `classes.txt` if it exists.

    Raises DataError. There are no checksums.
    """
    paths = {role: find(folder, *stems) for role, stems in _STEMS.items()}
    missing = [_STEMS[role][0] + "[.gz]" for role, path in paths.items() if path is None]
    if missing:
        raise DataError(f"{folder}: no data set: {', '.join(missing)} not found")
    found = {role: path for role, path in paths.items() if path is not None}
    arrays = {role: idx.read_idx(path, ndim=NDIM[role]) for role, path in found.items()}
    return build(
        folder.resolve().name,
        arrays,
        called={role: str(path) for role, path in found.items()},
        source=str(folder),
        class_names=_class_names(folder / "classes.txt"),
    )


def _class_names(path: Path) -> list[str] | None:
    if not os.path.isfile(path):
        return None
    try:
        with path.open(encoding="utf-8-sig") as stream:
            lines = stream.read(1 << 16).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read ({error})") from None
    names = [line.strip() for line in lines if line.strip()]
    if not names or len(set(names)) < len(names) or not all(name.isprintable() for name in names):
        raise DataError(f"{path}: expected a different, printable name on each line")
    if len(names) > 256:
        raise DataError(f"{path}: {len(names):,} classes, but labels of one byte allow at most 256")
    return names

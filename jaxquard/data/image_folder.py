"""A data set as a folder of pictures: one sub-folder per class, perhaps below train/, val/ and test/."""

import os
from collections import Counter
from pathlib import Path

import numpy as np

from jaxquard.data.dataset import Dataset
from jaxquard.data.decoding import SUFFIXES
from jaxquard.data.parts import NAMES, assemble, part_named
from jaxquard.data.reading import Options, read_pictures
from jaxquard.errors import DataError
from jaxquard.naming import natural

OUTSIDE = "pictures outside the class folders"


def has_classes(folder: Path) -> bool:
    """Whether this is a folder with pictures in sub-folders, its own or those of train/."""
    inside = _folders(folder) if os.path.isdir(folder) else []
    below = [path for place in inside if part_named(place.name) == "train" for path in _folders(place)]
    return any(is_picture(file) for path in (*inside, *below) for file in entries(path))


def _folders(folder: Path) -> list[Path]:
    return [path for path in entries(folder) if path.is_dir() and not path.name.startswith(".")]


def load_image_folder(folder: Path, options: Options) -> Dataset:
    """Read a folder with a sub-folder of pictures for each class, or with such folders as train/, val/ and test/.

    Without test/, a sixth of the pictures of each class becomes the test set. Hidden files are ignored; what else is
    not a picture is counted in the notes. Raises DataError, also for links that lead outside the folder.
    """
    left = Counter[str]()
    parts = {part: _classes(place, folder, left) for part, place in _places(folder, left).items()}
    names = sorted({name for classes in parts.values() for name in classes}, key=natural)
    if all(map(part_named, names)):  # pictures of all classes in train/
        several = sum(map(len, parts["train"].values())) + left[OUTSIDE]
        found = (
            f"{several:,} pictures, but no class folders"
            if several
            else "no data set: no pictures, and no IDX, CSV or Parquet files"
        )
        raise DataError(
            f"{folder}: {found}; put the pictures of each class into a folder of its own,\n"
            f"such as {folder / 'cat' / '1.png'} and {folder / 'dog' / '1.png'}"
        )
    if new := [name for name in names if name not in parts["train"]]:
        raise DataError(f"{folder}: there are no training pictures of the class {new[0]!r}; is its name misspelled?")
    files = [(part, k, path) for part in parts for k, name in enumerate(names) for path in parts[part].get(name, ())]
    images, used, notes = read_pictures(str(folder), [(str(path), path) for _, _, path in files], options)
    part_of, labels = np.array([files[k][0] for k in used]), np.array([files[k][1] for k in used], np.int32)
    arrays = {part: (images[part_of == part], labels[part_of == part].tolist()) for part in parts}
    if left:
        notes.append(f"left out: {', '.join(f'{count:,} {what}' for what, count in left.items())}")
    return assemble(folder, arrays, names, notes, skip_damaged=options.skip_damaged)


def _places(folder: Path, left: Counter[str]) -> dict[str, Path]:
    """The folder of each part. Without class folders in train/, `folder` itself is the training part."""
    inside = _inside(folder, folder)
    places: dict[str, Path] = {}
    for path in inside:
        part = part_named(path.name)
        if part and path.is_dir():
            if part in places:
                raise DataError(f"{folder}: has {places[part].name} and {path.name}; keep one of them")
            places[part] = path
    if "train" not in places or not any(path.is_dir() for path in _inside(places["train"], folder)):
        return {"train": folder}
    left.update(_kind(path) for path in inside if path not in places.values())
    return {part: places[part] for part in NAMES if part in places}


def _classes(place: Path, root: Path, left: Counter[str]) -> dict[str, list[Path]]:
    """The pictures of each class folder, in natural order. `left` counts what is left out."""
    classes: dict[str, list[Path]] = {}
    for path in _inside(place, root):
        inside = _inside(path, root) if path.is_dir() else []
        pictures = [file for file in inside if is_picture(file)]
        if pictures:
            classes[path.name] = pictures
        else:
            left[_kind(path)] += 1
        left.update(_kind(file) for file in inside if not is_picture(file))
    return classes


def _kind(path: Path) -> str:
    """What something is that is left out."""
    if path.is_dir():
        return "other folders"
    return OUTSIDE if is_picture(path) else "other files"


def _inside(folder: Path, root: Path) -> list[Path]:
    """The entries of a folder that are not hidden. DataError for a link that leads outside `root`."""
    found = [path for path in entries(folder) if not path.name.startswith(".")]
    for path in found:
        if path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root)):
            raise DataError(f"{path}: a link that leads outside {root}; put the pictures themselves there")
    return found


def entries(folder: Path) -> list[Path]:
    """What is in a folder, in natural order. Raises DataError if it cannot be read."""
    try:
        return sorted(folder.iterdir(), key=lambda path: natural(path.name))
    except OSError as error:
        raise DataError(f"{folder}: cannot be read ({error.strerror or error})") from None


def is_picture(path: Path) -> bool:
    """Whether this is a file with the suffix of a picture, and not hidden."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and not os.path.isdir(path)

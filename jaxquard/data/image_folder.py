"""A data set as a folder of pictures: one sub-folder per class, perhaps below train/, val/ and test/."""

import os
from collections import Counter
from pathlib import Path

from jaxquard.data.dataset import Dataset
from jaxquard.data.decoding import SUFFIXES
from jaxquard.data.oddities import shortened
from jaxquard.data.parts import assemble, part_named
from jaxquard.data.reading import Options, read_pictures
from jaxquard.errors import DataError
from jaxquard.naming import counted, natural, visible

OUTSIDE = "pictures outside the class folders"


def has_classes(folder: Path) -> bool:
    """Whether this is a folder with pictures in class folders."""
    return os.path.isdir(folder) and any(_classes(place, folder, Counter()) for place in _places(folder).values())


def load_image_folder(folder: Path, options: Options) -> Dataset:
    """Read a folder with a sub-folder of pictures for each class, or with such folders as train/, val/ and test/.

    Without test/, a sixth of the pictures of each class becomes the test set. Hidden files are ignored; what else is
    not a picture is counted in the notes. Raises DataError, also for links that lead outside the folder.
    """
    left, places = Counter[str](), _places(folder)
    parts = {part: _classes(place, folder, left) for part, place in places.items()}
    if all(map(part_named, parts["train"])):  # no classes, or only train/ and test/ with pictures of all classes
        raise DataError(_what_is_missing(folder, sum(map(len, parts["train"].values())) + left[OUTSIDE]))
    files = [(part, name, path) for part, classes in parts.items() for name in classes for path in classes[name]]
    if len(files) == 1:
        raise DataError(f"{folder}: only one picture, in {files[0][1]}; a classifier needs pictures of two classes")
    images, used, notes = read_pictures(str(folder), [(visible(str(path)), path) for _, _, path in files], options)
    if places["train"] != folder:
        beside = [path for path in _inside(folder, folder) if path not in places.values()]
        if names := shortened(path.name for path in beside):
            notes.append(f"not used, beside {places['train'].name}: {names}")
    notes += [f"left out: {', '.join(f'{what} ({count:,})' for what, count in left.items())}"] if left else []
    of = {part: [at for at, k in enumerate(used) if files[k][0] == part] for part in parts}
    arrays = {part: (images[rows], [files[used[at]][1] for at in rows]) for part, rows in of.items()}
    return assemble(folder, arrays, notes=notes, skip_damaged=options.skip_damaged)


def _what_is_missing(folder: Path, pictures: int) -> str:
    found = f"{counted(pictures, 'picture')}, but no class folders"
    return (
        f"{folder}: {found if pictures else 'no data set: no pictures, and no IDX, CSV or Parquet files'}; "
        f"put the pictures of each class into a folder of its own,\n"
        f"such as {folder / 'cat' / '1.png'} and {folder / 'dog' / '1.png'}"
    )


def _places(folder: Path) -> dict[str, Path]:
    """The folder of each part. Without class folders in train/, `folder` itself is the training part."""
    named = [(part_named(path.name), path) for path in _inside(folder, folder) if path.is_dir()]
    if not any(below.is_dir() for part, path in named if part == "train" for below in _inside(path, folder)):
        return {"train": folder}
    places: dict[str, Path] = {}
    for part, path in named:
        if part and places.setdefault(part, path) != path:
            raise DataError(f"{folder}: has {places[part].name} and {path.name}; keep one of them")
    return places


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

"""The parts of a data set that is read from a folder or a table, and the Dataset that they make."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from jaxquard.data.dataset import Dataset, build, hold_out_test
from jaxquard.data.oddities import MAX_CLASSES
from jaxquard.errors import DataError
from jaxquard.naming import natural

NAMES = {"train": ("train", "training"), "val": ("val", "valid", "validation"), "test": ("test", "testing")}


def part_named(word: str) -> str | None:
    """The part of this name, "train", "val" or "test"; or None."""
    return next((part for part, names in NAMES.items() if word.lower() in names), None)


def assemble(
    path: Path,
    parts: Mapping[str, tuple[np.ndarray, Sequence[int | str]]],
    class_names: Sequence[str] | None = None,
    notes: Iterable[str] = (),
    *,
    skip_damaged: bool | None = None,
    **facts: Any,
) -> Dataset:
    """The Dataset of the images and labels of each part, read from `path`: of "train", perhaps of "val" and "test".

    Labels count the class names; without these, each different label is a class. Without "test", a sixth of each
    training class becomes it. skip_damaged: of `load`, if the images were made from pictures. facts: more of `build`.
    Raises DataError.
    """
    if "train" not in parts:
        raise DataError(f"{path}: no training images have a label")
    learned = sorted(set(parts["train"][1]), key=lambda label: natural(str(label)))
    index = {label: k for k, label in enumerate(learned if class_names is None else range(len(class_names)))}
    if len(index) > MAX_CLASSES:
        raise DataError(f"{path}: {len(index):,} different labels, expected at most {MAX_CLASSES:,}")
    if new := [label for _, labels in parts.values() for label in labels if label not in index]:
        raise DataError(f"{path}: {str(new[0])[:80]!r} is none of the {len(index)} labels to learn; is it misspelled?")
    arrays = {}
    for part, (images, labels) in parts.items():
        arrays |= {f"{part}_images": images, f"{part}_labels": np.array([index[label] for label in labels], np.int32)}
    if "test" not in parts:
        arrays |= hold_out_test(arrays["train_images"], arrays["train_labels"])
    called = {role: f"{path}:{role.partition('_')[0]}" for role in arrays}
    name = path.name.split(".")[0] if path.is_file() else path.resolve().name
    facts |= {
        "called": called,
        "source": str(path),
        "notes": notes,
        "class_names": class_names or list(map(str, index)),
    }
    dataset = build(name, arrays, by_class=True, **facts)
    if skip_damaged is None:
        return dataset
    height, width, channels = dataset.image_shape
    reading = {"image_size": f"{height}x{width}", "color": "grey" if channels == 1 else "rgb"}
    return replace(dataset, reading=reading | {"skip_damaged": skip_damaged})

"""Predictions for picture files. Unreadable pictures do not affect the others."""

import contextlib
import csv
import io
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeGuard, overload

import numpy as np

from jaxquard.data.image_folder import entries, is_picture
from jaxquard.data.pictures import read_picture
from jaxquard.errors import DataError
from jaxquard.files import expanded
from jaxquard.runs.models import TrainedModel
from jaxquard.training.evaluation import log_probabilities

CHUNK = 256  # pictures in memory at a time


@dataclass(frozen=True)
class Prediction:
    """The prediction for one picture. If it cannot be read, only `file` and `error` (why) are set."""

    file: str
    label: str | None = None  # the most probable class
    class_index: int | None = None
    probability: float | None = None  # of that class, in [0, 1]
    probabilities: dict[str, float] = field(default_factory=dict)  # of every class
    steps: list[str] = field(default_factory=list)  # names of the processing steps, in order
    notes: list[str] = field(default_factory=list)  # the same in sentences
    warnings: list[str] = field(default_factory=list)  # why the prediction may be wrong
    error: str | None = None


@dataclass(frozen=True)
class Predictions(Sequence[Prediction]):
    """A Prediction for each picture, in order, with the model and notes on files that were left out."""

    model: TrainedModel
    pictures: list[Prediction]
    notes: list[str]

    def __len__(self) -> int:
        return len(self.pictures)

    @overload
    def __getitem__(self, index: int) -> Prediction: ...
    @overload
    def __getitem__(self, index: slice) -> list[Prediction]: ...
    def __getitem__(self, index: int | slice) -> Prediction | list[Prediction]:
        return self.pictures[index]

    def to_dicts(self) -> list[dict[str, Any]]:
        """Plain data for JSON; only `file` and `error` for an unreadable picture."""
        weights = {"step": self.model.step, "epoch": self.model.epoch}
        return [
            {"file": one.file, "error": one.error}
            if one.error
            else {name: value for name, value in vars(one).items() if name != "error"} | weights
            for one in self.pictures
        ]

    def to_csv(self) -> str:
        """A line for each picture: file, label, probability, a column for each class; unreadable: only the file.

        A name that a spreadsheet would take for a formula, such as =1+1, gets an apostrophe in front.
        """
        names = self.model.class_names
        writer = csv.writer(text := io.StringIO(), lineterminator="\n")
        writer.writerow(["file", "label", "probability", *map(plain_cell, names)])
        for one in self.pictures:
            chances = (one.probabilities.get(name) for name in names)
            writer.writerow([plain_cell(one.file), plain_cell(one.label or ""), one.probability, *chances])
        return text.getvalue()


def plain_cell(name: str) -> str:
    """A cell of a table that no spreadsheet takes for a formula; numbers such as -1 are none."""
    return f"'{name}" if re.match(r"[=@\t\r]|[+-](?![\d.]+$)", name) else name


def find_pictures(paths: Sequence[str | Path]) -> tuple[list[Path], list[str]]:
    """The given files, and the pictures in the given folders, sorted by name with `2.png` before `10.png`.

    Files count as pictures by suffix. Subfolders and hidden files are left out; the notes, the second result, count
    what was left out. A folder without pictures stays in the list; `read_picture` then raises DataError for it.
    """
    found, notes = [], []
    for path in map(Path, map(expanded, paths)):
        inside = []
        with contextlib.suppress(DataError):  # `read_picture` then refuses it
            inside = entries(path) if os.path.isdir(path) else []
        pictures = [one for one in inside if is_picture(one)]
        found += pictures or [path]
        if left := len(inside) - len(pictures):
            notes.append(
                f"{path}: left out {left} of {len(inside)} entries: folders, hidden files or other files than pictures"
            )
    return found, notes


def predict(
    model: TrainedModel,
    files: Sequence[Path],
    *,
    as_is: bool = False,
    background: Literal["auto", "light", "dark"] = "auto",
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Prediction]:
    """Predict pictures, CHUNK at a time. `progress` gets the number of pictures read and of all pictures.

    Raises RunError for a network that diverged, UsageError for one whose images are neither grey nor colour.
    """
    for first in range(0, len(files), CHUNK):
        read = []
        for file in files[first : first + CHUNK]:
            read.append(_read(model, file, as_is, background))
            if progress:
                progress(first + len(read), len(files))
        images = [image for _, image in read if image is not None]
        rows = iter(np.exp(log_probabilities(model.answers(np.stack(images)))) if images else ())
        for picture, image in read:
            yield picture if image is None else replace(picture, **answer(next(rows), model.class_names))


def predict_images(model: TrainedModel, images: object) -> Predictions:
    """Predict an array of images like those of the training; their numbers are the names of the files."""
    rows = enumerate(model.predict_proba(images))
    return Predictions(model, [Prediction(str(k), **answer(row, model.class_names)) for k, row in rows], [])


def are_paths(images: object) -> TypeGuard[Sequence[str | Path]]:
    """Whether these are paths of pictures, and not an array of images."""
    return isinstance(images, list | tuple) and len(images) > 0 and all(isinstance(one, str | Path) for one in images)


def predict_files(model: TrainedModel, paths: Sequence[str | Path]) -> list[Prediction]:
    """The predictions of picture files. DataError for one that cannot be read."""
    found = list(predict(model, find_pictures(paths)[0]))
    for one in found:
        if one.error:
            raise DataError(one.error)
    return found


def _read(model: TrainedModel, file: Path, as_is: bool, background: Any) -> tuple[Prediction, np.ndarray | None]:
    """A Prediction without probabilities, and the image for the network, None if unreadable."""
    try:
        options = {"framing": model.framing, "as_is": as_is, "background": background}
        picture = read_picture(file, image_shape=model.image_shape, **options)
    except DataError as error:
        return Prediction(str(file), error=str(error)), None
    steps, notes, warnings = [name for name, _ in picture.steps], list(picture.notes), list(picture.warnings)
    return Prediction(str(file), steps=steps, notes=notes, warnings=warnings), picture.image


def answer(row: np.ndarray, class_names: Sequence[str]) -> dict[str, Any]:
    """Probabilities (classes,) as the fields of a Prediction; None for a network that diverged."""
    if not np.isfinite(row).all():
        nothing = dict.fromkeys(class_names)
        return {"label": None, "class_index": None, "probability": None, "probabilities": nothing}
    k, probabilities = int(row.argmax()), dict(zip(class_names, row.tolist(), strict=True))
    return {"label": class_names[k], "class_index": k, "probability": float(row[k]), "probabilities": probabilities}

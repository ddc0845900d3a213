"""What a network makes of pictures in files: the good ones are answered, whatever the others are like."""

import csv
import io
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np

from jaxquard.data.decoding import SUFFIXES
from jaxquard.data.pictures import read_picture
from jaxquard.errors import DataError
from jaxquard.files import expanded
from jaxquard.runs.models import TrainedModel
from jaxquard.training.evaluation import log_probabilities

CHUNK = 256  # pictures that are in memory, and answered, at a time


@dataclass(frozen=True)
class Prediction:
    """What a network makes of one picture. If the picture cannot be read, `error` says why and nothing else is set."""

    file: str
    label: str | None = None  # the likeliest class
    class_index: int | None = None
    probability: float | None = None  # of that class, in [0, 1]
    probabilities: dict[str, float] = field(default_factory=dict)  # of every class
    steps: list[str] = field(default_factory=list)  # what was done to the picture, in order
    notes: list[str] = field(default_factory=list)  # the same in sentences
    warnings: list[str] = field(default_factory=list)  # why the answer may be wrong
    error: str | None = None


@dataclass(frozen=True)
class Predictions(Sequence[Prediction]):
    """A Prediction for each picture, in order; the model; notes on files that were left out."""

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
        """Plain data for JSON; of a picture that cannot be read, `file` and `error` alone."""
        weights = {"step": self.model.step, "epoch": self.model.epoch}
        return [
            {"file": one.file, "error": one.error}
            if one.error
            else {name: value for name, value in vars(one).items() if name != "error"} | weights
            for one in self.pictures
        ]

    def to_csv(self) -> str:
        """A line for each picture: file, label, probability, a column for each class. Unread: the file alone."""
        names = self.model.class_names
        writer = csv.writer(text := io.StringIO(), lineterminator="\n")
        writer.writerow(["file", "label", "probability", *names])
        for one in self.pictures:
            writer.writerow([one.file, one.label, one.probability, *(one.probabilities.get(name) for name in names)])
        return text.getvalue()


def find_pictures(paths: Sequence[str | Path]) -> tuple[list[Path], list[str]]:
    """Files as they are; of a folder those that are pictures by their names, `2.png` before `10.png`.

    Folders in a folder are left out. Also returns notes on what was left out. A folder without pictures comes back
    itself, to be refused as a picture.
    """
    found, notes = [], []
    for path in map(Path, map(expanded, paths)):
        inside = _entries(path) if os.path.isdir(path) else []
        pictures = [one for one in inside if _is_picture(one)]
        found += pictures or [path]
        if left := len(inside) - len(pictures):
            notes.append(
                f"{path}: {left} of {len(inside)} entries are folders, hidden or no pictures by name: left out"
            )
    return found, notes


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir(), key=lambda path: (_natural(path.name), path.name))
    except OSError:
        return []


def _natural(name: str) -> list[tuple[bool, int, str]]:
    """A key that sorts the numbers in names as numbers."""
    parts = re.split(r"(\d+)", name.casefold())
    return [(False, int(part), "") if part.isdecimal() else (True, 0, part) for part in parts if part]


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and not os.path.isdir(path)


def predict(
    model: TrainedModel,
    files: Sequence[Path],
    *,
    as_is: bool = False,
    background: Literal["auto", "light", "dark"] = "auto",
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Prediction]:
    """Answer pictures, CHUNK at a time. `progress` gets how many are read, and how many there are.

    Raises RunError for a network that diverged, UsageError for one that cannot be asked about pictures.
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


def _read(model: TrainedModel, file: Path, as_is: bool, background: Any) -> tuple[Prediction, np.ndarray | None]:
    """A picture without its answer, and the image for the network; its steps are kept as names alone."""
    try:
        options = {"framing": model.framing, "as_is": as_is, "background": background}
        picture = read_picture(file, image_shape=model.image_shape, **options)
    except DataError as error:
        return Prediction(str(file), error=str(error)), None
    steps, notes, warnings = [name for name, _ in picture.steps], list(picture.notes), list(picture.warnings)
    return Prediction(str(file), steps=steps, notes=notes, warnings=warnings), picture.image


def answer(row: np.ndarray, class_names: Sequence[str]) -> dict[str, Any]:
    """Probabilities (classes,) as the fields of a Prediction; null, where a network that diverged has none."""
    if not np.isfinite(row).all():
        nothing = dict.fromkeys(class_names)
        return {"label": None, "class_index": None, "probability": None, "probabilities": nothing}
    k, probabilities = int(row.argmax()), dict(zip(class_names, row.tolist(), strict=True))
    return {"label": class_names[k], "class_index": k, "probability": float(row[k]), "probabilities": probabilities}

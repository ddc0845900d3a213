"""The journal: append-only JSON lines. Writers append whole lines, and readers see only whole lines."""

import errno
import functools
import io
import json
import os
from pathlib import Path
from typing import Any

from jaxquard import strict_json
from jaxquard.errors import RunError
from jaxquard.files import explained
from jaxquard.systems import await_other_writers, sync

Line = dict[str, Any]
COUNTS = 100_000  # in the confusion matrices of an evaluation; more are not recorded


def append(path: Path, line: Line, *, new: bool = False) -> None:
    """Add one line and wait until it is on the disk. After an error the file is as it was.

    An incomplete last line, left by a killed writer, is cut off first. A missing file is made only if `new`, so that a
    removed run does not come back.
    """
    data = json.dumps(line, allow_nan=False, separators=(",", ":")).encode() + b"\n"
    opener = functools.partial(_itself, new=new)
    with explained(path, "write"), open(path, "a+b", buffering=0, opener=opener) as file:
        await_other_writers(file)
        end = _end_of_last_whole_line(file)
        try:
            file.truncate(end)
            if file.write(data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            sync(file)
        except OSError:
            file.truncate(end)
            raise


def _itself(path: str, flags: int, new: bool) -> int:
    """Open the file without following a link: a run directory may be untrusted."""
    flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    return os.open(path, flags if new else flags & ~os.O_CREAT, 0o666)


def _end_of_last_whole_line(file: io.FileIO) -> int:
    end = file.seek(0, os.SEEK_END)
    file.seek(max(0, end - 1))
    if file.read(1) in (b"", b"\n"):
        return end
    file.seek(0)
    return file.read().rfind(b"\n") + 1


def read_lines(path: Path) -> list[Line]:
    """Every whole line, oldest first. A last line without a newline is still being written and is left out."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror}") from error
    return [_line(path, number, text) for number, text in enumerate(data.split(b"\n")[:-1], start=1)]


def _line(path: Path, number: int, text: bytes) -> Line:
    try:
        line = strict_json.loads(text)
        if not isinstance(line, dict):
            raise ValueError("not an object")
        for name, kind in _NUMBERS.items():
            if not isinstance(line.get(name, 0), kind) and (name, "event" in line) != ("seconds", True):
                raise ValueError(f"{name} is not a number")
        for name in _FIGURES:
            if not is_figure(line.get(name)):
                raise ValueError(f"{name} is not a figure")
        _check_views(line.get("tta"))
        for name, check in (("confusion", _check_confusion), ("matrix", _check_matrix)):
            if not isinstance(found := line.get(name) or [], list):
                raise ValueError(f"{name} is not a list")
            for one in found:
                check(one)
    except ValueError as error:
        raise RunError(f"{path}: line {number} is damaged ({str(error)[:100]})") from error
    return line


_NUMBERS = {"step": int, "epoch": int, "network": int, "seconds": (int, float)}  # in an event, seconds is an object
_FIGURES = ("train_loss", "train_accuracy", "val_loss", "val_accuracy", "accuracy", "loss", "calibration_error")


def _check_views(tta: Any) -> None:
    """Test-time augmentation: None, or the name of the views and their accuracy."""
    if tta is None:
        return
    if not (isinstance(tta, dict) and isinstance(tta.get("name"), str) and is_figure(tta.get("accuracy"))):
        raise ValueError("tta is not a figure over views")


def _check_confusion(one: Any) -> None:
    """None, or a network's most frequent confusion."""
    sound = isinstance(one, dict) and all(isinstance(one.get(key), str) for key in ("true", "predicted"))
    if one is not None and not (sound and all(type(one.get(key)) is int for key in ("count", "of"))):
        raise ValueError("confusion is not two classes and their counts")


def _check_matrix(rows: Any) -> None:
    """A network's confusion matrix: as many rows as columns, of counts."""
    sound = isinstance(rows, list) and all(isinstance(row, list) and len(row) == len(rows) for row in rows)
    if not sound or not all(type(count) is int and count >= 0 for row in rows for count in row):
        raise ValueError("matrix is not a table of counts")


def is_figure(value: Any) -> bool:
    """None, or a list with a number or None (not finite) for each network."""
    return value is None or (
        isinstance(value, list) and all(one is None or isinstance(one, int | float) for one in value)
    )


def read(path: Path) -> list[Line]:
    """The journal as if the run had never been stopped: a "resumed" line cancels earlier lines of later steps."""
    kept: list[Line] = []
    for line in read_lines(path):
        if line.get("event") == "resumed":
            kept = [old for old in kept if old.get("step", 0) <= line.get("step", 0)]
        kept.append(line)
    return kept


def epochs(path: Path) -> list[Line]:
    """Only the epoch lines, in order."""
    return [line for line in read(path) if "epoch" in line and "event" not in line]


def own_evaluation(evaluations: list[Line]) -> Line:
    """The last evaluation by training itself (a resumed run may have several); {} if there is none."""
    return next((line for line in reversed(evaluations) if line.get("by") == "train"), {})

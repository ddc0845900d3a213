"""A data set as a table of text: in each row a label and the pixels of an image, as in Kaggle's `label,pixel0,…`.

Rows are read a few at a time, so that memory is needed only for rows that are there.
"""

import csv
import gzip
import itertools
import math
import re
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TextIO

import numpy as np

from jaxquard.data.arrays import to_levels
from jaxquard.data.dataset import Dataset
from jaxquard.data.idx import MAX_BYTES
from jaxquard.data.parts import assemble
from jaxquard.errors import DataError
from jaxquard.naming import counted, visible

LABELS = ("label", "labels", "class", "target", "y")  # names of the column of labels
UNUSED = ("", "id", "index", "unnamed: 0")  # names of columns with a row's number
MAX_LINE = 1 << 22  # characters
CHUNK, ROOM = 1024, 1 << 24  # lines, and characters, that are in memory as text
EXPANSION, FREE = 200, 1 << 26  # characters of a gzipped table: so many for each byte, or so many in all
BLANK = 1 << 20  # empty lines in a row
UNLABELLED = ("", "nan")
WANTED = "expected rows of label,pixel0,pixel1,…"


class Form(NamedTuple):
    """What a table's first line says: the delimiter, whether the line is a header, the number of columns, which of them
    have the labels (None: none) and the pixels, and the names of the latter (without a header: none)."""

    delimiter: str
    header: bool
    columns: int
    label: int | None
    pixels: list[int]
    names: list[str]


def load_tables(path: Path, files: Sequence[tuple[str, Path]]) -> Dataset:
    """Read CSV files, gzipped or not, each with its part: "train", "val" or "test". `path` is the data set's.

    A row has a label, any text, and the pixels of a square image, grey or in colour (height, width, RGB): numbers from
    0 to 255, or from 0 to 1. Without test labels, a sixth of each class becomes the test set. Raises DataError.
    """
    images, labels, notes, first, unlabelled = {}, {}, [], None, 0
    for part, file in sorted(files, key=lambda one: one[0] != "train"):  # its header gives the order
        pixels, found, names = read_table(file)
        kept = [k for k, label in enumerate(found) if label.lower() not in UNLABELLED]
        if kept:
            unlabelled += len(found) - len(kept)
            first = first or (file, pixels.shape[1], names)
            pixels, found = _in_order(pixels, names, file, *first)[kept], [_whole(found[k]) for k in kept]
            images.setdefault(part, []).append(_images(pixels, file))
            labels.setdefault(part, []).extend(found)
        elif part == "test":  # as in Kaggle's competitions
            notes.append(f"{visible(file.name)} has no labels: not used")
        else:
            raise DataError(f"{file}: no labels; {WANTED}, or a header that names one column label")
    notes += [f"rows without a label left out: {unlabelled:,}"] if unlabelled else []
    every = {part: np.concatenate(arrays) for part, arrays in images.items()}
    levels, found = to_levels(every, {part: f"{path}:{part}" for part in every}, None, notes) if every else ({}, None)
    return assemble(path, {part: (levels[part], labels[part]) for part in levels}, notes=notes, value_range=found)


def _whole(label: str) -> str:
    """A label; whole numbers without leading zeros and fractions: 1 for 1, 01 and 1.0."""
    number = re.fullmatch(r"(-?)0*([0-9]+?)(\.0*)?", label)
    return number[1] + number[2] if number else label


def _in_order(
    pixels: np.ndarray, names: list[str], file: Path, first: Path, columns: int, wanted: list[str]
) -> np.ndarray:
    """Pixels (n, d) with their columns in the order of those of the `first` file. DataError for other columns."""
    if pixels.shape[1] != columns:
        raise DataError(f"{file}: pixels in each row: {pixels.shape[1]}, but {columns} in {first.name}")
    if not names or not wanted or names == wanted:
        return pixels
    if sorted(names) != sorted(wanted) or len(set(names)) < columns:
        raise DataError(f"{file}: the columns of its header are not those of {first.name}; give both the same names")
    return pixels[:, [names.index(name) for name in wanted]]


def read_table(file: Path) -> tuple[np.ndarray, list[str], list[str]]:
    """The pixels (n, d), uint8 or float32; the labels; the names of the columns of pixels. A table may have no labels,
    and no names. Raises DataError."""
    try:
        with gzip.open(file, "rt", encoding="utf-8-sig") if _gzipped(file) else file.open(encoding="utf-8-sig") as text:
            lines = _lines(text, file)
            first = next(lines, None)
            if first is None:
                raise DataError(f"{file}: empty; {WANTED}")
            form = _form(first[1])
            rows = lines if form.header else itertools.chain([first], lines)
            return *_read(rows, form, file), form.names
    except UnicodeDecodeError:
        raise DataError(f"{file}: not a text in UTF-8; save the table as CSV in UTF-8") from None
    except (OSError, EOFError, zlib.error, csv.Error) as error:
        why = getattr(error, "strerror", None) or error
        raise DataError(f"{file}: cannot be read, or damaged ({why})") from None


def _gzipped(file: Path) -> bool:
    with file.open("rb") as stream:
        return stream.read(2) == b"\x1f\x8b"


def _lines(text: TextIO, file: Path) -> Iterator[tuple[int, str]]:
    """The lines that are not empty, with their numbers."""
    most = min(MAX_BYTES, max(FREE, EXPANSION * file.stat().st_size)) if _gzipped(file) else MAX_BYTES
    left, blank = most, 0
    for number in itertools.count(1):
        line = text.readline(MAX_LINE)
        left -= len(line)
        blank = 0 if line.strip() else blank + 1
        if len(line) == MAX_LINE or left < 0 or blank > BLANK:
            advice = "; unpack the file first" if left < 0 and most < MAX_BYTES else ""
            raise DataError(f"{file}: line {number}: too long, or the file is too long{advice}")
        if not line:
            return
        if not blank:
            yield number, line


def _cells(line: str, delimiter: str) -> list[str]:
    if '"' in line:
        return next(csv.reader([line], delimiter=delimiter))
    return line.rstrip("\r\n").split(delimiter)


def _form(line: str) -> Form:
    """The form of a table, from its first line. Without a header, the labels are the first column, or the one column
    that is no number. A header has a name for the labels, several texts, or counts the columns: 0, 1, 2, …"""
    delimiter = max(",;\t", key=line.count)
    cells = [cell.strip().lower() for cell in _cells(line, delimiter)]
    named = next((k for k, cell in enumerate(cells) if cell in LABELS), None)
    text = [k for k, cell in enumerate(cells) if not _is_number(cell)]
    rest = [k for k, cell in enumerate(cells) if k != named and cell not in UNUSED]
    starts = (0,) if named is None else (0, 1)
    counted = bool(rest) and any(
        [cells[k] for k in rest] == [str(n + start) for n in range(len(rest))] for start in starts
    )
    header = (named is not None or len(text) > 1) if set(rest) & set(text) else counted
    if header:
        label = rest[0] if named is None and counted else named
    else:
        label, rest = (text or [0])[0], range(len(cells))
    pixels = [k for k in rest if k != label]
    return Form(delimiter, header, len(cells), label, pixels, [cells[k] for k in pixels] if header else [])


def _is_number(cell: str) -> bool:
    try:
        return math.isfinite(float(cell))
    except ValueError:
        return False


def _read(lines: Iterator[tuple[int, str]], form: Form, file: Path) -> tuple[np.ndarray, list[str]]:
    parts, labels = [np.zeros((0, len(form.pixels)), np.uint8)], []
    for chunk in _chunks(lines):
        for number, line in chunk:
            cells = _cells(line, form.delimiter)
            if len(cells) != form.columns:
                raise DataError(
                    f"{file}: line {number}: {counted(len(cells), 'column')}, but {form.columns} in the first line"
                )
            if form.label is not None:
                labels.append(cells[form.label].strip())
        parts.append(_numbers(chunk, form, file))
    return np.concatenate(parts), labels


def _chunks(lines: Iterator[tuple[int, str]]) -> Iterator[list[tuple[int, str]]]:
    chunk, room = [], ROOM
    for line in lines:
        chunk.append(line)
        room -= len(line[1])
        if len(chunk) == CHUNK or room < 0:
            yield chunk
            chunk, room = [], ROOM
    if chunk:
        yield chunk


def _numbers(chunk: list[tuple[int, str]], form: Form, file: Path) -> np.ndarray:
    """The pixels of some lines, (n, d): uint8, or float32 if these do not suffice."""
    for kind in (np.uint8, np.float32):
        try:
            options = {"delimiter": form.delimiter, "comments": None, "quotechar": '"', "ndmin": 2}
            found = np.loadtxt([line for _, line in chunk], kind, usecols=form.pixels, **options)
        except ValueError:
            continue
        if np.isfinite(found).all():
            return found
    for number, line in chunk:
        cells = _cells(line, form.delimiter)
        if wrong := [k for k in form.pixels if not _is_number(cells[k])]:
            raise DataError(f"{file}: line {number}, column {wrong[0] + 1}: {cells[wrong[0]][:40]!r} is not a number")
    raise DataError(f"{file}: lines {chunk[0][0]} to {chunk[-1][0]} cannot be read as numbers")


def _images(pixels: np.ndarray, file: Path) -> np.ndarray:
    """Rows of pixels (n, d) as images (n, side, side, 1 or 3)."""
    d = pixels.shape[1]
    if not d:
        raise DataError(f"{file}: no columns of pixels; {WANTED}, with a comma, semicolon or tab between")
    channels = next((c for c in (1, 3) if math.isqrt(d // c) ** 2 * c == d), None)
    if not channels:
        raise DataError(f"{file}: {d} pixels in each row do not make a square image, grey or RGB; {WANTED}")
    if len(pixels) and not 0 <= pixels.min() <= pixels.max() <= 255:
        raise DataError(f"{file}: pixels from {pixels.min():g} to {pixels.max():g}, expected 0 to 255, or 0 to 1")
    side = math.isqrt(d // channels)
    return pixels.reshape(-1, side, side, channels)

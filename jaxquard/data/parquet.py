"""A data set as Parquet files, as the Hugging Face Hub stores images: a column of pictures and one of labels."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jaxquard.data.dataset import Dataset
from jaxquard.data.idx import MAX_BYTES, MAX_EXPANSION
from jaxquard.data.parts import assemble
from jaxquard.data.reading import Options, read_pictures
from jaxquard.errors import DataError, JaxquardError
from jaxquard.installed import how_to_add
from jaxquard.naming import visible

LABELS = ("label", "labels", "fine_label", "class", "target")  # names of the column of labels
BATCH = 16  # rows in memory before they are counted
PER_ROW = 200  # bytes of memory besides a picture's


def load_parquet(path: Path, files: Sequence[tuple[str, Path]], options: Options) -> Dataset:
    """Read Parquet files, each with its part: "train", "val" or "test". `path` is the data set's.

    Labels are text or integers, which the files' metadata may name (ClassLabel). Rows without a label are left out.
    Without a test part, a sixth of each class becomes it. Needs the extra `parquet`. Raises DataError.
    """
    sources, labels, part_of, names, unlabelled = [], [], [], [], 0
    for part, file in files:
        pictures, values, named = _read(file)
        names.append(named)
        numbers = {name: k for k, name in enumerate(named or ())}
        for number, (picture, label) in enumerate(zip(pictures, values, strict=True)):
            if label is None or (label == -1 and named):
                unlabelled += 1
            else:
                sources.append((f"{file}, row {number}", picture))
                labels.append(numbers.get(label, label) if isinstance(label, str) else label)
                part_of.append(part)
    if any(named != names[0] for named in names):
        raise DataError(f"{path}: the files name different classes; keep those of one data set")
    if not sources:
        raise DataError(f"{path}: no rows with a picture and a label")
    images, used, notes = read_pictures(str(path), sources, options)
    notes += [f"rows without a label left out: {unlabelled:,}"] if unlabelled else []
    rows = {part: [at for at, k in enumerate(used) if part_of[k] == part] for part in dict.fromkeys(part_of)}
    parts = {part: (images[at], [labels[used[k]] for k in at]) for part, at in rows.items()}
    return assemble(path, parts, names[0], notes, skip_damaged=options.skip_damaged)


def _read(file: Path) -> tuple[list[bytes], list[int | str | None], list[str] | None]:
    """The pictures, the labels, and the names of the classes if the file has them."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise JaxquardError(f"{file}: to read Parquet, run {how_to_add('parquet')}") from None
    try:
        with parquet.ParquetFile(file, page_checksum_verification=True) as table:
            return _rows(table, file)
    except PermissionError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror or error})") from None
    except (pyarrow.ArrowException, OSError, ValueError, MemoryError, OverflowError) as error:
        raise DataError(f"{file}: damaged, or not a Parquet file ({str(error).splitlines()[0][:200]})") from None


def _rows(table: Any, file: Path) -> tuple[list[bytes], list[int | str | None], list[str] | None]:
    schema, size = table.schema_arrow, file.stat().st_size
    found = [field.name for field in schema if _has_pictures(field.type)]
    picture = "image" if "image" in found else next(iter(found), None)
    label = next((name for name in LABELS if name in schema.names), None)
    if picture is None or label is None or any(schema.names.count(one) > 1 for one in (picture, label)):
        raise DataError(
            f"{file}: has the columns {visible(', '.join(schema.names)[:200])};\n"
            "expected a column of pictures, such as image: {bytes, path}, and a column named label"
        )
    # not the columns' metadata: pyarrow ends the process if they are damaged
    declared = sum(table.metadata.row_group(k).total_byte_size for k in range(table.metadata.num_row_groups))
    if declared > min(size * MAX_EXPANSION, MAX_BYTES):
        raise DataError(f"{file}: declares {declared} bytes, more than a file of {size} bytes can hold")
    pictures, labels, room, known = [], [], MAX_BYTES, {}
    for batch in table.iter_batches(BATCH, columns=[picture, label]):
        for cell, value in zip(batch.column(picture).to_pylist(), batch.column(label).to_pylist(), strict=True):
            data = cell.get("bytes") if isinstance(cell, dict) else cell
            if data is None or not isinstance(value, int | str | None):
                what = "picture" if data is None else "label that is text or a whole number"
                raise DataError(f"{file}, row {len(labels)}: has no {what}")
            room -= len(data) + PER_ROW
            if room < 0:
                raise DataError(f"{file}: more than {MAX_BYTES >> 30} GB of pictures")
            pictures.append(known.setdefault(data, data))  # one copy of equal pictures
            labels.append(value)
    return pictures, labels, _class_names(schema, label, file)


def _has_pictures(kind: Any) -> bool:
    """Whether a column of this type has pictures: bytes, or a struct with a field `bytes`."""
    from pyarrow import types

    if types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
        kind = kind.field("bytes").type
    return types.is_binary(kind) or types.is_large_binary(kind)


def _class_names(schema: Any, label: str, file: Path) -> list[str] | None:
    """The names that the metadata of the Hub's `datasets` library give to the integers of a column."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        names = features[label].get("names")
    except KeyError:
        return None
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise DataError(f"{file}: damaged metadata of the classes") from None
    if names is not None and not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
        raise DataError(f"{file}: damaged metadata of the classes")
    return names

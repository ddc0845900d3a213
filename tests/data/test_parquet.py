"""Parquet files as the Hugging Face Hub stores images, written by pyarrow and pandas."""

import json
import sys
from pathlib import Path

import numpy as np
import pandas
import pyarrow
import pytest
from pyarrow import parquet

from jaxquard.data import load
from jaxquard.data import parquet as reader
from jaxquard.errors import DataError, JaxquardError

from .drawings import saved

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (24, 6, 6), np.uint8)
CELLS = [{"bytes": saved(one), "path": f"{k}.png"} for k, one in enumerate(PIXELS)]
LABELS = (np.arange(24) % 3).tolist()


def put(path: Path, cells=CELLS, labels=LABELS, *, image="image", label="label", names=None, **options) -> Path:
    table = pyarrow.table({image: pyarrow.array(cells), label: pyarrow.array(labels)})
    if names is not None:
        features = {"image": {"_type": "Image"}, label: {"names": names, "_type": "ClassLabel"}}
        document = names if isinstance(names, bytes) else json.dumps({"info": {"features": features}}).encode()
        table = table.replace_schema_metadata({"huggingface": document})
    parquet.write_table(table, path, **options)
    return path


def test_a_file_with_named_classes(tmp_path):
    dataset = load(put(tmp_path / "pets.parquet", names=["cat", "dog", "cow"], compression="zstd"))
    assert (dataset.name, dataset.class_names) == ("pets", ("cat", "dog", "cow"))
    assert (len(dataset.train_labels), len(dataset.test_labels)) == (20, 4)
    text = load(put(tmp_path / "text.parquet", labels=["cat", "dog", "cow"] * 8, names=["cat", "dog", "cow"]))
    assert text.sha256 == dataset.sha256
    known = {one.tobytes(): label for one, label in zip(PIXELS, LABELS, strict=True)}
    for image, label in zip(dataset.train_images, dataset.train_labels, strict=True):
        assert known[image.tobytes()] == label
    assert dataset.reading == {"image_size": "6x6", "color": "grey", "skip_damaged": False}


@pytest.mark.parametrize(
    ("labels", "names"), [(["b", "a", "ä"] * 8, ("a", "b", "ä")), ([7, -1, 100] * 8, ("7", "100", "-1"))]
)
def test_labels_of_text_or_any_integers(labels, names, tmp_path):
    assert load(put(tmp_path / "x.parquet", labels=labels)).class_names == names


def test_a_folder_with_files_for_each_part(tmp_path):
    options = {"names": ["cat", "dog", "cow"], "image": "img", "label": "fine_label"}
    for k in range(2):
        put(tmp_path / f"train-0000{k}-of-00002.parquet", CELLS[12 * k :][:12], LABELS[12 * k :][:12], **options)
    put(tmp_path / "validation-00000-of-00001.parquet", CELLS[:3], LABELS[:3], **options)
    put(tmp_path / "test-00000-of-00001.parquet", CELLS[:6], [0, 1, 2, -1, -1, -1], **options)
    dataset = load(tmp_path)
    np.testing.assert_array_equal(dataset.train_images[..., 0], PIXELS)
    assert (len(dataset.val_labels), dataset.test_labels.tolist()) == (3, [0, 1, 2])
    assert "rows without a label left out: 3" in dataset.notes
    for k in range(2):
        unlabelled = put(tmp_path / f"train-0000{k}-of-00002.parquet", CELLS[:2], [-1, -1], **options)
    with pytest.raises(DataError, match="no training images have a label"):
        load(unlabelled.parent)
    put(tmp_path / "test-00000-of-00001.parquet", **options | {"names": ["cat", "cow", "dog"]})
    with pytest.raises(DataError, match="the files name different classes"):
        load(tmp_path)


def test_a_column_of_bytes_alone(tmp_path):
    others = [b"a mask"] * len(CELLS)  # which comes before the pictures
    frame = pandas.DataFrame({"label": LABELS, "mask": others, "image": [cell["bytes"] for cell in CELLS]})
    frame.to_parquet(tmp_path / "x.parquet")
    assert load(tmp_path / "x.parquet").image_shape == (6, 6, 1)


def test_equal_pictures_are_in_memory_once(tmp_path):
    first, second = reader._read(put(tmp_path / "x.parquet", CELLS[:1] * 2, LABELS[:2]))[0]
    assert first is second


def test_mistakes(tmp_path, monkeypatch):
    def refused(path: Path, kind: type = DataError) -> str:
        with pytest.raises(kind) as caught:
            load(path)
        assert str(caught.value).count("\n") < 2
        return str(caught.value)

    path = tmp_path / "x.parquet"
    whole = put(path).read_bytes()
    for data in (b"", b"PAR1", whole[:-20], whole[:40] + whole[60:], b"PAR1" + bytes(500) + b"PAR1"):
        path.write_bytes(data)
        assert refused(path).startswith(f"{path}")
    assert "has the columns image, kind" in refused(put(path, label="kind"))
    twice = pyarrow.Table.from_arrays([CELLS, CELLS, LABELS], ["image", "image", "label"])
    parquet.write_table(twice, path)
    assert "has the columns image, image, label" in refused(path)
    assert "has the columns image, label" in refused(put(path, cells=LABELS))
    assert "row 1: has no picture" in refused(put(path, [CELLS[0], {"bytes": None, "path": "x.png"}] * 12))
    assert "row 0: has no label that is text" in refused(put(path, labels=[0.5] * 24))
    assert "no rows with a picture and a label" in refused(put(path, labels=[-1] * 24, names=["a"]))
    assert "damaged metadata" in refused(put(path, names=b"{"))
    assert "damaged metadata" in refused(put(path, names=[1, 2]))
    for labels, said in (
        (LABELS, "'2'"),
        (np.array([0, 1, 2**64 - 1] * 8, np.uint64), f"'{2**64 - 1}'"),
        (["cat", "cow"] * 12, "'cow'"),
    ):
        assert f"{said} is none of the 2 labels" in refused(put(path, labels=labels, names=["cat", "dog"]))
    assert f"{path}, row 2: the PNG picture is damaged" in refused(
        put(path, [*CELLS[:2], {"bytes": CELLS[0]["bytes"][:-9]}] * 8)
    )
    monkeypatch.setattr(reader, "MAX_EXPANSION", 0.1)
    assert "more than a file of" in refused(put(path))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert "[parquet]" in refused(path, JaxquardError)

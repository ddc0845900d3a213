"""Tables of text: with and without a header, gzipped, in colour, and mistakes with the number of the line."""

import gzip
from pathlib import Path

import numpy as np
import pandas
import pytest

from jaxquard.data import load, tables
from jaxquard.errors import DataError

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (24, 16))
LABELS = np.arange(24) % 3


def written(path: Path, pixels: np.ndarray = PIXELS, labels=LABELS, *, place: int = 0, **options) -> Path:
    """Kaggle's form, written by pandas."""
    frame = pandas.DataFrame(pixels, columns=[f"pixel{k}" for k in range(pixels.shape[1])])
    if labels is not None:
        frame.insert(place, "label", labels)
    frame.to_csv(path, **{"index": False} | options)
    return path


def everything(dataset) -> tuple[np.ndarray, np.ndarray]:
    """All images and labels, in the order of the labels' first pixels."""
    images = np.concatenate([dataset.train_images, dataset.test_images])
    labels = np.concatenate([dataset.train_labels, dataset.test_labels])
    return images, labels


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"header": False},
        {"place": 16},
        {"index": True},
        {"sep": ";"},
        {"sep": "\t", "lineterminator": "\r\n"},
        {"encoding": "utf-8-sig"},
        {"quoting": 1},
    ],
    ids=str,
)
@pytest.mark.parametrize("suffix", [".csv", ".csv.gz"])
def test_every_common_form_gives_the_same(options, suffix, tmp_path):
    dataset = load(written(tmp_path / f"mine{suffix}", **options))
    assert dataset.image_shape == (4, 4, 1)
    assert dataset.class_names == ("0", "1", "2")
    assert dataset.name == "mine"
    assert np.bincount(dataset.test_labels).tolist() == [2, 1, 1] or len(dataset.test_labels) == 4
    rows = {tuple(row): label for row, label in zip(PIXELS.tolist(), LABELS, strict=True)}
    for image, label in zip(*everything(dataset), strict=True):
        assert rows[tuple(image.ravel())] == label


def test_a_folder_with_a_table_for_each_part(tmp_path):
    written(tmp_path / "fashion-mnist_train.csv", labels=[f"kind {k}" for k in LABELS + 9])
    written(tmp_path / "fashion-mnist_test.csv.gz", PIXELS[:3], ["kind 9", "kind 10", "kind 11"])
    dataset = load(tmp_path)
    assert dataset.class_names == ("kind 9", "kind 10", "kind 11")
    np.testing.assert_array_equal(dataset.train_images.reshape(24, 16), PIXELS)
    assert dataset.test_labels.tolist() == [0, 1, 2]
    written(tmp_path / "fashion-mnist_test.csv.gz", PIXELS[:1], ["kind 8"])
    with pytest.raises(DataError, match="kind 8"):
        load(tmp_path)
    (tmp_path / "fashion-mnist_test.csv.gz").unlink()
    written(tmp_path / "test.csv", labels=None)
    dataset = load(tmp_path)
    assert "test.csv has no labels: not used" in dataset.notes
    assert len(dataset.test_labels) == 4


def test_labels_of_any_values_are_names_in_natural_order(tmp_path):
    assert load(written(tmp_path / "a.csv", labels=LABELS * 5 + 5)).class_names == ("5", "10", "15")
    text = load(written(tmp_path / "b.csv", labels=np.array(["Ölbaum", "a,b", "c"])[LABELS], header=False))
    assert set(text.class_names) == {"Ölbaum", "a,b", "c"}


def test_fractions_and_colour(tmp_path):
    dataset = load(written(tmp_path / "a.csv", PIXELS / 255))
    assert dataset.train_images.dtype == np.float32
    assert 0.5 < dataset.train_images.max() <= 1
    assert load(written(tmp_path / "b.csv", PIXELS.astype(float))).train_images.dtype == np.uint8
    assert load(written(tmp_path / "c.csv", PIXELS[:, :12])).image_shape == (2, 2, 3)


ROWS = "0,90,2,3,4\n1,50,6,7,8\n0,10,3,3,4\n1,50,7,7,8\n"


@pytest.mark.parametrize(
    "text",
    [
        "0,1,2,3,4\n" + ROWS,
        ",0,1,2,3,4\n" + "".join(f"{k},{row}\n" for k, row in enumerate(ROWS.split())),
        "label,1,2,3,4\n" + ROWS,
        "label,a,b,c,d\n" + ROWS + ",1,2,3,4\nNaN,1,2,3,4\n",
        ROWS.replace("0,10,", "00,10,").replace("1,50,7", "1.0,50,7"),
    ],
)
def test_the_header_and_the_labels_of_a_table(text, tmp_path):
    (tmp_path / "a.csv").write_text(text)
    dataset = load(tmp_path / "a.csv")
    assert dataset.class_names == ("0", "1")
    images, labels = everything(dataset)
    found = {f"{label},{','.join(map(str, image.ravel()))}" for image, label in zip(images, labels, strict=True)}
    assert found == set(ROWS.split())
    assert ("rows without a label left out: 2" in dataset.notes) == ("NaN" in text)


def test_a_first_row_with_the_label_y_is_no_header(tmp_path):
    (tmp_path / "a.csv").write_text("y,9,2,3,4\nz,5,6,7,8\n" * 3)
    assert load(tmp_path / "a.csv").counts == [3, 2]


def test_columns_are_matched_by_their_names(tmp_path):
    (tmp_path / "train.csv").write_text("label,a,b,c,d\n" + ROWS)
    (tmp_path / "test.csv").write_text("d,c,b,a,label\n40,30,20,10,0\n")
    assert load(tmp_path).test_images.ravel().tolist() == [10, 20, 30, 40]
    for text, said in (
        ("label,a,b,c,e\n0,1,2,3,4\n", "columns of its header"),
        ("label,a\n0,1\n", "but 4 in train.csv"),
    ):
        (tmp_path / "test.csv").write_text(text)
        with pytest.raises(DataError, match=rf"test\.csv: .*{said}"):
            load(tmp_path)


HEAD = "label,pixel0,pixel1,pixel2,pixel3\n0,1,2,3,4\n1,1,2,3,4\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty; expected rows of label,pixel0"),
        (HEAD + "2,1,2,3\n", "line 4: 4 columns, but 5 in the first line"),
        (HEAD + "2,1,2,3,4,5\n", "line 4: 6 columns"),
        (HEAD + "\n2,1,2,x,4\n", "line 5, column 4: 'x' is not a number"),
        (HEAD + "2,1,,3,4\n", "line 4, column 3: '' is not a number"),
        (HEAD + "2,1,nan,3,4\n", "line 4, column 3: 'nan' is not a number"),
        (HEAD + "2,1,1e400,3,4\n", "line 4, column 3: '1e400' is not a number"),
        (HEAD + "2,1,2,3,256\n", "pixels from 1 to 256, expected 0 to 255"),
        (HEAD + "2,1,2,3,-1\n", "pixels from -1 to 4"),
        ("label,a,b\n0,1,2\n", "2 pixels in each row do not make a square image"),
        ("label\n0\n", "no columns of pixels; expected rows"),
        ("kind,a,b,c,d\n0,1,2,3,4\n", "no labels; expected"),
        (HEAD + "2," + "1" * (1 << 22), "line 4: too long"),
        (HEAD + '2,1,2,3,"' + "4" * (1 << 18) + '"', "field larger than"),
        ("<html>", "no columns of pixels"),
        ("id\n1\n", "no columns of pixels"),
        ("1 2 3 4 5\n", "with a comma, semicolon or tab between"),
        ("\0\1\2", "."),
        (HEAD.replace("\n0", "\n").replace("\n1", "\nnan"), "no labels; expected rows"),
        (HEAD + "1" * 5000 + ",1,2,3,4\n", "names a class; a name has 1 to 255"),
        (HEAD + "\n" * (tables.BLANK + 2), "too long, or the file is too long"),
        (HEAD + "x" * 256 + ",1,2,3,4\n", "names a class; a name has 1 to 255"),
        (HEAD + "\x01,1,2,3,4\n\\x01,1,2,3,4\n", r"two classes are called '\\\\x01'"),
        ("=cmd(),1\n", "no examples"),
    ],
)  # fmt: skip
def test_mistakes_name_the_line(text, said, tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=said) as caught:
        load(path)
    assert str(caught.value).startswith(str(path))
    assert len(str(caught.value)) < 400


def test_files_that_are_no_text(tmp_path):
    path = tmp_path / "bad.csv.gz"
    for data in (gzip.compress(HEAD.encode() * 100)[:-9], b"\x1f\x8b\x08", b"\xff\xfel\0a\0", bytes(range(256))):
        path.write_bytes(data)
        with pytest.raises(DataError, match=r"bad\.csv\.gz: "):
            load(path)


def test_a_bomb_is_refused_early(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "FREE", 1 << 20)
    path = tmp_path / "bomb.csv.gz"
    path.write_bytes(gzip.compress((HEAD + "0,1,2,3,4\n" * (1 << 18)).encode()))
    with pytest.raises(DataError, match=r"bomb\.csv\.gz: line .*: too long, or .*unpack"):
        load(path)


def test_few_long_rows_are_in_memory_at_a_time():
    lines = [(k, "1," * (tables.ROOM // 4)) for k in range(5)]
    assert [len(chunk) for chunk in tables._chunks(iter(lines))] == [3, 2]

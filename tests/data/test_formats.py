"""The table of formats, and the page that describes them."""

from pathlib import Path

import pytest

from jaxquard.data import load, npz, parquet, tables
from jaxquard.data.catalogue import CATALOGUE
from jaxquard.data.formats import FORMATS
from jaxquard.errors import DataError

PAGE = (Path(__file__).parents[2] / "docs" / "DATA.md").read_text(encoding="utf-8")


def test_every_name_is_on_the_page():
    names = {*CATALOGUE, *tables.LABELS, *parquet.LABELS}.union(*npz._SPELLINGS.values())
    assert [name for name in names - {"labels"} if f"`{name}`" not in PAGE] == []


@pytest.mark.parametrize(
    "names", [(), ("x.txt",), ("train.txt", "train"), ("train_2.csv/", "a/b/c/d.png"), (".csv", ".train.csv")]
)
def test_other_folders_are_explained(names, tmp_path):
    for name in names:
        path = tmp_path / name
        path.mkdir(parents=True) if name.endswith("/") else path.parent.mkdir(parents=True, exist_ok=True)
        if not name.endswith("/"):
            path.write_text("")
    with pytest.raises(DataError, match="no data set: no pictures, and no IDX, CSV or Parquet files"):
        load(tmp_path)


@pytest.mark.parametrize(
    "name", ["data/train-0-of-1.parquet", "x/cat/1.png", "test/cat/1.png", "a.csv", "a.npz", "a/train.csv"]
)
def test_a_data_set_inside_the_folder_is_named(name, tmp_path):
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("")
    with pytest.raises(DataError, match=f"no data set for training, but .*: give {tmp_path / name.split('/')[0]}$"):
        load(tmp_path)


def test_files_of_other_formats(tmp_path):
    for name in ("a.txt", "a.png", "a.gz", "a", "a\n.txt"):
        (tmp_path / name).write_text("label,a\n")
        with pytest.raises(DataError, match=r"a \.csv, \.csv\.gz, \.parquet or \.npz file") as caught:
            load(tmp_path / name)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("other", "note"),
    [
        ("mnist_train.csv", "train: images from 2 files: mnist_train.csv, train.csv"),
        ("train.parquet", "not used: train.parquet"),
        ("train_2.csv", ""),
    ],
)
def test_other_tables_in_the_folder_are_noted(other, note, tmp_path):
    for name in ("train_1.csv" if other == "train_2.csv" else "train.csv", other):
        (tmp_path / name).write_text("label,a\n0,200\n1,100\n")
    assert note in load(tmp_path).notes if note else not [one for one in load(tmp_path).notes if "train_" in one]


@pytest.mark.parametrize(
    ("name", "place"),
    [("a.npz", "zipfile.ZipFile"), ("a.parquet", "pyarrow.parquet.ParquetFile"), ("a.csv", "gzip.open")],
)
def test_a_file_without_permission(name, place, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    (tmp_path / name).write_bytes(b"\x1f\x8b")
    monkeypatch.setattr(place, refuse)
    with pytest.raises(DataError, match=r"cannot be read.*\(Permission denied\)"):
        load(tmp_path / name)


def test_the_last_formats_take_every_path(tmp_path):
    assert FORMATS[-2].fits(tmp_path)
    (tmp_path / "x").write_text("")
    assert FORMATS[-1].fits(tmp_path / "x")

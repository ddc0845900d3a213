"""The table of formats, and the page that describes them."""

from pathlib import Path

import pytest

from jaxquard.data import load, npz, parquet, tables
from jaxquard.data.catalogue import CATALOGUE
from jaxquard.data.formats import FORMATS
from jaxquard.errors import DataError
from jaxquard.naming import visible

PAGE = (Path(__file__).parents[2] / "docs" / "DATA.md").read_text(encoding="utf-8")


def test_every_name_is_on_the_page():
    names = {*CATALOGUE, *tables.LABELS, *parquet.LABELS}.union(*npz._SPELLINGS.values())
    assert [name for name in names - {"labels"} if f"`{name}`" not in PAGE] == []


@pytest.mark.parametrize("entry", CATALOGUE.values(), ids=lambda entry: entry.name)
def test_the_licence_of_a_known_data_set_is_on_the_page_with_its_source(entry):
    (row,) = (line for line in PAGE.splitlines() if line.startswith("| `") and f"`{entry.name}`" in line)
    licence = row.split("|")[4]
    assert licence.strip().startswith(f"[{entry.licence.upper()}](" if entry.licence else "none stated")
    assert "](http" in licence


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
    ("names", "refusal"),
    [
        ("train_1.csv train_2.csv", ""),
        ("train-0-of-2-0123456789abcdef.csv train-1-of-2-fedcba9876543210.csv test.csv", ""),
        ("train-0-of-1.csv train-0-of-2.csv", "has train-0-of-1.csv and train-0-of-2.csv; keep one of them"),
        ("train-1-of-2.csv train-2-of-2.csv", ""),
        ("train-02-of-03-0123456789abcdef.csv train-00-of-03.csv", "train-01-of-03.csv is missing"),
        ("train.csv test-00001-of-00009.parquet test-1-of-2.csv", "test-0-of-2.csv is missing"),
        ("mnist_train.csv train.csv", "has mnist_train.csv and train.csv; keep one of them"),
        ("train.csv train.csv.gz", "has train.csv and train.csv.gz; keep one of them"),
        ("train.csv val.csv valid_2.csv", "has val.csv and valid_2.csv; keep one of them"),
        ("train.parquet train_2.parquet", "has train.parquet and train_2.parquet; keep one of them"),
    ],
)
def test_several_tables_for_a_part_are_shards_or_refused(names, refusal, tmp_path):
    for name in names.split():
        (tmp_path / name).write_text("label,a\n0,200\n1,100\n")
    if refusal:
        with pytest.raises(DataError, match=f"^{tmp_path}: {refusal}$"):
            load(tmp_path)
    else:
        assert sum(load(tmp_path).counts) == (4 if "test.csv" in names else 3)
        assert sum(load(tmp_path / names.split()[0]).counts) == 1


def test_tables_of_another_format_are_noted(tmp_path):
    for name in ("train.csv", "train.parquet"):
        (tmp_path / name).write_text("label,a\n0,200\n1,100\n")
    assert "not used: train.parquet" in load(tmp_path).notes


@pytest.mark.parametrize("name", ["train-\n\x1b.csv", "train-\n.parquet", "a\n.npz", "a\n/1.png"])
def test_names_of_files_are_escaped_in_messages(name, tmp_path):
    folder = tmp_path / "data\nset"
    (folder / name).parent.mkdir(parents=True)
    (folder / name).write_text("?")
    with pytest.raises(DataError) as caught:
        load(folder)
    assert str(caught.value).startswith(visible(str(folder)))
    assert visible(name.split("/")[0]) in str(caught.value)
    assert all(line.isprintable() for line in str(caught.value).splitlines())


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

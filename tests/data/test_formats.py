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
    "names", [(), ("x.txt",), ("train.txt", "train"), ("train_2.csv/", "a/b/c.png"), (".csv", ".train.csv")]
)
def test_other_folders_are_explained(names, tmp_path):
    for name in names:
        path = tmp_path / name
        path.mkdir(parents=True) if name.endswith("/") else path.parent.mkdir(parents=True, exist_ok=True)
        if not name.endswith("/"):
            path.write_text("")
    with pytest.raises(DataError, match="no data set: no pictures, and no IDX, CSV or Parquet files"):
        load(tmp_path)


def test_the_last_formats_take_every_path(tmp_path):
    assert FORMATS[-2].fits(tmp_path)
    (tmp_path / "x").write_text("")
    assert FORMATS[-1].fits(tmp_path / "x")

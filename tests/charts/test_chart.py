"""Saving a chart, and its table."""

import dataclasses
import sys
from xml.etree import ElementTree

import pytest

from jaxquard.charts import Chart, data_table, lines, save
from jaxquard.errors import JaxquardError


def small(table=()) -> Chart:
    chart = lines([{"x": 0, "y": 1}, {"x": 1, "y": 2}], "x", "y", title="Small", subtitle="Two points.")
    return Chart(chart.title, chart.subtitle, chart.description, chart.view, list(table) or chart.table)


def test_suffix_chooses_the_format(tmp_path):
    assert save(small(), tmp_path / "a.svg") == [tmp_path / "a.svg"]
    assert [p.name for p in tmp_path.iterdir()] == ["a.svg"]


def test_texts_are_escaped_in_an_svg(tmp_path):
    title, description = "a < b & </title><script>", 'x > "y" & <desc>'
    (path,) = save(dataclasses.replace(small(), title=title, description=description), tmp_path / "a.svg")
    svg = ElementTree.parse(path).getroot()
    assert [(one.tag.rpartition("}")[2], one.text) for one in svg[:2]] == [("title", title), ("desc", description)]


@pytest.mark.parametrize("suffix", [".svg", ".png"])
def test_drawing_loads_nothing_from_the_network(tmp_path, suffix):
    remote = dataclasses.replace(small(), view={"data": {"url": "http://127.0.0.1:9/x.json"}, "mark": "point"})
    with pytest.raises(ValueError, match="External data url not allowed"):
        save(remote, tmp_path / f"a{suffix}")


def test_html_needs_no_network(tmp_path):
    (page,) = save(small(), tmp_path / "a.html")
    text = page.read_text()
    assert text.startswith("<!DOCTYPE html>")
    assert "Two points." in text
    assert "<script src" not in text
    assert "<link" not in text


def test_nothing_is_overwritten_by_accident(tmp_path):
    (tmp_path / "a.svg").write_text("mine")
    with pytest.raises(JaxquardError, match=r"a\.svg: already there; .* --overwrite"):
        save(small(), tmp_path / "a")
    assert [p.name for p in tmp_path.iterdir()] == ["a.svg"]
    assert (tmp_path / "a.svg").read_text() == "mine"
    save(small(), tmp_path / "a", overwrite=True)
    assert (tmp_path / "a.svg").read_text() != "mine"


def test_a_failed_write_keeps_the_old_chart(tmp_path, monkeypatch):
    (old,) = save(small(), tmp_path / "a.svg")
    before = old.read_bytes()
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(JaxquardError, match=r"a\.svg: cannot write: No space left on device"):
        save(small(), old, overwrite=True)
    assert old.read_bytes() == before
    assert list(tmp_path.iterdir()) == [old]


def test_a_folder_that_is_not_there_is_one_message(tmp_path):
    with pytest.raises(JaxquardError, match=r"nowhere/a\.svg: cannot write: No such file"):
        save(small(), tmp_path / "nowhere" / "a.svg")


def test_without_the_extra_the_message_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    with pytest.raises(JaxquardError, match=r'pip install "jaxquard\[charts\]"$'):
        save(small(), tmp_path / "a")
    assert not list(tmp_path.iterdir())


def test_table_is_markdown():
    rows = [{"who": "a|b", "value": 0.123456}, {"who": "two\nlines", "value": None}]
    assert data_table(small(rows)).splitlines() == [
        "| who | value |",
        "| --- | --- |",
        "| a\\|b | 0.1235 |",
        "| two lines | – |",
    ]

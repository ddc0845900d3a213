"""Class names come from strangers: no output lets them control a terminal, a page or a spreadsheet."""

import csv
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from jaxquard import charts

NAMES = [
    "\x1b[31mred\x07\r\n",
    "</script><script>f()",
    "=cmd|' /C calc'!A0",
    "@SUM(1+1)",
    "-1",
    "[bold]rich[/bold]",
    "- yaml: 'true' # \"no\"",
    "\u202egpj.exe",
    "👩\u200d🔬",
    "شجرة",
    "x" * 255,
]
SHOWN = ["\\x1b[31mred\\x07", *NAMES[1:7], "\\u202egpj.exe", *NAMES[8:]]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A table with six images of each class, which its own grey level tells from the others."""
    path = tmp_path_factory.mktemp("data") / "strange.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        for level, name in enumerate(NAMES):
            csv.writer(file).writerows([[name.strip(), *[20 * level + k] * 16] for k in range(6)])
    return path


def test_names_from_strangers_do_no_harm_in_any_output(table, jaxquard, tmp_path):
    """The fixture `jaxquard` refuses control characters in any output."""
    said = jaxquard("data", table, "--sheet", "sheet.svg")
    assert said.code == 0, said.err
    words = "".join(ElementTree.parse("sheet.svg").getroot().itertext())
    assert [name for name in SHOWN if f"{name}: 5 images" not in words] == ["x" * 255]  # cut off
    known = jaxquard("data", table, "--json").document["classes"]
    assert sorted(known) == sorted(SHOWN)
    for command in (f"train --dataset {table} --hidden 5 --batch-size 10 --epochs 2 --name one", "evaluate one"):
        said = jaxquard(*command.split())
        assert said.code == 0, said.err
    everything = re.sub(r"\s", "", said.out)
    assert [name for name in SHOWN if re.sub(r"\s", "", name) not in everything] == ["x" * 255]  # folded
    Image.fromarray(np.full((4, 4), 99, np.uint8)).save("=1+1.png")
    assert jaxquard("predict", "one", "=1+1.png", "--csv", "answers.csv").code == 0
    with open("answers.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[1][0] == "'=1+1.png"
    assert sorted(cell.removeprefix("'") for cell in rows[0][3:]) == sorted(SHOWN)
    assert [cell for row in rows for cell in row if re.match(r"[=+@\t\r-]", cell)] == ["-1"]
    jaxquard("predict", "one", "=1+1.png", "--json")


def test_names_of_files_from_strangers_are_escaped(jaxquard, tmp_path):
    for k in range(12):
        path = tmp_path / "pets" / "ab"[k % 2] / f"\x1b[31m{k}\n.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((4, 4), 20 * k, np.uint8)).save(path)
    path.write_bytes(b"\x89PNG\r\n\x1a\n")
    place = ("--data-dir", tmp_path / "cache")
    said = jaxquard("data", "pets", *place)
    assert said.code == 3
    assert "[31m11" in said.err
    said = jaxquard("data", "pets", "--skip-damaged", *place)
    assert said.code == 0
    assert "left out as damaged: 1" in said.out
    settings = ["--hidden", "5", "--batch-size", "5", "--epochs", "1", "--name", "one", "--skip-damaged"]
    assert jaxquard("train", "--dataset", "pets", *settings, *place).code == 0
    assert jaxquard("predict", "one", "pets/a", "pets/b").code == 3
    said = jaxquard("predict", "one", "pets/a")
    assert r"pets/a/\x1b[31m0\n.png" in said.out
    assert jaxquard("predict", "one", "pets/a", "--csv", "-").code == 0


@pytest.mark.check
def test_names_from_strangers_are_text_in_charts(tmp_path):
    chart = charts.confusion_matrix(np.eye(len(SHOWN), dtype=int), SHOWN)
    for suffix in ("svg", "html"):
        charts.save(chart, tmp_path / f"chart.{suffix}")
    svg = (tmp_path / "chart.svg").read_text(encoding="utf-8")
    words = "".join(ElementTree.fromstring(svg).itertext())
    assert [name for name in SHOWN if name not in words] == ["x" * 255]  # cut off
    assert "<script" not in svg
    assert "<script>f()" not in (tmp_path / "chart.html").read_text(encoding="utf-8")

"""The code of docs/PARTS.md, run from top to bottom on part of a data set."""

import dataclasses
import re
from pathlib import Path

import pytest

import jaxquard
from jaxquard.data import Dataset

PAGE = Path(__file__).parents[1] / "docs" / "PARTS.md"


@pytest.mark.check
def test_the_code_of_the_page_runs(clothes: Dataset, tmp_path: Path, monkeypatch, capsys):
    parts = {name: getattr(clothes, name)[:1000] for name in ("train_images", "train_labels")}
    monkeypatch.setattr(jaxquard, "load", lambda name: dataclasses.replace(clothes, **parts), raising=False)
    monkeypatch.chdir(tmp_path)
    code = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert len(code) == 9
    assert sum(map(bool, code[0].splitlines())) == 25
    exec("\n".join(code), {"__name__": "page"})
    accuracies = [float(line.split()[-1]) for line in capsys.readouterr().out.splitlines()]
    assert len(accuracies) == 7
    assert min(accuracies) > 0.2  # twice as much as guessing
    assert len((tmp_path / "epochs.csv").read_text().splitlines()) == 2
    assert list((tmp_path / "logs").iterdir())

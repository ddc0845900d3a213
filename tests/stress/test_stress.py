"""The short forms of `make stress`, and the reliability page."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from . import planted, table

HERE, ROOT = Path(__file__).parent, Path(__file__).parents[2]
DOCS = ROOT / "docs"


MEASURES = ("kills", "damage", "cost", "signals", "contenders", "disk", "handwritten", "hostile", "downloads")


@pytest.mark.check
@pytest.mark.parametrize(
    "script",
    [
        [".", *MEASURES, "--short"],
        ["planted.py", *(name for name in planted.CONTROLS if name not in planted.SEVERAL)],
        [".", "ranks", "--short"],
        ["planted.py", *planted.SEVERAL],
    ],
    ids=["in_short", "faults", "ranks_solo", "faults_solo"],  # the Makefile runs those solo after all else
)
def test_every_promise_holds_in_short_and_every_fault_is_detected(script):
    command = [sys.executable, *script]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=3600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]


def test_every_promise_has_a_planted_fault() -> None:
    promises = [str(row["promise"]) for row in table.known()]
    assert [promise for name in planted.CONTROLS for promise in promises if promise.startswith(name)] == promises


def test_the_page_is_drawn_from_the_measurements() -> None:
    assert (DOCS / "RELIABILITY.md").read_text(encoding="utf-8") == table.page(table.known())


def test_every_row_is_complete_and_has_a_script_that_repeats_it() -> None:
    rows = json.loads((DOCS / "reliability.json").read_text(encoding="utf-8"))
    assert len(rows) == len({row["promise"] for row in rows})
    for row in rows:
        assert set(row) == {"promise", "figure", "goal", "holds", "command"}
        assert isinstance(row["holds"], bool)
        script = HERE / f"{table.measured_by(row)}.py"
        assert "measure" in {
            node.name for node in ast.parse(script.read_text()).body if isinstance(node, ast.FunctionDef)
        }


def test_every_word_of_the_ordinary_tests_still_names_a_test() -> None:
    """By parsing, which is faster than collecting."""
    body = ast.parse((HERE / "ordinary.py").read_text(encoding="utf-8")).body
    ordinary = next(
        node.value for node in body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "PROMISES"
    )
    for promise, files, words in ast.literal_eval(ordinary):
        names = [name for place in files.split() for name in names_of_tests(ROOT / place)]
        for word in words.split(" or "):
            assert any(word in name for name in names), (promise, word)


def names_of_tests(place: Path) -> list[str]:
    """The names of the tests in a file, or in every file of a folder."""
    files = place.rglob("test_*.py") if place.is_dir() else [place]
    nodes = (node for file in files for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    return [node.name for node in nodes if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]


def test_a_measure_replaces_its_own_rows_and_no_others(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(table, "DOCS", tmp_path)
    rows = [{"promise": promise, "figure": "1 of 1", "goal": "all", "holds": True} for promise in "abc"]
    table.record("kills", rows[:2], ("damage", "kills"))
    table.record("damage", rows[2:], ("damage", "kills"))
    table.record("kills", [rows[0] | {"holds": False}], ("damage", "kills"))
    assert [(row["promise"], row["holds"]) for row in table.known()] == [("c", True), ("a", False)]
    page = (tmp_path / "RELIABILITY.md").read_text(encoding="utf-8")
    assert page.count("**no**") == page.count("`python tests/stress kills`") == 1

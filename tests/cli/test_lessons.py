"""The verbs of lessons, with made-up clothes in place of the real ones and a very small lesson."""

import io
import json
import re
import sys

import pytest

from jaxquard.cli import lessons as verbs
from jaxquard.cli.options import Common
from jaxquard.errors import JaxquardError, UsageError
from jaxquard.lessons import NAMES


@pytest.fixture
def tiny(monkeypatch, clothes, tmp_path):
    """The lesson on baselines at its smallest, run in an empty folder."""
    import dataclasses

    from jaxquard.lessons import find
    from jaxquard.lessons.experiment import Scale

    lesson = find("baselines")
    small = dataclasses.replace(lesson, scales={"quick": Scale(300, 200, 1, 5), "default": Scale(300, 200, 2, 5)})
    monkeypatch.setattr(verbs, "find", lambda name: small)
    monkeypatch.setattr("jaxquard.data.load", lambda *given, **options: clothes)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_lesson_is_run_written_and_summarised(tiny, capsys):
    verbs.lesson("baselines", quick=True, predict="c")
    out, err = capsys.readouterr()
    assert "The claim: " in out
    assert "The verdict: " in out
    assert "You predicted C: It gets 50 to 75 % right." in out
    assert err.splitlines() == ["training: softmax", "training: mlp"]
    names = {path.name for path in (tiny / "lessons" / "baselines").iterdir()}
    assert names == {"baselines.json", "baselines.md", "baselines.svg", "baselines.png"}
    with pytest.raises(UsageError, match="already there"):
        verbs.lesson("baselines", quick=True)


def test_json_is_the_result(tiny, capsys):
    verbs.lesson("baselines", quick=True, out=tiny / "here", common=Common(json=True, quiet=True))
    out, err = capsys.readouterr()
    result = json.loads(out)
    assert err == ""
    assert len(out.splitlines()) == 1
    assert result["lesson"] == "baselines"
    assert result["prediction"] is None
    assert len(result["comparisons"][0]["values"]) == result["scale"]["seeds"] == 5
    assert result["environment"]["devices"]
    assert json.loads((tiny / "here" / "baselines.json").read_text(encoding="utf-8")) == result


@pytest.mark.parametrize(
    ("file", "out", "fault"),
    [
        ("baselines.md", ".", r"baselines\.md: already there; .*--out.*--overwrite"),
        ("file", "file", "file: cannot write"),
    ],
)
def test_a_folder_that_cannot_be_used_is_refused_before_the_training(tiny, monkeypatch, file, out, fault):
    (tiny / file).write_text("mine")
    monkeypatch.setattr("jaxquard.lessons.run.run", lambda *given: pytest.fail("trained"))
    with pytest.raises(JaxquardError, match=fault):
        verbs.lesson("baselines", quick=True, no_predict=True, out=tiny / out)
    assert (tiny / file).read_text() == "mine"


def test_without_the_extra_for_charts_the_rest_is_written_with_a_note(tiny, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    verbs.lesson("baselines", quick=True, no_predict=True)
    out, err = capsys.readouterr()
    assert "The verdict: " in out
    assert re.search(
        r"^note: no chart was drawn: charts need the extra that draws them: pip install", err, re.MULTILINE
    )
    folder = tiny / "lessons" / "baselines"
    assert {path.name for path in folder.iterdir()} == {"baselines.json", "baselines.md"}
    page = (folder / "baselines.md").read_text(encoding="utf-8")
    assert "![" not in page
    assert "| --- |" in page
    verbs.lesson("baselines", quick=True, no_predict=True, overwrite=True, common=Common(quiet=True))
    assert capsys.readouterr().err == ""


def test_wrong_usage_is_an_error(tiny):
    with pytest.raises(UsageError, match="--quick and --full"):
        verbs.lesson("baselines", quick=True, full=True)
    with pytest.raises(UsageError, match="--predict Z: choose one of A, B, C, D"):
        verbs.lesson("baselines", predict="Z")
    with pytest.raises(UsageError, match="baselines checks no function"):
        verbs.lesson("baselines", mine=tiny / "x.py")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("typed", "letter"), [("b\n", "B"), ("x\n\n", None), ("", None), ("?\nD\n", "D")])
def test_a_prediction_is_asked_for_on_a_terminal(tiny, monkeypatch, typed: str, letter: str | None):
    lesson = verbs.find("baselines")
    screen = Terminal()
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    monkeypatch.setattr("sys.stderr", screen)
    assert verbs._prediction(lesson, None, ask=True) == letter
    for choice, text in lesson.choices.items():
        assert f"  {choice}  {text}" in screen.getvalue()


def test_there_is_no_question_without_a_terminal(monkeypatch, tiny):
    lesson = verbs.find("baselines")
    monkeypatch.setattr("sys.stdin", io.StringIO("A\n"))
    assert verbs._prediction(lesson, None, ask=True) is None


def test_a_wrong_function_ends_with_1(tmp_path, capsys):
    file = tmp_path / "mine.py"
    file.write_text("def backprop(params, x, y):\n    return [{n: 0 * p for n, p in l.items()} for l in params]\n")
    with pytest.raises(SystemExit) as ended:
        verbs.lesson("backprop", mine=file, common=Common(json=True))
    assert ended.value.code == 1
    assert json.loads(capsys.readouterr().out)["layer"] == 3


def test_the_list_of_lessons(capsys):
    verbs.list_lessons(common=Common(json=True))
    assert [one["name"] for one in json.loads(capsys.readouterr().out)] == list(NAMES)
    verbs.list_lessons()
    listed = capsys.readouterr().out
    assert all(name in listed for name in NAMES)

"""The lessons' pages, from results that are there: none is run, and one without figures says so."""

import json
from dataclasses import replace

import pytest

from jaxquard import lessons
from jaxquard.charts import dot_plot
from jaxquard.lessons.lesson import Finding
from jaxquard.lessons.verdict import above
from jaxquard.studio import lessons as room


def test_the_list_is_the_book(get):
    found = get("/api/lessons")["lessons"]
    assert [one["name"] for one in found] == list(lessons.NAMES)
    assert set(found[0]) == {"name", "question", "claim", "source", "seconds", "verdict"}


@pytest.mark.parametrize("name", lessons.NAMES)
def test_every_lesson_has_a_page(get, name):
    found = get(f"/api/lessons/{name}")
    assert found["markdown"].startswith(f"# {found['question']}\n")
    assert "](" not in found["markdown"]  # no picture, no link: the charts come beside it
    assert found["command"] == f"jaxquard lesson {name}"


def test_a_lesson_that_was_never_run_says_how_to(get, monkeypatch, tmp_path):
    monkeypatch.setattr(room, "shipped", lambda name: None)
    monkeypatch.chdir(tmp_path)
    found = get("/api/lessons/seeds")
    assert found["charts"] == []
    assert "`jaxquard lesson seeds` makes them" in found["markdown"]


MEASURED = {"first": [88.1, 88.3, 88.2], "second": [86.0, 86.1, 86.2]}
RESULT = {
    "lesson": "seeds",
    "scale": {"name": "full", "train": 10, "validation": 5, "epochs": 1, "seeds": 3},
    "seconds": 12.0,
    "environment": {"threads": 2, "processor": "P", "jax": "J", "python": "3", "dataset": {"name": "D", "train": 15}},
    "measured": MEASURED,
}


@pytest.mark.parametrize("where", ["shipped", "last"])
def test_a_lesson_with_figures(get, monkeypatch, tmp_path, where):
    def judge(measured):
        values = [a - b for a, b in zip(measured["first"], measured["second"], strict=True)]
        return Finding([above("the lead", values, 1.0)], None)

    rows = [{"name": name, "values": values} for name, values in MEASURED.items()]
    real = lessons.find("seeds")
    words = {"background": "B", "method": "M", "take_home": {"holds": "Take this."}, "try_next": "T"}
    made = replace(real, judge=judge, draw=lambda measured: [dot_plot(rows, title="T", x_title="x")], **words)
    monkeypatch.setattr(lessons, "find", lambda name: made)
    monkeypatch.setattr(room, "shipped", lambda name: RESULT if where == "shipped" else None)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lessons" / "seeds").mkdir(parents=True)
    (tmp_path / "lessons" / "seeds" / "seeds.json").write_text(json.dumps(RESULT))
    found = get("/api/lessons/seeds")
    assert (found["verdict"], found["seconds"]) == ("holds", 12.0)
    assert [one["name"] for one in found["charts"]] == ["seeds-1"]
    assert "the lead" in found["markdown"]
    assert "Take this." in found["markdown"]
    assert "![" not in found["markdown"]


@pytest.mark.parametrize("name", ["none", "..", "seeds.json", "Seeds"])
def test_a_lesson_is_found_by_its_name_alone(ask, name):
    assert ask("GET", f"/api/lessons/{name}").status == 404


def test_a_damaged_result_is_said_to_be_one(ask, monkeypatch, tmp_path):
    monkeypatch.setattr(room, "shipped", lambda name: None)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lessons" / "seeds").mkdir(parents=True)
    (tmp_path / "lessons" / "seeds" / "seeds.json").write_text(json.dumps({"lesson": "seeds"}))
    answer = ask("GET", "/api/lessons/seeds")
    assert answer.status == 422
    assert "not the result of this lesson" in answer.json["error"]

"""From a canned result to a page, a summary and a book, without any training."""

import dataclasses
import json
import re

import numpy as np
import pytest

from jaxquard.charts import dot_plot
from jaxquard.errors import DataError, JaxquardError
from jaxquard.lessons import NAMES, book, find, page
from jaxquard.lessons.experiment import arm_names, as_data, final, make_arms, scales
from jaxquard.lessons.figures import curves, filled, show, spread
from jaxquard.lessons.lesson import Finding, Lesson
from jaxquard.lessons.run import guess, read, shipped, to_json, with_verdict
from jaxquard.lessons.verdict import above


def conclude(measured) -> Finding:
    first, second = (np.array(measured[name]) for name in ("first", "second"))
    return Finding([above("first less second", first - second, 0.5)], "A", {"first": spread(first)})


LESSON = Lesson(
    question="Is the first better?",
    claim="The first is better than the second.",
    source="Nielsen, chapter 0, “Nothing”",
    choices={"A": "It is.", "B": "It is not."},
    scales=scales(epochs=3),
    configs=lambda scale: {},
    conclude=conclude,
    draw=lambda measured: [dot_plot([{"name": k, "values": v} for k, v in measured.items()], title="T", x_title="x")],
    background="Why\none asks.\n\nTwice.",
    method="{train} images, {epochs} epochs.",
    take_home={"holds": "It is: {first}.", "does not hold": "It is not: {first}."},
    try_next="```python\ngrads = [{{}}]\n```",
)
RAW = {
    "lesson": "first",
    "scale": {"name": "default", "train": 10_000, "validation": 5_000, "epochs": 3, "seeds": 5},
    "definition": "0" * 16,
    "configs": {},
    "seconds": 61.2,
    "environment": {
        "dataset": {"name": "fashion-mnist", "train": 60_000},
        "threads": 2,
        "processor": "loom",
        "jax": "0",
        "python": "3",
    },
    "measured": {"first": [88.1, 88.3, 88.2, 88.0, 88.4], "second": [86.0, 86.1, 86.2, 86.1, 86.0]},
}


def test_the_page_takes_its_numbers_from_the_result():
    result = with_verdict(LESSON, RAW)
    text = page.markdown(result, LESSON, LESSON.draw(result["measured"]), ["first.svg"])
    assert text.startswith("# Is the first better?\n")
    assert "Why one asks.\n\nTwice." in text
    assert "10,000 images, 3 epochs." in text
    assert "10,000 of 60,000 training images" in text  # only a part
    assert "## The verdict: it holds" in text
    assert "| first less second (points) | 2.12 | 1.72 to 2.52 | 0.50 | 5 | holds |" in text
    assert "It is: 88.2 ± 0.3." in text
    assert "![Dot plot of x. Means: first 88.2; second 86.1.](first.svg)" in text
    assert "grads = [{}]" in text
    assert "took 61 s on 2 threads of loom" in text


def test_a_note_follows_the_rule():
    noted = dataclasses.replace(conclude(RAW["measured"]), note="Beware.")
    warned = dataclasses.replace(LESSON, conclude=lambda measured: noted)
    result = with_verdict(warned, RAW)
    assert f"{page.RULE}\n\nBeware.\n\n" in page.markdown(result, warned, [], [])


def test_another_result_gives_another_page():
    swapped = RAW | {"measured": {"first": RAW["measured"]["second"], "second": RAW["measured"]["first"]}}
    result = with_verdict(LESSON, swapped)
    text = page.markdown(result, LESSON, LESSON.draw(result["measured"]), ["first.svg"])
    assert "it does not hold" in text
    assert "It is not: 86.1" in text


def test_a_lesson_without_a_text_for_cannot_tell_has_the_usual_one():
    close = with_verdict(LESSON, RAW | {"measured": {"first": [1.0, 3.0, 0.0], "second": [2.0, 0.0, 1.0]}})
    text = page.markdown(close, LESSON, LESSON.draw(close["measured"]), ["first.svg"])
    assert "cannot tell at this n" in text
    assert "With 5 seeds the figures do not decide the whole claim." in text


def test_a_stored_result_gets_the_verdict_of_the_present_rule():
    stored = with_verdict(LESSON, RAW)
    stricter = dataclasses.replace(
        LESSON, conclude=lambda measured: Finding([above("x", np.array(measured["first"]), 99)], "B", {})
    )
    again = with_verdict(stricter, stored)
    assert (again["verdict"], again["answer"]) == ("does not hold", "B")


@pytest.mark.parametrize(
    ("answer", "letter", "right", "said"),
    [("A", "A", True, "That was right."), ("A", "B", False, "That was wrong."), (None, "A", None, "cannot tell")],
)
def test_a_prediction_is_right_wrong_or_undecided(answer, letter: str, right, said: str):
    result = with_verdict(LESSON, RAW) | {"answer": answer}
    result["prediction"] = guess(result, LESSON, letter)
    assert result["prediction"]["right"] is right
    assert said in page.summary(result, LESSON)
    assert said in page.markdown(result, LESSON, LESSON.draw(result["measured"]), ["x.svg"])


def test_a_summary_ends_with_what_to_take_home_and_what_came_out_in_full():
    result = with_verdict(LESSON, RAW)
    assert page.summary(result, LESSON).endswith("The verdict: it holds.\n\nIt is: 88.2 ± 0.3.")
    said = page.summary(result, LESSON, "does not hold")
    assert said.endswith("It is: 88.2 ± 0.3.\n\nThis was the default run. With `--full`: it does not hold.")
    full = result | {"scale": result["scale"] | {"name": "full"}}
    assert page.summary(full, LESSON, "does not hold") == page.summary(full, LESSON)


def test_written_and_read_again(tmp_path):
    result = with_verdict(LESSON, RAW)
    paths = page.write(tmp_path / "deep" / "out", result, LESSON, overwrite=False)
    assert [path.name for path in paths] == ["first.json", "first.md", "first.svg", "first.png"]
    assert read(paths[0], LESSON) == json.loads(paths[0].read_text(encoding="utf-8")) == result
    with pytest.raises(JaxquardError, match="already there"):
        page.write(tmp_path / "deep" / "out", result, LESSON, overwrite=False)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"measured": {}}', '{"measured": {"first": "x", "second": []}}'])
def test_a_file_that_is_no_result_is_refused(tmp_path, content: str):
    file = tmp_path / "first.json"
    file.write_text(content)
    with pytest.raises(DataError, match=r"first\.json: not the result of this lesson"):
        read(file, LESSON)


@pytest.mark.parametrize(("y", "low"), [("training loss", 0), ("change", -31.3)])
def test_the_band_of_a_loss_ends_at_0(y, low):
    [row] = curves("T", {"": {1: [0.0, 1.0]}}, y=y).table
    assert row["low"] == pytest.approx(low, abs=0.1)


def test_the_book_has_its_pages_in_order_and_no_old_ones(tmp_path, monkeypatch):
    monkeypatch.setattr(book, "find", lambda name: LESSON)
    (tmp_path / "old.md").write_text("old")
    results = [with_verdict(LESSON, RAW | {"lesson": name}) for name in ("one", "two", "three")]
    book.bind(results, tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"README.md"} | {f"{name}.{s}" for name in ("one", "two", "three") for s in ("md", "svg")}
    contents = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "Of 3 claims: it holds: 3." in contents
    for text in (contents, (tmp_path / "two.md").read_text(encoding="utf-8")):
        links = re.findall(r"\]\(([^)]+)\)", text)
        assert links
        assert set(links) <= names | {"../ORIGINAL.md"}


def test_the_book_in_the_docs_is_drawn_from_the_shipped_results(tmp_path, monkeypatch):
    """`make lessons` draws it again, and trains nothing if only texts changed."""
    monkeypatch.setattr(book, "save", lambda chart, path, **options: path.touch())
    book.bind([with_verdict(find(name), shipped(name) or {}) for name in NAMES], tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {file.name for file in book.DOCS.iterdir()}
    for file in tmp_path.glob("*.md"):
        assert file.read_text(encoding="utf-8") == (book.DOCS / file.name).read_text(encoding="utf-8"), file.name


def test_a_result_of_another_definition_is_not_kept(tmp_path, monkeypatch, clothes):
    """What is there is used if it was made by this definition; else the lesson is run again."""
    ran = []
    monkeypatch.setattr(book, "RESULTS", tmp_path)
    monkeypatch.setattr(book, "find", lambda name: LESSON)
    monkeypatch.setattr(book, "run", lambda *given: ran.append(given[0]) or with_verdict(LESSON, RAW))
    monkeypatch.setattr("jaxquard.data.load", lambda name: clothes)
    monkeypatch.setattr(book, "definition", lambda lesson, scale: "0" * 16)
    assert book.full_result("first")["verdict"] == "holds"
    assert ran == ["first"]
    monkeypatch.setattr(book, "definition", lambda lesson, scale: "1" * 16)
    book.full_result("first")
    assert ran == ["first", "first"]


def test_figures_in_sentences():
    assert show(-1.234) == "−1.23"
    assert show(-0.001) == "0.00"
    assert show(float("nan")) == show(None) == "–"
    assert spread([1.0]) == "– ± –"
    with pytest.raises(KeyError):
        filled("{unknown}", {})


def test_a_batched_run_is_divided_into_arms():
    from jaxquard.config import Config

    config = Config(seeds=2, sweep=(("learning_rate", (0.1, 1.0)),))
    records = [
        {"val_accuracy": [0.1, 0.2, 0.3, None], "seconds": 4.0, "dead": {"0": [0, 1, 2, 3]}},
        {"val_accuracy": [0.5, 0.6, 0.7, 0.8], "seconds": 8.0, "dead": {"0": [4, 5, 6, 7]}},
    ]
    arms = make_arms("sweep", config, records, [False, False, False, True])
    assert list(arms) == arm_names("sweep", config) == ["sweep learning_rate=0.1", "sweep learning_rate=1"]
    second = arms["sweep learning_rate=1"]
    assert second["accuracy"] == [[0.3, 0.7], [None, 0.8]]
    assert second["dead"] == {"0": [[2, 6], [3, 7]]}
    assert second["seconds"] == [1.0, 2.0]
    np.testing.assert_allclose(final(second), [70, 0])  # a network that diverged gets nothing right
    np.testing.assert_allclose(final(second, 0), [30, 0])


def test_data_for_json_is_rounded_and_finite():
    found = as_data({"a": np.array([1.23456789, np.nan]), "b": (np.int32(3), None, True), 1: float("inf")})
    assert found == {"a": [1.23457, None], "b": [3, None, True], "1": None}
    assert json.loads(to_json({"lesson": "x", "measured": found}))["measured"] == found

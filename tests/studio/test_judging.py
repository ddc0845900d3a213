"""Judging: held to the evaluation that training has, to list comprehensions and to pixels moved one by one."""

import numpy as np
import pytest

from jaxquard.charts.judgement import wilson
from jaxquard.data.dataset import shuffled
from jaxquard.runs import train
from jaxquard.runs.directory import Run
from jaxquard.runs.models import load_model
from jaxquard.studio.judging import (
    DISTURBANCES,
    THRESHOLDS,
    abstention,
    evaluation,
    moved,
    robustness,
    summary,
    verdicts,
)
from jaxquard.training.evaluation import judge


def test_abstention_as_a_list_comprehension():
    rng = np.random.default_rng(0)
    confidence, right = 0.2 + 0.7 * rng.random(50), rng.random(50) < 0.7
    rows = abstention(confidence, right)
    assert [row["threshold"] for row in rows] == list(THRESHOLDS)
    for row in rows:
        kept = [bool(r) for c, r in zip(confidence, right, strict=True) if c >= row["threshold"]]
        assert row["coverage"] == pytest.approx(len(kept) / 50)
        assert row["accuracy"] == (pytest.approx(sum(kept) / len(kept)) if kept else None)
    assert rows[-1] == {"threshold": 0.99, "coverage": 0.0, "accuracy": None}


@pytest.mark.parametrize("pixels", [0, 1, 3, 9])
def test_images_are_moved_by_turns(pixels):
    images = np.random.default_rng(0).integers(1, 256, (9, 6, 5, 1)).astype(np.uint8)
    expected = np.zeros_like(images)
    for k, row, column in np.ndindex(9, 6, 5):
        down, right = ((0, -1), (0, 1), (-1, 0), (1, 0))[k % 4]
        to = row + down * pixels, column + right * pixels
        if 0 <= to[0] < 6 and 0 <= to[1] < 5:
            expected[k, *to] = images[k, row, column]
    assert np.array_equal(moved(images, pixels), expected)


def test_a_summary_says_what_the_evaluation_says(get, root, stripes):
    found = get("/api/models/fast@0/summary")
    judged = judge(load_model("fast@0", root).logits(stripes.test_images), stripes.test_labels)
    plain = judged.as_dict(("0", "1", "2"))
    assert {key: found[key] for key in ("n", "accuracy", "loss", "confusion", "per_class")} == {
        key: plain[key] for key in ("n", "accuracy", "loss", "confusion", "per_class")
    }
    assert found["classes"] == ["0", "1", "2"]
    bins = found["calibration"]["bins"]
    assert sum(row["n"] for row in bins) == 40
    gap = sum(row["n"] * abs(row["accuracy"] - row["confidence"]) for row in bins) / 40
    assert found["calibration"]["ece"] == pytest.approx(gap)
    assert found["abstention"][0] == {"threshold": 0, "coverage": 1, "accuracy": found["accuracy"]}
    assert [chart["name"] for chart in found["charts"]] == ["calibration", "abstention"]
    for chart in found["charts"]:
        assert chart["sentence"]
        assert {len(row) for row in chart["table"]["rows"]} == {len(chart["table"]["columns"])}


def test_looking_at_the_test_set_is_recorded_once(get, root):
    before = len(Run(root / "fast").evaluations())
    for address in ("images", "summary", "images/3", "images?correct=0"):
        get(f"/api/models/fast@1/{address}")
    found = get("/api/models/fast@1/summary")
    (line,) = Run(root / "fast").evaluations()[before:]
    assert {line[key] for key in ("by", "why")} == {"studio"}
    assert (line["model"], line["n"]) == ("fast@1", 40)
    assert (line["accuracy"], line["loss"]) == (found["accuracy"], found["loss"])


@pytest.mark.parametrize("address", ["robustness?kind=shift", "images/3", "neurons/0/0", "images?limit=1"])
def test_every_way_of_looking_at_the_test_set_is_recorded(get, root, address):
    before = len(Run(root / "fast").evaluations())
    get(f"/api/models/fast@1/{address}")
    (line,) = Run(root / "fast").evaluations()[before:]
    assert (line["model"], line["n"]) == ("fast@1", 40)


def test_another_look_at_a_run_that_has_learned_more_is_recorded_too(get, root, stripes):
    before = len(Run(root / "part").evaluations())
    get("/api/models/part/summary")
    train.resume(Run(root / "part"), stripes, until=2)
    accuracy = get("/api/models/part/summary")["accuracy"]
    get("/api/models/part/images/3")
    _, line = Run(root / "part").evaluations()[before:]
    assert line["accuracy"] == accuracy


def test_a_network_that_diverged_predicts_nothing(subject):
    seen = subject(hidden=(4,))
    seen.model.weights[0][0]["w"] *= np.nan
    given = verdicts(seen)
    assert (set(given.predicted), set(given.confidence), given.right.any()) == ({-1}, {0.0}, False)
    found = summary(seen)
    assert (found["accuracy"], found["loss"], found["calibration"]["ece"]) == (0, None, None)
    assert seen.once(evaluation).confusion.sum() == 0


@pytest.mark.parametrize("kind", DISTURBANCES)
def test_robustness_begins_with_the_images_as_they_are(subject, stripes, kind):
    seen = subject(hidden=(7,))
    found = robustness(seen, kind)
    right = int((seen.model.logits(stripes.test_images).argmax(axis=1) == stripes.test_labels).sum())
    first = found["points"][0]
    assert (first["amount"], first["accuracy"], found["n"]) == (0, right / 40, 40)
    assert (first["low"], first["high"]) == wilson(right, 40)
    assert [point["amount"] for point in found["points"]] == list(DISTURBANCES[kind].amounts)
    assert found["charts"][0]["table"]["rows"][0][1] == pytest.approx(100 * right / 40)


def test_each_amount_is_judged_on_images_disturbed_by_it(subject, stripes):
    seen = subject(hidden=(7,))
    chosen = shuffled(40)
    for point in robustness(seen, "shift")["points"]:
        logits = seen.model.logits(moved(stripes.test_images[chosen], point["amount"]))
        assert point["accuracy"] == (logits.argmax(axis=1) == stripes.test_labels[chosen]).mean()


def test_a_disturbance_there_is_not(ask):
    answer = ask("GET", "/api/models/part/robustness?kind=fog")
    assert (answer.status, answer.json["error"]) == (422, "kind: one of noise, rotation, shift")

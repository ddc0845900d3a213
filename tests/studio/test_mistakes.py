"""The Mistakes view, against training's evaluation, list comprehensions and pixels moved one by one."""

import numpy as np
import pytest

from jaxquard.calibration import wilson
from jaxquard.config import Config
from jaxquard.data import split
from jaxquard.data.dataset import shuffled
from jaxquard.runs import train
from jaxquard.runs.directory import Run
from jaxquard.runs.models import load_model
from jaxquard.studio.mistakes import (
    DISTURBANCES,
    THRESHOLDS,
    abstention,
    evaluation,
    moved,
    robustness,
    summary,
    verdicts,
)
from jaxquard.training.evaluation import evaluate_logits


def test_abstention_as_a_list_comprehension():
    rng = np.random.default_rng(0)
    confidence, right = rng.integers(20, 90, 50) / 100, rng.random(50) < 0.7  # each at a threshold
    rows = abstention(confidence, right)
    assert [row["threshold"] for row in rows] == list(THRESHOLDS)
    for row in rows:
        kept = [bool(r) for c, r in zip(confidence, right, strict=True) if c >= row["threshold"]]
        assert row["coverage"] == pytest.approx(len(kept) / 50)
        assert row["accuracy"] == (pytest.approx(sum(kept) / len(kept)) if kept else None)
    assert rows[-1] == {"threshold": 0.99, "coverage": 0.0, "accuracy": None}


@pytest.mark.parametrize("pixels", [0, 1, 3, 9])
def test_images_are_moved_in_turn_in_four_directions(pixels):
    images = np.random.default_rng(0).integers(1, 256, (9, 6, 5, 1)).astype(np.uint8)
    expected = np.zeros_like(images)
    for k, row, column in np.ndindex(9, 6, 5):
        down, right = ((0, -1), (0, 1), (-1, 0), (1, 0))[k % 4]
        to = row + down * pixels, column + right * pixels
        if 0 <= to[0] < 6 and 0 <= to[1] < 5:
            expected[k, *to] = images[k, row, column]
    assert np.array_equal(moved(images, pixels), expected)


def test_a_summary_agrees_with_the_evaluation(get, root, stripes):
    found = get("/api/models/fast@0/summary?on=test")
    evaluated = evaluate_logits(load_model("fast@0", root).logits(stripes.test_images), stripes.test_labels)
    plain = evaluated.as_dict(("0", "1", "2"))
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


EVERY_WAY = ["summary", "robustness?kind=shift", "images/3", "neurons/0/0", "images?limit=1", "neurons"]


@pytest.mark.parametrize("run", ["fast@1", "part"])
@pytest.mark.parametrize("address", EVERY_WAY)
def test_only_the_test_part_is_recorded(get, root, run, address):
    before = {path: path.read_bytes() for path in root.glob("*/evaluations.jsonl")}
    found = get(f"/api/models/{run}/{address}")
    assert found["on"] == ("held_out" if run == "fast@1" else "learned")
    assert {path: path.read_bytes() for path in root.glob("*/evaluations.jsonl")} == before


def test_a_use_of_the_test_set_is_recorded_once(get, root):
    before = len(Run(root / "fast").evaluations())
    for address in ("images?on=test", "summary?on=test", "images/3?on=test", "images?correct=0&on=test", "images"):
        get(f"/api/models/fast@1/{address}")
    found = get("/api/models/fast@1/summary?on=test")
    (line,) = Run(root / "fast").evaluations()[before:]
    assert {line[key] for key in ("by", "why")} == {"studio"}
    assert (line["model"], line["n"]) == ("fast@1", 40)
    assert (line["accuracy"], line["loss"]) == ([found["accuracy"]], [found["loss"]])


@pytest.mark.parametrize("address", EVERY_WAY[:-1])
def test_every_use_of_the_test_set_is_recorded(get, root, address):
    before = len(Run(root / "fast").evaluations())
    get(f"/api/models/fast@1/{address}{'&' if '?' in address else '?'}on=test")
    (line,) = Run(root / "fast").evaluations()[before:]
    assert (line["model"], line["n"]) == ("fast@1", 40)


def test_a_use_of_the_test_set_after_more_training_is_recorded_again(get, root, stripes):
    before = len(Run(root / "part").evaluations())
    first = get("/api/models/part/summary?on=test")
    train.resume(Run(root / "part"), stripes, until=2)
    second = get("/api/models/part/summary?on=test")
    get("/api/models/part/images/3?on=test")
    _, line = Run(root / "part").evaluations()[before:]
    assert line["accuracy"] == [second["accuracy"]]
    assert [found["epoch"] for found in (first, second)] == [1, 2]
    assert second["said"] == "40 test images, after epoch 2."


def test_held_out_images_are_the_validation_images_of_training(get, root, stripes):
    _, _, images, labels = split(stripes, 20)
    found = get("/api/models/fast@0/summary")
    assert found["accuracy"] == evaluate_logits(load_model("fast@0", root).logits(images), labels).accuracy
    assert found["said"] == "20 held-out images, not learned from, after epoch 3."
    assert found["charts"][0]["spec"]["title"]["subtitle"][0].startswith("20 held-out images")
    assert found["accuracy"] == pytest.approx(Run(root / "fast").epochs()[-1]["val_accuracy"][0])


def test_without_held_out_images_the_answer_names_training_images(get, ask):
    assert get("/api/models/part/summary")["said"] == "120 images that it learned from, after epoch 1."
    for part in ("held_out", "all"):
        answer = ask("GET", f"/api/models/part/summary?on={part}")
        assert (answer.status, answer.json["error"][:4]) == (422, "on: ")


def test_early_stopping_shows_the_best_epoch(stripes, root, get):
    config = Config(dataset=str(stripes.source), hidden=(5,), batch_size=20, epochs=6, learning_rate=3.0, validation=20)
    run = train.train(config.replace(patience=2), stripes, runs=root, name="early").run
    best = min(run.epochs(), key=lambda line: line["val_loss"])
    found = get("/api/models/early/summary")
    assert found["epoch"] == best["epoch"] < run.epochs()[-1]["epoch"]
    assert found["loss"] == pytest.approx(best["val_loss"][0], rel=1e-5)


def test_a_network_that_diverged_predicts_nothing(subject):
    seen = subject(hidden=(4,))
    seen.model.weights[0][0]["w"] *= np.nan
    given = verdicts(seen, "learned")
    assert (set(given.predicted), set(given.confidence), given.right.any()) == ({-1}, {0.0}, False)
    found = summary(seen, "learned")
    assert (found["accuracy"], found["loss"], found["calibration"]["ece"]) == (0, None, None)
    assert seen.once(evaluation, "learned").confusion.sum() == 0


@pytest.mark.parametrize("kind", DISTURBANCES)
def test_robustness_starts_with_undisturbed_images(subject, stripes, kind):
    seen = subject(hidden=(7,))
    found = robustness(seen, "test", kind)
    right = int((seen.model.logits(stripes.test_images).argmax(axis=1) == stripes.test_labels).sum())
    first = found["points"][0]
    assert (first["amount"], first["accuracy"], found["n"]) == (0, right / 40, 40)
    assert (first["low"], first["high"]) == wilson(right, 40)
    assert [point["amount"] for point in found["points"]] == list(DISTURBANCES[kind].amounts)
    assert found["charts"][0]["table"]["rows"][0][1] == pytest.approx(100 * right / 40)


def test_each_accuracy_is_of_images_disturbed_by_its_amount(subject, stripes):
    seen = subject(hidden=(7,))
    chosen = shuffled(40)
    for point in robustness(seen, "test", "shift")["points"]:
        logits = seen.model.logits(moved(stripes.test_images[chosen], point["amount"]))
        assert point["accuracy"] == (logits.argmax(axis=1) == stripes.test_labels[chosen]).mean()


def test_an_unknown_disturbance_is_refused(ask):
    answer = ask("GET", "/api/models/part/robustness?kind=fog")
    assert (answer.status, answer.json["error"]) == (422, "kind: must be one of noise, rotation, shift")

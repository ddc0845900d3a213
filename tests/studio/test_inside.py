"""The test images, and the way of one through the network: filters, softmax, neighbours, each done a second way."""

import itertools

import jax
import numpy as np
import pytest

from jaxquard.data import split
from jaxquard.errors import UsageError
from jaxquard.runs.models import load_model
from jaxquard.studio.inside import (
    choose,
    features,
    journey,
    layer_document,
    memory,
    nearest,
    neighbours,
    png,
    read_filters,
    worked_out,
)
from jaxquard.studio.mistakes import Verdicts

NAMES = ("cat", "dog", "emu")


@pytest.fixture
def judged():
    """Forty labels and what was said of them."""
    rng = np.random.default_rng(1)
    labels, said = rng.integers(0, 3, (2, 40))
    return Verdicts(said, rng.random(40).round(1), said == labels), labels


@pytest.mark.parametrize("order", ["index", "confidence", "-confidence"])
def test_images_are_chosen_as_by_a_list_comprehension(judged, order):
    given, labels = judged
    sign = {"index": 0, "confidence": 1, "-confidence": -1}[order]
    for true, said, correct, low in itertools.product((None, 1), (None, 2), (None, True, False), (0, 0.5)):
        expected = [
            k
            for k in range(40)
            if true in (None, labels[k])
            and said in (None, given.predicted[k])
            and correct in (None, given.right[k])
            and low <= given.confidence[k] <= 0.9
        ]
        expected.sort(key=lambda k: sign * given.confidence[k])  # stable: by index where equal
        found = choose(given, labels, true=true, predicted=said, correct=correct, low=low, high=0.9, order=order)
        assert found.tolist() == expected


def test_filters_are_read_by_name():
    query = {"true": "dog", "predicted": "", "correct": "0", "min": "0.5", "order": "-confidence"}
    assert read_filters(query, NAMES) == {"low": 0.5, "high": 1, "true": 1, "correct": 0, "order": "-confidence"}
    assert read_filters({}, NAMES) == {"low": 0, "high": 1}


@pytest.mark.parametrize(
    ("name", "value"),
    [("true", "cow"), ("predicted", "0"), ("correct", "yes"), ("order", "random"), ("min", "low"), ("max", "nan")],
)
def test_a_filter_that_makes_no_sense_is_named(name, value):
    with pytest.raises(UsageError, match=f"^{name}: "):
        read_filters({name: value}, NAMES)


def test_softmax_is_worked_out_in_numbers():
    logits = np.array([2.0, -1.0, 0.5])
    found = worked_out(logits, NAMES)
    assert [row["class"] for row in found["softmax"]] == list(NAMES)
    assert [row["logit"] for row in found["softmax"]] == [2.0, -1.0, 0.5]
    assert [row["exp"] for row in found["softmax"]] == pytest.approx([1, np.e**-3, np.e**-1.5])
    assert found["largest"] == 2.0
    assert found["sum"] == pytest.approx(1 + np.e**-3 + np.e**-1.5)
    np.testing.assert_allclose([row["probability"] for row in found["softmax"]], jax.nn.softmax(logits), rtol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_logits_that_are_not_finite_become_nothing(bad):
    found = worked_out(np.array([1.0, bad, 0.0]), NAMES)
    assert found["softmax"][1] == {"class": "dog", "logit": None, "exp": None, "probability": None}


def test_a_convolution_s_layer_is_pictures_on_one_scale():
    a = np.random.default_rng(0).normal(size=(4, 5, 3))
    found = layer_document("0", a)
    assert (found["shape"], found["units"], found["values"]) == ((4, 5, 3), 3, None)
    assert len(found["channels"]) == 3
    assert found["limit"] == np.percentile(np.abs(a), 99.5)
    assert layer_document("1", a[0, 0])["values"] == a[0, 0].tolist()


def test_the_nearest_rows_by_brute_force():
    rng = np.random.default_rng(0)
    known, one = rng.normal(size=(50, 4)), rng.normal(size=4)
    order, distances = nearest(known, one, 6)
    squares = ((sum((a - b) ** 2 for a, b in zip(row, one, strict=True)), k) for k, row in enumerate(known))
    expected = [(square**0.5, k) for square, k in sorted(squares)[:6]]
    assert order.tolist() == [k for _, k in expected]
    np.testing.assert_allclose(distances, [distance for distance, _ in expected])


def test_neighbours_come_from_the_images_learned_from(subject, stripes):
    seen = subject(hidden=(7, 5), validation=30)
    learned, _, held_out, _ = split(stripes, 30)
    known = memory(seen)
    assert len(known.indices) == 90
    found = {stripes.train_images[k].tobytes() for k in known.indices}
    assert found == {image.tobytes() for image in learned}
    assert not found & {image.tobytes() for image in held_out}
    np.testing.assert_allclose(known.features, features(seen, stripes.train_images[known.indices]), rtol=1e-5)


def test_a_training_image_is_its_own_nearest_neighbour(subject, stripes):
    seen = subject(model="cnn", widths=(4,), blocks=0)
    first, second, *_ = neighbours(seen, stripes.train_images[17])
    assert (first["index"], first["label"]) == (17, str(stripes.train_labels[17]))
    assert first["png"] == png(stripes.train_images[17])
    assert first["distance"] == pytest.approx(0, abs=1e-4)
    assert second["distance"] > 1e-3


def test_an_image_learned_from_is_not_its_own_neighbour(subject):
    seen = subject(hidden=(7,))
    place = int(seen.part("learned").indices[17])
    found = journey(seen, "learned", 17)
    assert len(found["neighbours"]) == 8
    assert place not in [one["index"] for one in found["neighbours"]]
    assert place in [one["index"] for one in neighbours(seen, seen.part("learned").images[17])]


def test_a_network_that_diverged_can_still_be_looked_at(subject):
    seen = subject(hidden=(4,))
    seen.model.weights[0][0]["w"] *= np.nan
    found = journey(seen, "learned", 0)
    assert (found["predicted"], found["confidence"], found["sum"]) == (None, 0.0, None)
    assert found["layers"][0]["values"] == [None] * 4
    assert {neighbour["distance"] for neighbour in found["neighbours"]} == {None}


@pytest.mark.parametrize("settings", [{"hidden": (7,)}, {"hidden": ()}, {"model": "cnn", "widths": (3, 4)}])
def test_a_journey_through_any_network_in_colour(subject, coloured, settings):
    seen = subject(coloured, **settings)
    found = journey(seen, "test", 5)
    assert [layer["name"] for layer in found["layers"]] == [str(k) for k in range(len(seen.model.weights[0]))]
    assert (found["label"], found["png"]) == (str(coloured.test_labels[5]), png(coloured.test_images[5]))
    best = max(found["softmax"], key=lambda row: row["probability"])
    assert (found["predicted"], found["confidence"]) == (best["class"], best["probability"])
    assert found["saliency"]["name"] == "gradient × input"
    assert f"“{found['predicted']}”" in found["saliency"]["sentence"]
    assert (len(found["neighbours"]), found["searched"]) == (8, 120)


def test_a_page_of_images(get, root, stripes):
    logits = load_model("fast@1", root).logits(stripes.test_images)
    everything = get("/api/models/fast@1/images?on=test")
    assert everything["total"] == 40
    assert [image["predicted"] for image in everything["images"]] == [str(k) for k in logits.argmax(axis=1)]
    wrong = get("/api/models/fast@1/images?on=test&correct=0&limit=3&order=-confidence")
    assert wrong["total"] == (logits.argmax(axis=1) != stripes.test_labels).sum()
    second = get("/api/models/fast@1/images?on=test&true=2&offset=1&limit=1")
    assert [image["index"] for image in second["images"]] == [np.flatnonzero(stripes.test_labels == 2)[1]]
    assert get("/api/models/fast@1/images?offset=1e300&limit=1e300")["images"] == []


def test_one_image_of_a_run_under_way(get):
    found = get("/api/models/part/images/7?on=test")
    assert found["index"] == 7
    assert [layer["units"] for layer in found["layers"]] == [5, 3]
    assert sum(row["probability"] for row in found["softmax"]) == pytest.approx(1)


@pytest.mark.parametrize("index", ["40", "-1", "x", "1.0", "٣", "9" * 5000])
def test_an_image_there_is_not(ask, index):
    answer = ask("GET", f"/api/models/part/images/{index}?on=test")
    assert (answer.status, answer.json["error"]) == (404, "images are numbered 0 to 39")


def test_a_filter_that_makes_no_sense_is_refused(ask):
    answer = ask("GET", "/api/models/part/images?true=9")
    assert (answer.status, answer.json["error"]) == (422, "true: one of 0, 1, 2")

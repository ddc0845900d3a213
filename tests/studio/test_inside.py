"""The Inside view: images, one image layer by layer, and neurons, each checked against a second computation."""

import base64
import io
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from jaxquard.data import split
from jaxquard.errors import UsageError
from jaxquard.runs.models import load_model
from jaxquard.studio.inside import (
    choose,
    exciting,
    features,
    incoming,
    journey,
    layer_document,
    layer_units,
    make_probes,
    nearest,
    neighbours,
    neuron,
    png,
    read_filters,
    training_features,
    worked_out,
)
from jaxquard.studio.mistakes import Verdicts

NAMES = ("cat", "dog", "emu")


@pytest.fixture
def predictions():
    """Forty labels and predictions for them."""
    rng = np.random.default_rng(1)
    labels, said = rng.integers(0, 3, (2, 40))
    return Verdicts(said, rng.random(40).round(1), said == labels), labels


@pytest.mark.parametrize("order", ["index", "confidence", "-confidence"])
def test_images_are_chosen_as_by_a_list_comprehension(predictions, order):
    given, labels = predictions
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
def test_an_invalid_filter_is_named(name, value):
    with pytest.raises(UsageError, match=f"^{name}: "):
        read_filters({name: value}, NAMES)


def test_softmax_is_shown_in_steps():
    logits = np.array([2.0, -1.0, 0.5])
    found = worked_out(logits, NAMES)
    assert [row["class"] for row in found["softmax"]] == list(NAMES)
    assert [row["logit"] for row in found["softmax"]] == [2.0, -1.0, 0.5]
    assert [row["exp"] for row in found["softmax"]] == pytest.approx([1, np.e**-3, np.e**-1.5])
    assert found["largest"] == 2.0
    assert found["sum"] == pytest.approx(1 + np.e**-3 + np.e**-1.5)
    np.testing.assert_allclose([row["probability"] for row in found["softmax"]], jax.nn.softmax(logits), rtol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_logits_that_are_not_finite_become_none(bad):
    found = worked_out(np.array([1.0, bad, 0.0]), NAMES)
    assert found["softmax"][1] == {"class": "dog", "logit": None, "exp": None, "probability": None}


def test_a_convolutional_layer_is_pictures_with_one_scale():
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
    known = training_features(seen)
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


def test_a_sampled_training_image_is_not_its_own_neighbour(subject):
    seen = subject(hidden=(7,))
    place = int(seen.part("learned").indices[17])
    found = journey(seen, "learned", 17)
    assert len(found["neighbours"]) == 8
    assert place not in [one["index"] for one in found["neighbours"]]


def test_a_diverged_network_can_still_be_shown(subject):
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
    assert len(found["neighbours"]) == 8


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


def test_one_image_of_an_unfinished_run(get):
    found = get("/api/models/part/images/7?on=test")
    assert found["index"] == 7
    assert [layer["units"] for layer in found["layers"]] == [5, 3]
    assert sum(row["probability"] for row in found["softmax"]) == pytest.approx(1)


@pytest.mark.parametrize("index", ["40", "-1", "x", "1.0", "٣", "9" * 5000])
def test_an_unknown_image_is_refused(ask, index):
    answer = ask("GET", f"/api/models/part/images/{index}?on=test")
    assert (answer.status, answer.json["error"]) == (404, "image: must be a number from 0 to 39")


def test_the_api_refuses_an_invalid_filter(ask):
    answer = ask("GET", "/api/models/part/images?true=9")
    assert (answer.status, answer.json["error"]) == (422, "true: must be one of 0, 1, 2")


KINDS = {
    "mlp": {"hidden": (7, 5)},
    "mlp with batch norm": {"hidden": (7, 5), "batch_norm": True, "activation": "gelu"},
    "no hidden layer": {"hidden": ()},
    "cnn": {"model": "cnn", "widths": (3, 4), "blocks": 0},
    "cnn with a stem": {"model": "cnn", "widths": (4,), "stem": 2, "activation": "tanh"},
}


@pytest.mark.parametrize("settings", KINDS.values(), ids=KINDS.keys())
def test_the_last_layer_has_the_networks_logits(subject, coloured, settings):
    seen = subject(coloured, **settings)
    images = seen.dataset.test_images[:3]
    layers = make_probes(seen.model.spec).layers(*seen.model.network, jnp.asarray(images))
    np.testing.assert_allclose(layers[-1], seen.model.logits(images), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(layers[0], images.reshape(3, -1) / 255, rtol=1e-6)
    assert len(layers) == len(seen.model.network[0]) + 1


@pytest.mark.parametrize("name", ["mlp", "mlp with batch norm", "cnn"])
def test_features_are_the_input_of_the_last_layer(subject, name):
    seen = subject(**KINDS[name])
    images, last = seen.dataset.test_images, seen.model.network[0][-1]
    logits = features(seen, images) @ np.asarray(last["w"]) + np.asarray(last["b"])
    np.testing.assert_allclose(logits, seen.model.logits(images), rtol=1e-4, atol=1e-5)


def test_without_hidden_layers_the_features_are_the_pixels(subject):
    seen = subject(hidden=())
    images = seen.dataset.test_images
    np.testing.assert_allclose(features(seen, images), images.reshape(len(images), -1) / 255, rtol=1e-6)


@pytest.mark.parametrize("settings", [{"hidden": (7, 5), "activation": "tanh"}, KINDS["cnn with a stem"]])
def test_gradient_times_input_against_finite_differences(subject, coloured, settings):
    seen = subject(coloured, **settings)
    image = np.clip(seen.dataset.test_images[2], 1, 254)
    found = make_probes(seen.model.spec).gradient_times_input(*seen.model.network, image, 1)
    expected = np.zeros(image.shape)
    for place in np.ndindex(*image.shape):
        up, down = image.copy(), image.copy()
        up[place] += 1
        down[place] -= 1
        high, low = seen.model.logits(np.stack([up, down]))[:, 1]
        expected[place] = (high - low) / 2 * image[place]
    np.testing.assert_allclose(found, expected.sum(axis=-1), rtol=5e-3, atol=5e-4)


@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_answers_are_activations_and_dead_units(subject, name):
    seen = subject(**KINDS[name])
    probes, weights, images = make_probes(seen.model.spec), seen.model.network, jnp.asarray(seen.dataset.test_images)
    layers = probes.layers(*weights, images)[1:]
    for k, a in enumerate(layers):
        units = a.shape[-1]
        found = np.asarray(probes.answers(*weights, images, k))
        rows = np.asarray(a).reshape(len(images), -1, units)  # positions in the middle
        np.testing.assert_allclose(found[:, :units], rows.mean(axis=1), rtol=1e-4, atol=1e-6)
        dead = (rows <= 0).all(axis=1) if k < len(layers) - 1 else np.zeros((len(images), units), bool)
        assert np.array_equal(found[:, units:], dead)
    assert found.shape == (40, 6)


@pytest.mark.parametrize("shape", [(5, 4, 1), (5, 4, 3)])
def test_a_png_has_the_same_pixels(shape):
    image = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    kind, _, data = png(image).partition(",")
    assert kind == "data:image/png;base64"
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))).reshape(shape), image)


def test_the_strongest_weights_by_brute_force():
    w = np.random.default_rng(0).normal(size=(3, 3, 20))
    sums = [w[:, :, k].sum() for k in range(20)]
    expected = sorted(range(20), key=lambda k: -abs(sums[k]))[:10]
    found = incoming(w)
    assert [line["unit"] for line in found] == expected
    assert [line["weight"] for line in found] == pytest.approx([sums[k] for k in expected])
    assert incoming(np.array([0.5, -2.0]))[0] == {"unit": 1, "weight": -2.0}


def test_the_most_exciting_images_by_brute_force(subject, stripes):
    seen = subject(hidden=(7,))
    first, config = seen.model.weights[0][0], seen.model.config
    first["b"] = first["b"].at[0, 2].set(-1e6)  # the unit is dead
    layer = seen.model.network[0][0]
    pixels = stripes.test_images.reshape(40, -1) / 255
    x = (pixels - config.pixel_mean) / config.pixel_std
    a = np.maximum(x @ np.asarray(layer["w"]) + np.asarray(layer["b"]), 0)
    found = exciting(seen, "test", 0)
    assert found.seen == 40
    assert found.dead.tolist() == [unit == 2 for unit in range(7)]
    np.testing.assert_allclose(found.activations, -np.sort(-a, axis=0)[:9], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(np.take_along_axis(a, found.indices, axis=0), found.activations, rtol=1e-4, atol=1e-5)


def test_the_sentence_about_a_neuron(subject):
    seen = subject(model="cnn", widths=(3, 4), blocks=0)
    assert layer_units(seen) == [3, 3, 4, 4, 3]
    first, deeper, last = (neuron(seen, "learned", k, 2) for k in (0, 1, 4))
    assert first["weights"]["png"].startswith("data:image/png;base64,")
    assert first["incoming"] is None
    assert "mean over all positions" in first["sentence"]
    assert (deeper["weights"], len(deeper["incoming"])) == (None, 3)
    assert not last["dead"]
    assert "position" not in last["sentence"]
    assert len(last["exciting"]) == 9


def test_neurons_by_address(get, ask):
    assert get("/api/models/slow@1/neurons")["layers"] == [{"name": "0", "units": 5}, {"name": "1", "units": 3}]
    assert get("/api/models/slow@1/neurons/1/2")["unit"] == 2
    for place in ("2/0", "0/5", "x/0", "0/-1"):
        answer = ask("GET", f"/api/models/slow@1/neurons/{place}")
        assert answer.status == 404
        assert "must be a number from 0 to" in answer.json["error"]

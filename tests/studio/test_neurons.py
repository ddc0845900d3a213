"""Neurons: their weights laid out as what they look at, and the images that excite them, found a second way."""

import numpy as np
import pytest

from jaxquard.studio.inside import exciting, incoming, layer_units, neuron


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
    first["b"] = first["b"].at[0, 2].set(-1e6)  # nothing gets through any more
    layer = seen.model.network[0][0]
    pixels = stripes.test_images.reshape(40, -1) / 255
    x = (pixels - config.pixel_mean) / config.pixel_std
    a = np.maximum(x @ np.asarray(layer["w"]) + np.asarray(layer["b"]), 0)
    found = exciting(seen, "test", 0)
    assert found.seen == 40
    assert found.dead.tolist() == [unit == 2 for unit in range(7)]
    np.testing.assert_allclose(found.activations, -np.sort(-a, axis=0)[:9], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(np.take_along_axis(a, found.indices, axis=0), found.activations, rtol=1e-4, atol=1e-5)


def test_what_is_said_of_one_neuron(subject):
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
        assert "are numbered 0 to" in answer.json["error"]

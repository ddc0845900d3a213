"""What is seen inside a network: held to NumPy, to finite differences, and to the network's own logits."""

import base64
import io

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from jaxquard.studio.inside import features, make_eyes, png

KINDS = {
    "mlp": {"hidden": (7, 5)},
    "mlp with batch norm": {"hidden": (7, 5), "batch_norm": True, "activation": "gelu"},
    "no hidden layer": {"hidden": ()},
    "cnn": {"model": "cnn", "widths": (3, 4), "blocks": 0},
    "cnn with a stem": {"model": "cnn", "widths": (4,), "stem": 2, "activation": "tanh"},
}


@pytest.mark.parametrize("settings", KINDS.values(), ids=KINDS.keys())
def test_the_last_layer_is_the_networks_own_logits(subject, coloured, settings):
    seen = subject(coloured, **settings)
    images = seen.dataset.test_images[:3]
    layers = make_eyes(seen.task).layers(*seen.model.network, jnp.asarray(images))
    np.testing.assert_allclose(layers[-1], seen.model.logits(images), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(layers[0], images.reshape(3, -1) / 255, rtol=1e-6)
    assert len(layers) == len(seen.model.network[0]) + 1


def test_every_layer_as_numpy_has_it(subject):
    seen = subject(hidden=(7, 5))
    config, image = seen.model.config, seen.dataset.test_images[:1]
    a = (image.reshape(1, -1) / 255 - config.pixel_mean) / config.pixel_std
    layers = make_eyes(seen.task).layers(*seen.model.network, jnp.asarray(image))[1:]
    for number, (layer, found) in enumerate(zip(seen.model.network[0], layers, strict=True)):
        z = a @ np.asarray(layer["w"]) + np.asarray(layer["b"])
        a = z if number == 2 else np.maximum(z, 0)
        np.testing.assert_allclose(found, a, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["mlp", "mlp with batch norm", "cnn"])
def test_features_are_what_the_last_layer_receives(subject, name):
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
    found = make_eyes(seen.task).gradient_times_input(*seen.model.network, image, 1)
    expected = np.zeros(image.shape)
    for place in np.ndindex(*image.shape):
        up, down = image.copy(), image.copy()
        up[place] += 1
        down[place] -= 1
        high, low = seen.model.logits(np.stack([up, down]))[:, 1]
        expected[place] = (high - low) / 2 * image[place]
    np.testing.assert_allclose(found, expected.sum(axis=-1), rtol=5e-3, atol=5e-4)


def test_of_a_linear_network_the_pixels_say_all(subject):
    seen = subject(hidden=())
    image = seen.dataset.test_images[0]
    image_logits, blank_logits = seen.model.logits(np.stack([image, np.zeros_like(image)]))
    found = make_eyes(seen.task).gradient_times_input(*seen.model.network, image, 2)
    assert float(np.sum(found)) == pytest.approx(image_logits[2] - blank_logits[2], rel=1e-4)


@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_answers_are_activations_and_who_is_dead(subject, name):
    seen = subject(**KINDS[name])
    eyes, weights, images = make_eyes(seen.task), seen.model.network, jnp.asarray(seen.dataset.test_images)
    layers = eyes.layers(*weights, images)[1:]
    for k, a in enumerate(layers):
        units = a.shape[-1]
        found = np.asarray(eyes.answers(*weights, images, k))
        rows = np.asarray(a).reshape(len(images), -1, units)  # positions in the middle
        np.testing.assert_allclose(found[:, :units], rows.mean(axis=1), rtol=1e-4, atol=1e-6)
        dead = (rows <= 0).all(axis=1) if k < len(layers) - 1 else np.zeros((len(images), units), bool)
        assert np.array_equal(found[:, units:], dead)
    assert found.shape == (40, 6)


@pytest.mark.parametrize("shape", [(5, 4, 1), (5, 4, 3)])
def test_a_png_holds_the_very_pixels(shape):
    image = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    kind, _, data = png(image).partition(",")
    assert kind == "data:image/png;base64"
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))).reshape(shape), image)

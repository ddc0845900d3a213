import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxquard.nn.initializers import INITIALIZERS, fans, glorot_normal, he_normal, scaled_normal, standard_normal
from jaxquard.nn.mlp import mlp
from jaxquard.nn.model import pre_activations

PIXEL_MEAN, PIXEL_STD = 0.5, math.sqrt((256**2 - 1) / 12) / 255  # of pixels drawn evenly from 0..255


@pytest.mark.parametrize(("shape", "expected"), [((784, 128), (784, 128)), ((3, 5, 8, 16), (120, 240))])
def test_fans(shape: tuple[int, ...], expected: tuple[int, int]):
    assert fans(shape) == expected


@pytest.mark.parametrize("shape", [(200, 300), (3, 5, 40, 100)])
@pytest.mark.parametrize(
    ("initializer", "variance"),
    [
        (scaled_normal, lambda n_in, n_out: 1 / n_in),
        (standard_normal, lambda n_in, n_out: 1),
        (he_normal, lambda n_in, n_out: 2 / n_in),
        (glorot_normal, lambda n_in, n_out: 2 / (n_in + n_out)),
    ],
)
def test_weights_are_normal_with_the_stated_deviation(initializer, variance, shape: tuple[int, ...]):
    weights = np.asarray(initializer(jax.random.key(1), shape)) / math.sqrt(variance(*fans(shape)))
    assert weights.shape == shape
    assert weights.dtype == np.float32
    assert abs(weights.mean()) < 4 / math.sqrt(weights.size)
    assert weights.std() == pytest.approx(1, abs=4 / math.sqrt(2 * weights.size))
    within = [np.mean(np.abs(weights) < sigmas) for sigmas in (1, 2, 3)]
    np.testing.assert_allclose(within, [0.6827, 0.9545, 0.9973], atol=0.008)


@pytest.mark.parametrize("name", sorted(INITIALIZERS.keys() - {"zeros"}))
def test_the_key_decides(name: str):
    one, same, other = (INITIALIZERS[name](jax.random.key(seed), (8, 4)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert not np.isin(one, other).any()


@pytest.mark.parametrize(
    ("activation", "initializer", "first", "ratio"),
    [
        ("identity", scaled_normal, 1, 1),
        ("relu", scaled_normal, 1, 1 / 2),
        ("relu", he_normal, 2, 1),
    ],
)
def test_second_moment_from_layer_to_layer(activation, initializer, first: float, ratio: float):
    """Unit-variance pixels, seven layers of 512: each layer multiplies E[z²] by `ratio`."""
    model = mlp(
        (512,) * 6,
        image_shape=(16, 32, 1),
        classes=512,
        activation=activation,
        initializer=initializer,
        mean=PIXEL_MEAN,
        std=PIXEL_STD,
    )
    images = np.random.default_rng(0).integers(0, 256, (256, 16, 32, 1), dtype=np.uint8)

    @jax.jit
    def second_moments(key: jax.Array) -> list[jax.Array]:
        params, state = model.init(key)
        return [jnp.mean(z**2) for z in pre_activations(model, params, state, images).values()]

    moments = np.array(second_moments(jax.random.key(0)))
    assert moments[0] == pytest.approx(first, rel=0.02)
    np.testing.assert_allclose(moments[1:] / moments[:-1], ratio, rtol=0.15)
    assert np.exp(np.mean(np.log(moments[1:] / moments[:-1]))) == pytest.approx(ratio, rel=0.05)

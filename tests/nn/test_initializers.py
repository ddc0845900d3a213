import math

import jax
import numpy as np
import pytest

from jaxquard.nn.initializers import INITIALIZERS, fans, glorot_normal, he_normal, scaled_normal, standard_normal


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

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxquard.nn.layers import dropout, standardize

ONES = jnp.ones((1000, 1000))


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_keeps_the_mean_and_zeroes_the_stated_fraction(rate: float):
    dropped = np.float64(dropout(jax.random.key(2), ONES, rate))
    zeroed = np.mean(dropped == 0)
    assert zeroed == pytest.approx(rate, abs=4 * math.sqrt(rate * (1 - rate) / ONES.size))
    assert dropped.mean() == pytest.approx(1, abs=4 * math.sqrt(rate / (1 - rate) / ONES.size))
    np.testing.assert_allclose(np.unique(dropped), [0, 1 / (1 - rate)], rtol=1e-6)


def test_dropout_at_rate_0_changes_nothing():
    x = jax.random.normal(jax.random.key(0), (100, 100))
    np.testing.assert_array_equal(dropout(jax.random.key(1), x, 0.0), x)


def test_dropout_of_two_keys_is_independent_and_of_one_key_the_same():
    kept, again, other = (np.asarray(dropout(jax.random.key(seed), ONES, 0.3) > 0) for seed in (0, 0, 1))
    np.testing.assert_array_equal(kept, again)
    assert abs(np.corrcoef(kept.ravel(), other.ravel())[0, 1]) < 4 / math.sqrt(ONES.size)
    neighbours = np.corrcoef(kept[:, :-1].ravel(), kept[:, 1:].ravel())[0, 1]
    assert abs(neighbours) < 4 / math.sqrt(ONES.size)


def test_dropout_rate_may_be_traced_and_the_gradient_passes_where_it_kept():
    x = jnp.arange(1.0, 101)
    key = jax.random.key(0)
    grad = jax.jit(jax.grad(lambda x, rate: dropout(key, x, rate).sum()))(x, 0.25)
    np.testing.assert_allclose(grad, dropout(key, x, 0.25) / x, rtol=1e-6)


@pytest.mark.parametrize(("mean", "std"), [(0.0, 1.0), (0.2860, 0.3530), (0.1307, 0.3081)])
def test_standardize_every_pixel_value_against_float64(mean: float, std: float):
    pixels = np.arange(256, dtype=np.uint8)
    found = standardize(jnp.asarray(pixels), mean, std)
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, (pixels / 255 - mean) / std, rtol=0, atol=5e-7)

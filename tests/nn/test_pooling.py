from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxquard.nn.pooling import avg_pool, max_pool


def images(*shape: int) -> jax.Array:
    return jnp.asarray(np.random.default_rng(0).standard_normal(shape, np.float32))


@pytest.mark.parametrize(("shape", "window"), [((2, 6, 6, 3), 2), ((1, 7, 9, 2), 2), ((3, 5, 8, 1), 3)], ids=str)
def test_values_and_gradients_are_those_of_reduce_window(shape, window):
    def reference(x):
        size = (1, window, window, 1)
        return lax.reduce_window(x, -jnp.inf, lax.max, size, size, "VALID")

    @jax.jit
    def both(x):
        y, ours = jax.vjp(lambda x: max_pool(x, window), x)
        expected, autodiff = jax.vjp(reference, x)
        return (y, ours(jnp.sin(y))), (expected, autodiff(jnp.sin(y)))

    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-6, atol=1e-6), *both(images(*shape)))


@pytest.mark.parametrize(("shape", "window"), [((2, 6, 6, 3), 2), ((2, 7, 9, 1), 2), ((3, 5, 8, 3), 3)], ids=str)
def test_pixels_that_share_the_maximum_get_equal_shares_of_its_gradient(shape, window):
    x = jnp.round(images(*shape))  # with many ties
    y, backward = jax.vjp(lambda x: max_pool(x, window), x)
    g = np.random.default_rng(1).standard_normal(y.shape)
    expected = np.zeros(shape)
    for n, row, column, c in np.ndindex(y.shape):
        block = np.s_[n, row * window : (row + 1) * window, column * window : (column + 1) * window, c]
        largest = np.asarray(x[block] == x[block].max())
        expected[block] = largest * g[n, row, column, c] / largest.sum()
    np.testing.assert_allclose(backward(jnp.float32(g))[0], expected, rtol=1e-6)


def test_a_nan_is_not_pooled_away():
    assert jnp.isnan(max_pool(jnp.zeros((1, 2, 2, 1)).at[0, 1, 0].set(jnp.nan))).all()


@pytest.mark.parametrize(("shape", "window"), [((2, 6, 6, 3), 2), ((1, 7, 9, 2), 2), ((3, 5, 8, 1), 3)], ids=str)
def test_the_mean_of_blocks_is_that_of_reduce_window(shape, window):
    x = jnp.round(100 + 50 * images(*shape)).astype(jnp.uint8)
    size = (1, window, window, 1)
    sums = lax.reduce_window(x.astype(jnp.float32), 0.0, lax.add, size, size, "VALID")
    means = avg_pool(x, window)
    assert means.dtype == jnp.float32  # not the bytes' own, which have no fractions
    np.testing.assert_allclose(means, sums / window**2, rtol=1e-6)

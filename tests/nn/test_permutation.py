"""The fast permutation against JAX's own."""

import jax
import numpy as np
import pytest

from jaxquard.nn.permutation import permutation


@pytest.mark.parametrize("n", [0, 1, 2, 253, 1625, 1626, 60_000])
def test_a_permutation_is_that_of_jax(n: int):
    """With the same random numbers in as many rounds: one up to n = 1,625, then two."""
    for seed in range(3):
        key = jax.random.key(seed)
        ours = permutation(key, n)
        assert ours.dtype == np.int32
        np.testing.assert_array_equal(ours, jax.random.permutation(key, n))
        np.testing.assert_array_equal(ours, jax.jit(permutation, static_argnums=1)(key, n))


def test_the_same_where_numbers_have_64_bits():
    with jax.enable_x64(True):
        key = jax.random.key(3)
        np.testing.assert_array_equal(permutation(key, 2000), jax.random.permutation(key, 2000))


def test_permutations_under_vmap_are_those_of_each_key():
    keys = jax.random.split(jax.random.key(5), 3)
    together = jax.vmap(lambda key: permutation(key, 2000))(keys)
    np.testing.assert_array_equal(together, [jax.random.permutation(key, 2000) for key in keys])

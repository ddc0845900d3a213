import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxquard.nn.normalization import batch_norm, init_batch_norm

SHAPES = [(50, 3), (4, 5, 6, 3)]  # (batch, features) and images


def example(shape, mean: float = 2.0, std: float = 3.0):
    keys = jax.random.split(jax.random.key(0), 3)
    params = {"scale": jax.random.normal(keys[0], shape[-1:]), "bias": jax.random.normal(keys[1], shape[-1:])}
    state = {"mean": jnp.array([1.0, -2.0, 0.5]), "var": jnp.array([4.0, 0.25, 1.0])}
    return params, state, mean + std * jax.random.normal(keys[2], shape)


def oracle(params, mean, var, x, epsilon=1e-5):
    """Ioffe & Szegedy's formula in float64."""
    gamma, beta, x = (np.asarray(a, np.float64) for a in (params["scale"], params["bias"], x))
    return gamma * (x - mean) / np.sqrt(var + epsilon) + beta


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_training_normalizes_with_the_batch(shape):
    params, state, x = example(shape)
    y, new = batch_norm(params, state, x, train=True, momentum=0.8)
    rows = np.asarray(x, np.float64).reshape(-1, 3)
    np.testing.assert_allclose(y, oracle(params, rows.mean(0), rows.var(0), x), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(new["mean"], 0.8 * np.asarray(state["mean"]) + 0.2 * rows.mean(0), rtol=1e-5)
    np.testing.assert_allclose(new["var"], 0.8 * np.asarray(state["var"]) + 0.2 * rows.var(0, ddof=1), rtol=1e-5)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_predicting_uses_the_state_and_leaves_it(shape):
    params, state, x = example(shape)
    y, new = batch_norm(params, state, x, train=False)
    np.testing.assert_allclose(y, oracle(params, state["mean"], state["var"], x), rtol=1e-5, atol=1e-5)
    assert new is state


def test_a_large_mean_costs_no_digits():
    """Here the error of the one-pass variance E[x²] - E[x]² would exceed the variance (float32 has 7 digits)."""
    params, state, x = example((4096, 3), mean=1e4, std=1.0)
    y, _ = batch_norm(params, state, x, train=True)
    rows = np.asarray(x, np.float64)
    np.testing.assert_allclose(y, oracle(params, rows.mean(0), rows.var(0), x), atol=5e-3)


@pytest.mark.parametrize("which", [0, 2], ids=["params", "x"])
def test_gradients_are_finite_differences(which):
    with jax.enable_x64(True):
        arguments = [jax.tree.map(lambda a: jnp.asarray(a, jnp.float64), a) for a in example((2, 3, 2, 3))]

        @jax.jit
        def loss(argument):
            y, _ = batch_norm(*arguments[:which], argument, *arguments[which + 1 :], train=True)
            return jnp.sum(jnp.sin(y))

        check_grads(loss, (arguments[which],), order=1, modes=["rev"], rtol=1e-6)


def test_a_constant_batch_gives_the_bias():
    params, state, _ = example((1, 3))
    for x in (jnp.full((1, 3), 7.0), jnp.full((8, 3), 7.0)):
        y, new = batch_norm(params, state, x, train=True)
        np.testing.assert_allclose(y, jnp.broadcast_to(params["bias"], x.shape), atol=1e-6)
        assert all(jnp.isfinite(leaf).all() for leaf in new.values())


def test_at_the_start_it_is_the_identity_but_for_epsilon():
    params, state = init_batch_norm(3)
    x = example((5, 3))[2]
    np.testing.assert_allclose(batch_norm(params, state, x, train=False, epsilon=0)[0], x, rtol=1e-6)

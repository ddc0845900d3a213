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


def test_gradients_have_the_shapes_and_types_of_the_arguments():
    _, state, x = example((4, 5, 6, 3))
    params = {"scale": jnp.ones(()), "bias": jnp.zeros((1,))}
    for one in (x.astype(jnp.bfloat16), x[:0]):
        loss = jax.grad(lambda *arguments: jnp.sum(batch_norm(*arguments, train=True)[0]), (0, 2))
        of_params, of_x = loss(params, state, one)
        assert (of_x.dtype, of_x.shape) == (one.dtype, one.shape)
        assert {name: g.shape for name, g in of_params.items()} == {"scale": (), "bias": (1,)}


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
@pytest.mark.parametrize("shape", [(7, 3), (2, 3, 2, 3)], ids=str)
def test_gradients_are_finite_differences(shape, which):
    with jax.enable_x64(True):
        arguments = [jax.tree.map(lambda a: jnp.asarray(a, jnp.float64), a) for a in example(shape)]

        @jax.jit
        def loss(argument):
            y, new = batch_norm(*arguments[:which], argument, *arguments[which + 1 :], train=True)
            return jnp.sum(jnp.sin(y)) + jnp.sum(jnp.sin(new["mean"] + new["var"]))

        check_grads(loss, (arguments[which],), order=1, modes=["rev"], rtol=1e-6)


@pytest.mark.parametrize("shape", [(5, 6, 7, 1), (3, 9, 4, 3), (304, 2, 1, 5)], ids=str)
def test_gradients_are_autodiffs_of_the_formula_in_double_precision(shape):
    """With a gradient of the mean and the variance, too; here a mean of 20 deviations costs no digits."""
    keys = jax.random.split(jax.random.key(1), 4)
    channels = shape[-1:]
    params = {name: 1 + jax.random.normal(key, channels) for name, key in zip(("scale", "bias"), keys, strict=False)}
    x, weights = 20 + jax.random.normal(keys[2], shape), jax.random.normal(keys[3], shape)
    state = init_batch_norm(*channels)[1]

    def formula(params, state, x, train):
        mean, var = jnp.mean(x, (0, 1, 2)), jnp.var(x, (0, 1, 2))
        n = x.size // x.shape[-1]
        new = {"mean": 0.9 * state["mean"] + 0.1 * mean, "var": 0.9 * state["var"] + 0.1 * var * n / (n - 1)}
        return params["scale"] * (x - mean) / jnp.sqrt(var + 1e-5) + params["bias"], new

    def gradients(function, *arguments):
        def loss(params, state, x, weights):
            y, new = function(params, state, x, train=True)
            return jnp.sum(weights * jnp.sin(y)) + jnp.sum(new["mean"] ** 2 + new["var"] ** 2)

        return jax.jit(jax.grad(loss, argnums=(0, 2)))(*arguments)

    ours = gradients(batch_norm, params, state, x, weights)
    with jax.enable_x64(True):
        exact = jax.tree.map(lambda a: jnp.asarray(np.asarray(a), jnp.float64), (params, state, x, weights))
        for got, expected in zip(jax.tree.leaves(ours), jax.tree.leaves(gradients(formula, *exact)), strict=True):
            np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def test_images_are_added_in_a_loop_on_a_cpu_alone():
    params, state, x = example((4, 5, 6, 3))

    def loops(platform):
        step = jax.jit(jax.grad(lambda x: jnp.sum(jnp.sin(batch_norm(params, state, x, train=True)[0]))))
        return step.trace(x).lower(lowering_platforms=(platform,)).as_text().count("stablehlo.while")

    assert loops("cpu") > 0 == loops("cuda")


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

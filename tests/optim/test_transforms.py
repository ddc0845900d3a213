import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxquard.optim.transforms import (
    chain,
    clip_by_global_norm,
    global_norm,
    orthogonalize,
    scale_by_learning_rate,
    stateless,
    trace,
)

TREE = {"w": jnp.array([[3.0, 0.0], [0.0, -4.0]]), "b": jnp.array([12.0])}  # its norm is 13


def test_global_norm():
    assert global_norm(TREE) == pytest.approx(13)
    assert global_norm(TREE) == pytest.approx(float(optax.tree.norm(TREE)))
    assert global_norm({}) == 0


def test_clipping_leaves_zero_at_zero_and_does_not_hide_a_nan():
    clip = clip_by_global_norm(1.0)
    assert not clip.update(jnp.zeros(3), (), None)[0].any()
    with_nan = [jnp.ones(2), jnp.array([jnp.nan])]
    assert all(jnp.isnan(leaf).all() for leaf in clip.update(with_nan, (), None)[0])


def test_a_chain_runs_in_order_and_keeps_each_state():
    double = stateless(lambda grads, params: 2 * grads)
    add_params = stateless(lambda grads, params: grads + params)
    params, grads = jnp.float32(10), jnp.float32(1)
    assert chain(double, add_params).update(grads, ((), ()), params)[0] == 12
    assert chain(add_params, double).update(grads, ((), ()), params)[0] == 22
    both = chain(trace(0.5), scale_by_learning_rate(0.1))
    _, (velocity, step) = both.update(grads, both.init(params), params)
    assert (velocity, step) == (1, 1)


def test_an_empty_chain_changes_nothing():
    assert chain().update(TREE, (), TREE) == (TREE, ())


@pytest.mark.parametrize("shape", [(40, 6), (6, 40), (7, 7), (3, 3, 5, 4), (1, 9)])
def test_orthogonal_in_the_directions_of_the_gradient(shape: tuple[int, ...]):
    """With G = UΣVᵀ, the result is UΣ′Vᵀ, the new singular values near 1 after division by the factor."""
    gradient = np.random.default_rng(0).normal(size=shape)
    matrix = gradient.reshape(-1, shape[-1])
    u, _, vt = np.linalg.svd(matrix, full_matrices=False)
    with jax.enable_x64(True):
        found, _ = orthogonalize().update(jnp.asarray(gradient), (), None)
    assert found.shape == shape
    inside = u.T @ np.asarray(found).reshape(matrix.shape) @ vt.T / (0.2 * max(matrix.shape) ** 0.5)
    values = np.diag(inside)
    assert ((values > 0.65) & (values < 1.25)).all()
    np.testing.assert_allclose(inside, np.diag(values), atol=1e-6)


def test_orthogonalizing_nothing_gives_nothing_and_does_not_hide_a_nan():
    assert not orthogonalize().update(jnp.zeros((3, 2)), (), None)[0].any()
    assert jnp.isnan(orthogonalize().update(jnp.array([[1.0, jnp.nan]]), (), None)[0]).any()

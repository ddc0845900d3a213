import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import expit, log_expit, log_softmax, softmax

from jaxquard.nn.losses import LOSSES, cross_entropy, one_hot

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(0, 4, (50, 6)).astype(np.float32)
LABELS = RNG.integers(0, 6, 50)
MIXED = RNG.dirichlet(np.ones(6), 50).astype(np.float32)

ORACLES = {
    "cross_entropy": lambda z, y: -np.sum(y * log_softmax(z, -1), -1),
    "squared_error_softmax": lambda z, y: np.sum((y - softmax(z, -1)) ** 2, -1) / 2,
    "squared_error_sigmoid": lambda z, y: np.sum((y - expit(z)) ** 2, -1) / 2,
    "cross_entropy_sigmoid": lambda z, y: -np.sum(y * log_expit(z) + (1 - y) * log_expit(-z), -1),
}


def squared_error_softmax_gradient(z: np.ndarray, y: np.ndarray) -> np.ndarray:
    a = softmax(z, -1)
    return a * (a - y - np.sum(a * (a - y), -1, keepdims=True))


GRADIENTS = {
    "cross_entropy": lambda z, y: softmax(z, -1) - y,
    "squared_error_softmax": squared_error_softmax_gradient,
    "squared_error_sigmoid": lambda z, y: (expit(z) - y) * expit(z) * expit(-z),
    "cross_entropy_sigmoid": lambda z, y: expit(z) - y,
}
EXTREMES = np.array(list(itertools.product([-1e4, 0, 1e4], repeat=3)), np.float32)  # every combination


def test_one_hot():
    np.testing.assert_array_equal(one_hot(jnp.array([2, 0]), 3), [[0, 0, 1], [1, 0, 0]])


@pytest.mark.parametrize("name", LOSSES)
def test_values_are_scipys_in_float64_one_for_each_example(name: str):
    found = LOSSES[name](jnp.asarray(LOGITS), jnp.asarray(LABELS))
    assert found.shape == (50,)
    np.testing.assert_allclose(found, ORACLES[name](np.float64(LOGITS), np.eye(6)[LABELS]), rtol=2e-5, atol=2e-6)
    mixed = LOSSES[name](jnp.asarray(LOGITS), jnp.asarray(MIXED))
    np.testing.assert_allclose(mixed, ORACLES[name](np.float64(LOGITS), np.float64(MIXED)), rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_a_class_number_is_the_same_as_its_one_hot_distribution(name: str):
    loss, z = LOSSES[name], jnp.asarray(LOGITS)
    np.testing.assert_array_equal(loss(z, jnp.asarray(LABELS)), loss(z, one_hot(jnp.asarray(LABELS), 6)))


def test_the_gradient_of_cross_entropy_is_the_error_for_any_distribution():
    grad = jax.jit(jax.vmap(jax.grad(cross_entropy)))(LOGITS, MIXED)
    np.testing.assert_allclose(grad, softmax(np.float64(LOGITS), -1) - MIXED, atol=1e-6)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("label", [0, 1, 2])
def test_finite_and_right_at_logits_of_ten_thousand(name: str, label: int):
    """Also the gradient at ties and at 0, where |z| or max may have a wrong one."""
    z, y = np.float64(EXTREMES), np.eye(3)[np.full(len(EXTREMES), label)]
    value_and_grad = jax.jit(jax.vmap(jax.value_and_grad(LOSSES[name]), in_axes=(0, None)))
    values, grads = value_and_grad(jnp.asarray(EXTREMES), label)
    np.testing.assert_allclose(values, ORACLES[name](z, y), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(grads, GRADIENTS[name](z, y), atol=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_a_nan_is_not_hidden(name: str):
    assert jnp.isnan(LOSSES[name](jnp.array([[0.0, jnp.nan]]), jnp.array([0]))).all()

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax as scipy_log_softmax
from scipy.special import softmax as scipy_softmax

from jaxquard.nn.activations import ACTIVATIONS, log_softmax, softmax

from .test_backpropagation import SIGMA, SIGMA_PRIME

Z = np.linspace(-12, 12, 1001, dtype=np.float32)  # 0 is among them
repeatable = settings(deadline=None, derandomize=True, database=None)
eighths = st.lists(st.integers(-8000, 8000).map(lambda n: n / 8), min_size=5, max_size=5)  # exact in float32, sums too


def slopes(function, z) -> jax.Array:
    return jax.jit(jax.vmap(jax.grad(function)))(jnp.asarray(z))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_values_and_slopes_are_scipys_in_float64(name: str):
    """The slope at a corner is that on its left."""
    z = np.float64(Z)
    np.testing.assert_allclose(ACTIVATIONS[name](jnp.asarray(Z)), SIGMA[name](z), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(slopes(ACTIVATIONS[name], Z), SIGMA_PRIME[name](z), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_nan_goes_through(name: str):
    assert jnp.isnan(ACTIVATIONS[name](jnp.float32(jnp.nan)))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_extremes_are_finite_and_so_are_their_slopes(name: str):
    z = jnp.array([-1e4, 1e4])
    assert jnp.isfinite(ACTIVATIONS[name](z)).all()
    assert jnp.isfinite(slopes(ACTIVATIONS[name], z)).all()


@pytest.mark.parametrize("scale", [1, 30, 1e4])
def test_softmax_and_its_log_are_scipys_in_float64(scale: float):
    logits = np.random.default_rng(0).normal(0, scale, (64, 10)).astype(np.float32)
    z, exact = jnp.asarray(logits), np.float64(logits)
    np.testing.assert_allclose(softmax(z), scipy_softmax(exact, -1), rtol=2e-5, atol=1e-30)
    np.testing.assert_allclose(log_softmax(z), scipy_log_softmax(exact, -1), rtol=1e-6, atol=1e-6)


def test_softmax_at_extremes_and_ties():
    """Values, and the Jacobian diag(p) - ppᵀ."""
    logits = jnp.array([[1e4, -1e4, 0], [-1e4, -1e4, -1e4], [1e4, 1e4, -1e4]])
    p = np.array([[1, 0, 0], [1 / 3] * 3, [1 / 2, 1 / 2, 0]])
    log_p = [[0, -2e4, -1e4], [-np.log(3)] * 3, [-np.log(2), -np.log(2), -2e4 - np.log(2)]]
    np.testing.assert_allclose(softmax(logits), p, rtol=1e-6)
    np.testing.assert_allclose(log_softmax(logits), log_p, rtol=1e-6)
    jacobian = p[:, :, None] * np.eye(3) - p[:, :, None] * p[:, None, :]
    np.testing.assert_allclose(jax.jit(jax.vmap(jax.jacobian(softmax)))(logits), jacobian, atol=1e-7)
    np.testing.assert_allclose(
        jax.jit(jax.vmap(jax.jacobian(log_softmax)))(logits), np.eye(3) - p[:, None, :], atol=1e-7
    )


@repeatable
@given(eighths)
def test_softmax_is_a_distribution_in_the_order_of_its_logits(logits: list[float]):
    probabilities = np.asarray(softmax(jnp.array(logits)))
    assert probabilities.min() >= 0
    assert probabilities.sum() == pytest.approx(1, abs=1e-6)
    assert (np.diff(probabilities[np.argsort(logits, kind="stable")]) >= 0).all()


@repeatable
@given(eighths, st.integers(-8000, 8000).map(lambda n: n / 8))
def test_a_shift_does_not_change_softmax(logits: list[float], shift: float):
    z = jnp.array(logits)
    np.testing.assert_array_equal(softmax(z + shift), softmax(z))
    np.testing.assert_array_equal(log_softmax(z + shift), log_softmax(z))

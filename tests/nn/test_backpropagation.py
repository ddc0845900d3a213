"""jax.grad against the backpropagation of Nielsen's chapter 2, and against finite differences.

The oracle is NumPy in float64, one example at a time, with his matrices (wˡ[j, k]: from neuron k to neuron j).
"""

import functools
import math
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import expit, ndtr

from jaxquard.nn.activations import ACTIVATIONS
from jaxquard.nn.layers import standardize
from jaxquard.nn.losses import LOSSES
from jaxquard.nn.mlp import mlp
from jaxquard.nn.model import deltas

from .test_losses import GRADIENTS, ORACLES

IMAGE_SHAPE, HIDDEN, CLASSES, BATCH = (3, 2, 1), (5, 4), 3, 7
STD = 0.5  # with a mean of 0, standardizing is one product, which every compiler rounds in the same way

Function = Callable[[np.ndarray], np.ndarray]
SIGMA: dict[str, Function] = {
    "relu": lambda z: np.maximum(z, 0),
    "leaky_relu": lambda z: np.maximum(z, 0.01 * z),
    "sigmoid": expit,
    "tanh": np.tanh,
    "gelu": lambda z: z * ndtr(z),
    "identity": lambda z: z,
}
SIGMA_PRIME: dict[str, Function] = {
    "relu": lambda z: (z > 0) * 1.0,
    "leaky_relu": lambda z: np.where(z > 0, 1, 0.01),
    "sigmoid": lambda z: expit(z) * (1 - expit(z)),
    "tanh": lambda z: 1 - np.tanh(z) ** 2,
    "gelu": lambda z: ndtr(z) + z * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi),
    "identity": np.ones_like,
}


class Layer(NamedTuple):
    w: np.ndarray
    b: np.ndarray


def feedforward(layers: list[Layer], sigma: Function, x: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Every z and every activation, the input first."""
    zs, activations = [], [x]
    for w, b in layers:
        zs.append(w @ activations[-1] + b)
        activations.append(sigma(zs[-1]))
    return zs, activations


def backprop(
    layers: list[Layer], loss: str, activation: str, x: np.ndarray, y: np.ndarray
) -> tuple[list[np.ndarray], list[Layer]]:
    """Every δ, and the gradient of every layer, for one example."""
    zs, activations = feedforward(layers, SIGMA[activation], x)
    delta = GRADIENTS[loss](zs[-1], y)  # BP1
    found = [delta]
    for above, z in zip(layers[:0:-1], zs[-2::-1], strict=True):
        delta = (above.w.T @ delta) * SIGMA_PRIME[activation](z)  # BP2
        found.insert(0, delta)
    return found, [Layer(np.outer(d, a), d) for d, a in zip(found, activations, strict=False)]  # BP4 and BP3


class Problem(NamedTuple):
    """A small network and a batch."""

    layers: list[Layer]
    images: np.ndarray
    labels: np.ndarray

    @property
    def x(self) -> np.ndarray:
        return np.float64(standardize(jnp.asarray(self.images), 0, STD)).reshape(BATCH, -1)

    @property
    def y(self) -> np.ndarray:
        return np.eye(CLASSES)[self.labels]


def make_problem() -> Problem:
    rng = np.random.default_rng(3)
    sizes = (math.prod(IMAGE_SHAPE), *HIDDEN, CLASSES)
    layers = [
        Layer(rng.normal(size=(n_out, n_in)) / math.sqrt(n_in), rng.normal(size=n_out))
        for n_in, n_out in pairwise(sizes)
    ]
    images = rng.integers(0, 256, (BATCH, *IMAGE_SHAPE), dtype=np.uint8)
    return Problem(layers, images, rng.integers(0, CLASSES, BATCH))


class Found(NamedTuple):
    """JAX's mean loss over the batch, its gradient, and each example's deltas."""

    value: jax.Array
    grads: list[dict[str, jax.Array]]
    deltas: dict[str, jax.Array]


@functools.cache
def by_jax(activation: str, x64: bool) -> dict[str, Found]:
    """Every loss of one network, by name, in one compiled program."""
    model = mlp(HIDDEN, image_shape=IMAGE_SHAPE, classes=CLASSES, activation=activation, std=STD)

    @jax.jit
    def look(params, images, labels) -> dict[str, Found]:
        def mean_loss(params, loss) -> jax.Array:
            return loss(model.apply(params, {}, images)[0], labels).mean()

        return {
            name: Found(*jax.value_and_grad(mean_loss)(params, loss), deltas(model, loss, params, {}, images, labels))
            for name, loss in LOSSES.items()
        }

    problem = make_problem()
    with jax.enable_x64(x64):
        dtype = np.float64 if x64 else np.float32
        params = [{"w": w.T.astype(dtype), "b": b.astype(dtype)} for w, b in problem.layers]
        return look(params, problem.images, problem.labels)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(("activation", "x64"), [(activation, True) for activation in ACTIVATIONS] + [("relu", False)])
def test_gradients_and_deltas_are_nielsens(activation: str, x64: bool, loss: str):
    tolerance = 1e-13 if x64 else 2e-6
    problem, found = make_problem(), by_jax(activation, x64)[loss]
    each = [backprop(problem.layers, loss, activation, x, y) for x, y in zip(problem.x, problem.y, strict=True)]

    assert list(found.deltas) == ["0", "1", "2"]
    for number, grad in enumerate(found.grads):
        assert grad["w"].dtype == (np.float64 if x64 else np.float32)
        delta = np.stack([example_deltas[number] for example_deltas, _ in each])
        w = np.mean([example_grads[number].w for _, example_grads in each], axis=0)
        b = np.mean([example_grads[number].b for _, example_grads in each], axis=0)
        np.testing.assert_allclose(found.deltas[str(number)], delta, rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(grad["w"].T, w, rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(grad["b"], b, rtol=tolerance, atol=tolerance)


def central_difference(cost: Callable[[], float], entries: np.ndarray, h: float = 1e-5) -> np.ndarray:
    """(C(θ + h) - C(θ - h)) / 2h for each entry of an array that `cost` reads."""
    slopes = np.zeros_like(entries)
    for index in np.ndindex(entries.shape):
        kept = entries[index]
        entries[index] = kept + h
        above = cost()
        entries[index] = kept - h
        slopes[index] = (above - cost()) / (2 * h)
        entries[index] = kept
    return slopes


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradients_are_finite_differences_of_a_cost_written_in_numpy(activation: str, loss: str):
    problem, found = make_problem(), by_jax(activation, True)[loss]

    def cost() -> float:
        outputs = (feedforward(problem.layers, SIGMA[activation], x)[0][-1] for x in problem.x)
        return np.mean([ORACLES[loss](z, y) for z, y in zip(outputs, problem.y, strict=True)])

    assert cost() == pytest.approx(float(found.value), rel=1e-13)
    for layer, grad in zip(problem.layers, found.grads, strict=True):
        np.testing.assert_allclose(grad["w"].T, central_difference(cost, layer.w), rtol=0, atol=1e-9)
        np.testing.assert_allclose(grad["b"], central_difference(cost, layer.b), rtol=0, atol=1e-9)

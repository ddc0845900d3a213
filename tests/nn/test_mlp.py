from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxquard.nn.initializers import zeros
from jaxquard.nn.losses import cross_entropy
from jaxquard.nn.mlp import mlp

SHAPE = (4, 4, 1)
IMAGES = np.random.default_rng(0).integers(0, 256, (32, *SHAPE), dtype=np.uint8)
LABELS = np.random.default_rng(1).integers(0, 10, 32)


def initialise(model):
    return jax.jit(model.init)(jax.random.key(0))


def trained(model):
    """The parameters after 20 steps of plain gradient descent on the one batch."""

    @jax.jit
    def step(params):
        grads = jax.grad(lambda p: cross_entropy(model.apply(p, {}, IMAGES)[0], LABELS).mean())(params)
        return jax.tree.map(jnp.subtract, params, grads)

    params, _ = initialise(model)
    for _ in range(20):
        params = step(params)
    return params


def test_a_network_by_hand():
    """Two pixels, two hidden neurons, one logit; for the second image one neuron is off. Computed by hand."""
    model = mlp((2,), image_shape=(1, 2, 1), classes=1, activation="relu", mean=0.2, std=0.4)
    params = [
        {"w": jnp.array([[1.0, -3.0], [2.0, 1.0]]), "b": jnp.array([0.5, 0.0])},
        {"w": jnp.array([[10.0], [100.0]]), "b": jnp.array([-1.0])},
    ]
    # pixels 51 and 255 are 0.2 and 1, standardised 0 and 2: z = (0 + 4 + 0.5, 0 + 2 + 0), both on
    # pixels 255 and 51: z = (2 + 0 + 0.5, -6 + 0 + 0), the second off
    images = jnp.array([[51, 255], [255, 51]], jnp.uint8).reshape(2, 1, 2, 1)
    np.testing.assert_allclose(model.apply(params, {}, images)[0], [[45 + 200 - 1], [25 - 1]], rtol=1e-6)


def test_layers_start_from_keys_of_their_own():
    params, _ = initialise(mlp((16, 16, 16), image_shape=SHAPE, classes=16))
    weights = np.stack([layer["w"] for layer in params])
    assert np.unique(weights).size == weights.size


def test_zero_weights_leave_the_hidden_neurons_identical():
    """With sigmoid they learn, but all the same."""
    model = mlp((8, 6), image_shape=SHAPE, activation="sigmoid", initializer=zeros)
    params = trained(model)
    for layer in params[:-1]:
        assert jnp.abs(layer["w"]).max() > 0
        np.testing.assert_allclose(layer["w"], layer["w"][:, :1].repeat(layer["w"].shape[1], 1), rtol=1e-4, atol=1e-7)


def test_zero_weights_and_relu_learn_nothing_but_the_last_bias():
    model = mlp((8, 6), image_shape=SHAPE, activation="relu", initializer=zeros)
    params = trained(model)
    assert not any(layer["w"].any() for layer in params)
    assert [bool(layer["b"].any()) for layer in params] == [False, False, True]


class TestDropout:
    WIDTH = 256
    EYES = [{"w": jnp.eye(WIDTH), "b": jnp.zeros(WIDTH)}] * 3

    def masks(self, seed: int, rate: float = 0.5, *, train: bool = True) -> tuple[np.ndarray, np.ndarray]:
        """Both hidden layers' masks: the weights are identities, and `watch` replaces each z by ones."""
        model = mlp(
            (self.WIDTH,) * 2, image_shape=(16, 16, 1), classes=self.WIDTH, activation="identity", dropout_rate=rate
        )
        seen = {}

        def watch(name: str, z: jax.Array) -> jax.Array:
            seen[name] = np.asarray(z)
            return jnp.ones_like(z)

        images = jnp.zeros((256, 16, 16, 1), jnp.uint8)
        model.apply(self.EYES, {}, images, key=jax.random.key(seed), train=train, watch=watch)
        return seen["1"], seen["2"]

    def test_each_hidden_layer_has_a_mask_of_its_own(self):
        first, second = self.masks(0)
        for mask in (first, second):
            assert set(np.unique(mask)) == {0, 2}
            assert mask.mean() == pytest.approx(1, abs=4 / self.WIDTH)
        assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 4 / self.WIDTH

    def test_none_when_predicting(self):
        first, second = self.masks(0, train=False)
        assert first.min() == second.min() == 1

    def test_no_rate_means_no_randomness_in_the_program(self):
        key = jax.random.key(0)

        def program(rate: float | None) -> str:
            model = mlp((8,), image_shape=SHAPE, dropout_rate=rate)
            apply = partial(model.apply, train=True)
            params, state = jax.eval_shape(model.init, key)
            return str(jax.make_jaxpr(lambda params, key: apply(params, state, IMAGES, key=key))(params, key))

        assert "random_bits" in program(0.5)
        assert "random" not in program(None)


def test_with_batch_norm_hidden_layers_are_normalised_over_the_batch():
    model = mlp((9, 7), image_shape=SHAPE, classes=3, batch_norm=True)
    params, state = initialise(model)
    assert [sorted(layer) for layer in params] == [["bias", "scale", "w"], ["bias", "scale", "w"], ["b", "w"]]
    seen = {}

    def keep(name, z):
        seen[name] = z
        return z

    logits, kept = model.apply(params, state, IMAGES, train=True, watch=keep)
    for name in "01":
        np.testing.assert_allclose(seen[name].mean(0), 0, atol=1e-5)
        np.testing.assert_allclose(seen[name].var(0), 1, rtol=1e-3)
    assert all(bool((new["mean"] != old["mean"]).all()) for new, old in zip(kept, state, strict=True))
    same_logits, same = model.apply(params, kept, IMAGES)
    assert same is kept or jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), same, kept))
    assert (same_logits != logits).any()  # running statistics, not the batch's

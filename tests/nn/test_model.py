import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxquard.nn.losses import cross_entropy
from jaxquard.nn.mlp import mlp
from jaxquard.nn.model import count_parameters, deltas

MODEL = mlp((5, 4), image_shape=(3, 3, 1), classes=3)
IMAGES = np.random.default_rng(2).integers(0, 256, (6, 3, 3, 1), dtype=np.uint8)
LABELS = np.array([0, 1, 2, 0, 1, 2])


@pytest.fixture(scope="module")
def params():
    return jax.jit(MODEL.init)(jax.random.key(1))[0]


def logits(params, images=IMAGES, **kwargs) -> jax.Array:
    return jax.jit(lambda params, images: MODEL.apply(params, {}, images, **kwargs)[0])(params, images)


def test_the_original_network_has_109_386_parameters():
    params, _ = jax.eval_shape(mlp().init, jax.random.key(0))
    assert count_parameters(params) == 784 * 128 + 128 + 128 * 64 + 64 + 64 * 10 + 10 == 109_386


def test_a_watch_may_change_what_it_sees(params):
    """If a layer's z is always 1, every image gets the same logits."""
    plain, held = logits(params), logits(params, watch=lambda name, z: jnp.ones_like(z) if name == "0" else z)
    assert not np.array_equal(plain[0], plain[1])
    np.testing.assert_array_equal(held, np.broadcast_to(held[0], held.shape))


def test_deltas_are_each_examples_own(params):
    """The last layer's are softmax(z) - y, not divided by the batch size, and do not depend on other examples."""
    look = jax.jit(lambda images, labels: deltas(MODEL, cross_entropy, params, {}, images, labels))
    together, alone = look(IMAGES, LABELS), look(IMAGES[2:3], LABELS[2:3])
    np.testing.assert_allclose(together["2"], jax.nn.softmax(logits(params)) - np.eye(3)[LABELS], atol=1e-6)
    for name in ("0", "1", "2"):
        np.testing.assert_allclose(together[name][2:3], alone[name], rtol=1e-5, atol=1e-6)

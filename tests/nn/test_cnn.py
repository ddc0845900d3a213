import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxquard.nn.cnn import cnn
from jaxquard.nn.losses import cross_entropy
from jaxquard.nn.model import count_parameters, deltas, pre_activations

SHAPE = (9, 8, 1)
IMAGES = np.random.default_rng(0).integers(0, 256, (16, *SHAPE), dtype=np.uint8)
LABELS = np.random.default_rng(1).integers(0, 10, 16)


def small(widths=(4,), blocks=1, **settings):
    model = cnn(widths, blocks, image_shape=SHAPE, mean=0.5, std=0.29, **settings)
    return model, *jax.jit(model.init)(jax.random.key(0))


@pytest.mark.parametrize(
    ("widths", "blocks", "expected"),
    [((16, 32, 64), 0, 73_098), ((32, 64, 128), 0, 289_034), ((16, 32, 64), 1, 121_706)],
)
def test_parameters_counted_by_hand(widths, blocks, expected):
    params, _ = jax.eval_shape(cnn(widths, blocks, stem=2).init, jax.random.key(0))
    assert count_parameters(params) == expected


def test_an_image_too_small_for_so_many_stages_is_refused():
    with pytest.raises(ValueError, match="6 stages halve 28×28 pixels to nothing"):
        cnn((8,) * 6)
    cnn((8,) * 5)
    with pytest.raises(ValueError, match="4 stages halve 4×4 pixels to nothing"):
        cnn((8,) * 4, stem=8)  # of 28×28, rounded up
    cnn((8,) * 3, stem=8)
    with pytest.raises(ValueError, match="widths: at least one stage"):
        cnn(())


def test_a_residual_block_with_scale_zero_lets_its_input_through():
    """σ(a + 0) = a where a = ReLU(…) ≥ 0: without its blocks the network is its first layers."""
    model, params, state = small((4, 6))
    silent = [layer | ({"scale": 0 * layer["scale"]} if n in (2, 5) else {}) for n, layer in enumerate(params)]
    zs = jax.jit(lambda params: pre_activations(model, params, state, IMAGES))(silent)
    np.testing.assert_array_equal(zs["2"], jnp.maximum(zs["0"], 0))
    np.testing.assert_array_equal(zs["5"], jnp.maximum(zs["3"], 0))


def test_every_layer_can_be_looked_at():
    model, params, state = small()
    seen = jax.jit(lambda params: deltas(model, cross_entropy, params, state, IMAGES, LABELS))(params)
    assert list(seen) == [str(number) for number in range(len(params))]
    assert all(jnp.abs(delta).max() > 0 for delta in seen.values())


def test_dropout_needs_a_key_and_changes_with_it():
    model, params, state = small(blocks=0, dropout_rate=0.5)
    with pytest.raises(ValueError, match="needs a key"):
        jax.eval_shape(lambda: model.apply(params, state, IMAGES, train=True))
    train = jax.jit(lambda key: model.apply(params, state, IMAGES, key=key, train=True)[0])
    assert (train(jax.random.key(0)) != train(jax.random.key(1))).any()

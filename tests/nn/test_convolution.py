import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxquard.nn import convolution
from jaxquard.nn.convolution import conv2d

CASES = [  # ((n, h, w, in, out), kernel, stride, padding)
    ((3, 8, 8, 2, 4), 3, 1, "SAME"),
    ((1, 7, 9, 1, 3), 3, 1, "SAME"),  # batch 1, odd, not square, one channel
    ((1, 7, 9, 1, 3), 3, 2, "SAME"),
    ((3, 8, 5, 2, 4), 3, 2, "SAME"),  # even: "SAME" pads more on one side
    ((3, 8, 5, 2, 4), 3, 2, "VALID"),  # the last row takes no part
    ((2, 5, 6, 3, 2), 5, 1, "SAME"),
    ((2, 9, 6, 3, 2), 5, 2, "VALID"),
    ((2, 7, 6, 3, 2), 2, 3, "SAME"),  # a stride longer than the kernel
    ((2, 5, 6, 3, 2), 1, 1, "SAME"),
    ((2, 5, 6, 3, 2), 1, 2, "VALID"),
    ((16, 28, 29, 1, 3), 3, 1, "SAME"),  # more than one chunk
    ((12, 28, 29, 3, 1), 3, 2, "SAME"),
    ((3, 57, 58, 2, 2), 3, 1, "VALID"),  # images larger than a chunk should be
]


@pytest.fixture(autouse=True)
def _as_large_filters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compute these small filters as large ones are computed."""
    monkeypatch.setattr(convolution, "FEW", 0)


def reference(params, x, stride, padding):
    z = lax.conv_general_dilated(x, params["w"], (stride, stride), padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))
    return z + params["b"]


def normal(seed: int, *shape: int) -> jax.Array:
    """Made by NumPy: JAX would compile for each shape."""
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape, np.float32))


def close(actual, expected):
    """Equal to float32 rounding: the same sums, taken in another order."""
    scale = float(jnp.max(jnp.abs(expected)))
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5 * scale)


@pytest.mark.parametrize("few", [0, convolution.FEW], ids=["large", "few"])
@pytest.mark.parametrize(("shape", "kernel", "stride", "padding"), CASES, ids=str)
def test_value_and_gradients_are_autodiffs(shape, kernel, stride, padding, few, monkeypatch):
    monkeypatch.setattr(convolution, "FEW", few)
    n, h, w, n_in, n_out = shape
    x, g = normal(0, n, h, w, n_in), normal(1, n, h, w, n_out)
    params = {"w": normal(2, kernel, kernel, n_in, n_out), "b": normal(3, n_out)}

    @jax.jit
    def both(params, x):
        z, ours = jax.vjp(lambda params, x: conv2d(params, x, stride=stride, padding=padding), params, x)
        expected, autodiff = jax.vjp(lambda params, x: reference(params, x, stride, padding), params, x)
        dz = g[:, : z.shape[1], : z.shape[2]]
        return (z, ours(dz)), (expected, autodiff(dz))

    jax.tree.map(close, *both(params, x))


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_half_precision_has_gradients_of_the_same_type(dtype):
    x, w = normal(0, 4, 6, 6, 2), normal(1, 3, 3, 2, 3)
    whole = jax.grad(lambda w, x: jnp.sum(conv2d({"w": w}, x) ** 2), argnums=(0, 1))
    for half, exact in zip(whole(w.astype(dtype), x.astype(dtype)), whole(w, x), strict=True):
        assert half.dtype == dtype
        np.testing.assert_allclose(half.astype(jnp.float32), exact, rtol=0.05, atol=0.02 * jnp.max(jnp.abs(exact)))


def loss(w: jax.Array, x: jax.Array) -> jax.Array:
    return jnp.sum(jnp.sin(conv2d({"w": w}, x, stride=2)))


def vmapped(f, *arrays):
    return jax.vmap(f)(*arrays)


def mapped(f, *arrays):
    return lax.map(lambda each: f(*each), arrays)


@pytest.mark.parametrize("several", [vmapped, mapped])
def test_several_networks_at_once_are_each_by_itself(several):
    w, x = normal(0, 2, 3, 3, 2, 4), normal(1, 2, 32, 28, 28, 2)
    gradient = jax.jit(jax.grad(loss, argnums=(0, 1)))
    together = jax.jit(partial(several, gradient))(w, x)
    alone = [gradient(*each) for each in zip(w, x, strict=True)]
    jax.tree.map(close, together, jax.tree.map(lambda *leaves: jnp.stack(leaves), *alone))


def test_gradients_are_the_same_inside_a_compiled_loop():
    w, x = normal(0, 3, 3, 2, 4), normal(1, 4, 8, 8, 2)

    @jax.jit
    def descend(_, w):
        return w - 0.01 * jax.grad(loss)(w, x)

    close(jax.jit(lambda w: lax.fori_loop(0, 3, descend, w))(w), descend(0, descend(0, descend(0, w))))


def test_few_weights_for_each_output_need_no_convolution(monkeypatch: pytest.MonkeyPatch):
    w, x = normal(0, 3, 3, 3, 4), normal(1, 2, 8, 8, 3)

    def compiled() -> str:
        return jax.jit(jax.grad(loss)).trace(w, x).lower().as_text()

    assert "stablehlo.convolution" in compiled()
    monkeypatch.setattr(convolution, "FEW", 27)
    assert "stablehlo.convolution" not in compiled()


def test_gradients_are_our_own_on_a_cpu_and_autodiffs_on_an_accelerator():
    def convolutions(f, platform):
        w, x = normal(0, 3, 3, 2, 4), normal(1, 32, 28, 28, 2)
        lowered = jax.jit(jax.grad(f, argnums=(0, 1))).trace(w, x).lower(lowering_platforms=(platform,)).as_text()
        return ["loop"] * ("stablehlo.while" in lowered) + re.findall(r"dim_numbers = (.+?), window", lowered)

    def native(w, x):
        return jnp.sum(jnp.sin(reference({"w": w, "b": 0}, x, 2, "SAME")))

    layout = "[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]"  # the one that is fast on a CPU
    assert convolutions(loss, "cpu") == ["loop", layout, layout]  # of the input's gradient, and the value
    assert convolutions(loss, "cuda") == convolutions(native, "cuda") != [layout] * 3

"""The list of layers is complete: an interpreter in NumPy gets the same logits from it alone."""

import json
from collections.abc import Sequence
from typing import Any, get_args

import jax
import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from jaxquard.config import Architecture
from jaxquard.nn.activations import ACTIVATIONS
from jaxquard.nn.architectures import ARCHITECTURES
from jaxquard.nn.initializers import he_normal
from jaxquard.nn.model import Layer, Model, named_arrays, pre_activations
from jaxquard.nn.sequential import sequential

from .test_backpropagation import SIGMA


def blocks(a: np.ndarray, side: int) -> np.ndarray:
    """(n, h, w, c) -> (n, h/side, w/side, side, side, c)."""
    n, h, w, c = a.shape
    return a.reshape(n, h // side, side, w // side, side, c).swapaxes(2, 3)


def convolved(a: np.ndarray, w: np.ndarray, stride: int, padding: str) -> np.ndarray:
    if padding == "SAME":
        totals = [
            max((-(-n // stride) - 1) * stride + k - n, 0) for n, k in zip(a.shape[1:3], w.shape[:2], strict=True)
        ]
        a = np.pad(a, ((0, 0), *((total // 2, total - total // 2) for total in totals), (0, 0)))
    windows = sliding_window_view(a, w.shape[:2], axis=(1, 2))[:, ::stride, ::stride]
    return np.einsum("npqcij,ijco->npqo", windows, w)


def interpreted(layers: Sequence[Layer], arrays: dict[str, np.ndarray], a: np.ndarray) -> np.ndarray:
    """Logits of uint8 images (n, h, w, c), layer by layer."""
    outputs = []
    for kind, names, about in layers:
        own = {name: np.float64(arrays[path]) for name, path in names.items()}
        match kind:
            case "standardize":
                a = (a / 255 - about["mean"]) / about["std"]
            case "space_to_depth":
                side = about["block"]
                fill = [(0, -size % side) for size in a.shape[1:3]]
                squares = blocks(np.pad(a, ((0, 0), *fill, (0, 0))), side)
                a = squares.reshape(*squares.shape[:3], -1)
            case "flatten":
                a = a.reshape(len(a), -1)
            case "dense":
                assert own["w"].shape == about["shape"]
                a = a @ own["w"] + own.get("b", 0)
            case "conv2d":
                assert own["w"].shape == about["shape"]
                a = convolved(a, own["w"], about["stride"], about["padding"]) + own.get("b", 0)
            case "batch_norm":
                a = (a - own["mean"]) / np.sqrt(own["var"] + about["epsilon"]) * own["scale"] + own["bias"]
            case "add":
                a = a + outputs[about["layer"]]
            case "activation":
                a = SIGMA[about["function"]](a)
            case "max_pool":
                side = about["window"]
                h, w = (size // side * side for size in a.shape[1:3])
                a = blocks(a[:, :h, :w], side).max(axis=(3, 4))
            case "global_avg_pool":
                a = a.mean(axis=(1, 2))
            case "dropout":
                pass
            case _:
                raise AssertionError(kind)
        outputs.append(a)
    return a


def weights(model: Model) -> tuple[Any, Any]:
    """Random parameters and state: no two arrays are equal, and no scale or bias is 1 or 0."""
    rng = np.random.default_rng(0)
    shapes = jax.eval_shape(model.init, jax.random.key(0))
    return jax.tree.map(lambda leaf: rng.uniform(0.2, 1, leaf.shape).astype(np.float32) - 0.4 * (leaf.ndim > 1), shapes)


MLPS = [
    {"model": "mlp", "hidden": (7, 5), "activation": activation, "batch_norm": batch_norm}
    for activation in ACTIVATIONS
    for batch_norm in (False, True)
]
CNNS = [
    {"model": "cnn", "widths": (3, 4), "blocks": blocks, "stem": stem, "activation": activation}
    for (blocks, stem), activation in zip([(b, s) for b in range(3) for s in (1, 2)], ACTIVATIONS, strict=True)
]
SETTINGS = [*MLPS, {"model": "mlp", "hidden": (), "image_shape": (1, 1, 1)}, *CNNS]
SETTINGS += [{"model": "cnn", "widths": (3,), "blocks": 0, "stem": 3, "image_shape": (7, 5, 1), "dropout_rate": 0.5}]
# shortcuts, strides, no padding, a batch_norm after some layers only
OTHER = [
    ("standardize", {"mean": 0.3, "std": 0.5}),
    ("conv2d", {"shape": (3, 2, 3, 4), "stride": 2, "padding": "SAME"}),
    ("batch_norm", {"epsilon": 0.1}),
    ("activation", {"function": "relu"}),
    ("conv2d", {"shape": (2, 2, 4, 4)}),
    ("add", {"layer": 1}),
    ("conv2d", {"shape": (1, 1, 4, 5), "stride": 2, "padding": "VALID"}),
    ("batch_norm", {}),
    ("activation", {"function": "tanh"}),
    ("dropout", {}),
    ("max_pool", {"window": 3}),
    ("flatten", {}),
    ("dense", {"shape": (5, 6)}),
    ("activation", {"function": "sigmoid"}),
    ("dense", {"shape": (6, 3)}),
]


def built(model: str, **settings: Any) -> Model:
    settings = {"image_shape": (13, 11, 3), "classes": 4, "mean": 0.4, "std": 0.3} | settings
    return ARCHITECTURES[model](**settings)


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda settings: " ".join(map(str, settings.values())))
def test_numpy_gets_the_logits_from_the_list_of_layers(settings: dict[str, Any]):
    assert_complete(built(**settings), settings.get("image_shape", (13, 11, 3)))


def assert_complete(model: Model, image_shape: tuple[int, ...]) -> None:
    images = np.random.default_rng(1).integers(0, 256, (4, *image_shape), dtype=np.uint8)
    params, state = weights(model)
    arrays = named_arrays(params, state)
    listed = [path for layer in model.layers for path in layer.arrays.values()]
    assert sorted(listed) == sorted(arrays)
    logits = jax.jit(model.apply)(params, state, images)[0]
    found = interpreted(model.layers, {path: np.asarray(array) for path, array in arrays.items()}, images)
    np.testing.assert_allclose(logits, found, rtol=1e-5, atol=1e-5 * max(1, np.abs(found).max()))
    assert json.dumps(model.layers)  # plain data
    zs = {}
    jax.eval_shape(lambda: zs.update(pre_activations(model, params, state, images)))
    assert list(zs) == [str(k) for k in range(len(model.weighted))]
    assert [z.shape[-1] for z in zs.values()] == [layer.attributes["shape"][-1] for layer in model.weighted]
    assert len(model.activations) == len(zs)


def test_any_order_of_layers_is_run_and_listed():
    model = sequential(OTHER, he_normal, dropout_rate=0.5)
    assert_complete(model, (11, 13, 3))
    params, state = weights(model)
    model.apply(params, state, np.zeros((2, 11, 13, 3), np.uint8), key=jax.random.key(0), train=True)
    assert model.activations == ("relu", "identity", "tanh", "sigmoid", "identity")


def test_the_settings_know_every_architecture():
    assert get_args(Architecture) == tuple(ARCHITECTURES)


def test_an_unknown_kind_is_named():
    with pytest.raises(ValueError, match=r"no kind of layer is called dens; the kinds are standardize, .*, dense, "):
        sequential([("dens", {})], he_normal)


def test_an_add_after_the_activation_is_no_part_of_z():
    plan = [("dense", {"shape": (2, 2)}), ("activation", {"function": "relu"}), ("add", {"layer": 0})]
    model = sequential([*plan, ("dense", {"shape": (2, 1)})], he_normal)
    params, state = weights(model)
    x = np.float32([[1, 2]])
    zs = pre_activations(model, params, state, x)
    z = x @ params[0]["w"] + params[0]["b"]
    np.testing.assert_allclose(zs["0"], z, rtol=1e-6)
    np.testing.assert_allclose(zs["1"], (np.maximum(z, 0) + z) @ params[1]["w"] + params[1]["b"], rtol=1e-6)

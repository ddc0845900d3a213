"""onnxruntime computes what JAX computes, from images as they are."""

import json
from typing import Any

import jax
import numpy as np
import onnx
import onnxruntime
import pytest

from jaxquard.config import Config
from jaxquard.data import load
from jaxquard.exporting.onnx import content
from jaxquard.nn.activations import ACTIVATIONS
from jaxquard.nn.architectures import ARCHITECTURES
from jaxquard.nn.initializers import he_normal
from jaxquard.nn.sequential import sequential
from jaxquard.runs.models import TrainedModel, load_model
from jaxquard.training.task import make_model

from ..nn.test_sequential import OTHER

RNG = np.random.default_rng(0)


def drawn(shape: tuple[int, ...]) -> np.ndarray:
    """Weights of the usual size; biases, scales, means and variances around 1."""
    one = RNG.uniform(0.5, 1.5, shape) if len(shape) == 2 else RNG.normal(0, np.prod(shape[1:-1]) ** -0.5, shape)
    return one.astype(np.float32)


def made(networks: int = 1, image_shape: Any = (13, 11, 3), classes: int = 4, facts: Any = None, **settings: Any):
    """A model with random weights, biases and statistics."""
    config = Config(pixel_mean=0.4, pixel_std=0.3, **settings)
    names = [f"class {k}" for k in range(classes)]
    dataset = {"name": "made up", "class_names": names, "image_shape": list(image_shape)} | (facts or {})
    model = TrainedModel("net", config, dataset, None, None)
    shapes = jax.eval_shape(make_model(model.spec).init, jax.random.key(0))
    weights = jax.tree.map(lambda leaf: drawn((networks, *leaf.shape)), shapes)
    return TrainedModel("net", config, dataset, weights, None)


def assert_same(model: TrainedModel, images: np.ndarray, given: np.ndarray | None = None) -> onnx.ModelProto:
    """The graph is sound, and gives the model's probabilities. `given`: the images as its input."""
    data = content(model)
    graph = onnx.load_from_string(data)
    onnx.checker.check_model(graph, full_check=True)
    assert {node.domain for node in graph.graph.node} == {""}
    session = onnxruntime.InferenceSession(data)
    expected = model.predict_proba(images)
    for few in (slice(None), slice(1)):
        (found,) = session.run(None, {"images": (images if given is None else given)[few]})
        np.testing.assert_allclose(found, expected[few], rtol=0, atol=1e-5)
    assert content(model) == data
    return graph


CASES = [
    *({"model": "mlp", "hidden": (20, 9), "activation": activation} for activation in ACTIVATIONS),
    {"model": "mlp", "hidden": (7, 5), "batch_norm": True, "classes": 2, "image_shape": (1, 5, 1)},
    {"model": "mlp", "hidden": (), "dropout": 0.5, "networks": 3},
    {"model": "cnn", "widths": (3, 4), "blocks": 0, "image_shape": (28, 28, 1), "classes": 1000},
    {"model": "cnn", "widths": (5, 4), "blocks": 1, "activation": "gelu", "dropout": 0.5},
    {"model": "cnn", "widths": (3, 4, 6), "blocks": 2, "stem": 2, "networks": 2},
    {"model": "cnn", "widths": (4,), "blocks": 0, "stem": 3, "image_shape": (7, 5, 1), "activation": "leaky_relu"},
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: " ".join(map(str, case.values())))
def test_onnxruntime_agrees_with_jax(case):
    model = made(**case)
    assert_same(model, RNG.integers(0, 256, (256, *model.image_shape), dtype=np.uint8))


def test_any_order_of_layers_is_exported(monkeypatch):
    plan = [(kind, {"shape": (20, 6)} if about.get("shape") == (5, 6) else about) for kind, about in OTHER]
    monkeypatch.setitem(ARCHITECTURES, "mlp", lambda **_: sequential(plan, he_normal))
    model = made(image_shape=(23, 25, 3), classes=3)  # 2×2 pixels are flattened
    graph = assert_same(model, RNG.integers(0, 256, (256, 23, 25, 3), dtype=np.uint8))
    assert sum(node.op_type == "BatchNormalization" for node in graph.graph.node) == 1  # its input is also a shortcut


@pytest.mark.parametrize("value_range", [[0, 1], [-1, 1], [0, 255]])
def test_a_network_of_floats_takes_floats_in_their_range(value_range):
    black, white = value_range
    model = made(facts={"value_range": value_range}, hidden=(9,))
    assert_same(model, images := RNG.uniform(black, white, (256, 13, 11, 3)).astype(np.float32), images)


def test_small_bytes_are_scaled_as_in_the_training():
    model = made(facts={"scaled_from": 16}, hidden=(9,))
    assert_same(model, RNG.integers(0, 17, (256, 13, 11, 3), dtype=np.uint8))


def test_the_graph_describes_itself():
    graph = onnx.load_from_string(content(made(model="cnn", widths=(3,), blocks=1, networks=2)))
    assert (graph.ir_version, [(one.domain, one.version) for one in graph.opset_import]) == (4, [("", 9)])
    facts = {one.key: json.loads(one.value) for one in graph.metadata_props}
    assert facts == {
        "class_names": ["class 0", "class 1", "class 2", "class 3"],
        "image_shape": [13, 11, 3],
        "pixel_range": [0, 255],
        "pixel_mean": pytest.approx(0.4),
        "pixel_std": pytest.approx(0.3),
        "dataset": "made up",
    }
    names = [node.name for node in graph.graph.node]
    assert len(set(names)) == len(names)
    assert [node.output[0] for node in graph.graph.node] == names
    assert names[3:6] == ["network_0/transpose_0", "network_0/conv_0", "network_0/relu_0"]
    assert "network_1/conv_2.weight" in {one.name for one in graph.graph.initializer}
    assert names[-1] == "probabilities"


@pytest.mark.check
@pytest.mark.parametrize("name", ["mlp", "cnn-small"])
def test_the_models_that_come_with_the_package_agree_on_every_test_image(name, tmp_path):
    assert_same(load_model(name, tmp_path), load("fashion-mnist").test_images)

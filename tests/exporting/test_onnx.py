"""onnxruntime computes what JAX computes, from images as they are."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest

from jaxquard.data import load
from jaxquard.exporting.onnx import content
from jaxquard.runs.models import TrainedModel, load_model

from .networks import CASES, images_for, made, made_of_any_layers


def assert_same(model: TrainedModel, images: np.ndarray) -> onnx.ModelProto:
    """The graph is sound, and gives the model's probabilities."""
    data = content(model)
    graph = onnx.load_from_string(data)
    onnx.checker.check_model(graph, full_check=True)
    assert {node.domain for node in graph.graph.node} == {""}
    session = onnxruntime.InferenceSession(data)
    expected = model.predict_proba(images)
    for few in (slice(None), slice(1)):
        (found,) = session.run(None, {"images": images[few]})
        np.testing.assert_allclose(found, expected[few], rtol=0, atol=1e-5)
    assert content(model) == data
    return graph


@pytest.mark.parametrize("case", CASES, ids=lambda case: " ".join(map(str, case.values())))
def test_onnxruntime_agrees_with_jax(case):
    model = made(**case)
    assert_same(model, images_for(model, 256))


def test_any_order_of_layers_is_exported(monkeypatch):
    model = made_of_any_layers(monkeypatch)
    graph = assert_same(model, images_for(model, 256))
    assert sum(node.op_type == "BatchNormalization" for node in graph.graph.node) == 1  # its input is also a shortcut


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

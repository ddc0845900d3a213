"""JavaScript computes what JAX computes, from the file that `export --to safetensors` writes."""

import re
from itertools import pairwise
from typing import Any

import jax
import numpy as np
import pytest
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save

from jaxquard.data import load
from jaxquard.nn import sequential
from jaxquard.nn.activations import ACTIVATIONS
from jaxquard.nn.model import pre_activations
from jaxquard.runs import tensors
from jaxquard.runs.models import TrainedModel, file_content, load_model
from jaxquard.training.task import make_model

from ..exporting.networks import CASES, images_for, made, made_of_any_layers
from .conftest import WEB

SUMS = ("dense", "conv2d", "batch_norm", "add")  # a z is the last of these in a row
RUN = """const network = read(given[0].buffer), n = given[1].length / network.shape.reduce((a, b) => a * b);
return [...run(network, given[1], n).probabilities]"""


def keys(table: str) -> set[str]:
    """The keys of an object in network.js."""
    text = (WEB / "network.js").read_text(encoding="utf-8")
    (entries,) = re.findall(rf"^export const {table} = \{{\n(.*?)^\}}", text, re.M | re.S)
    return set(re.findall(r"^  (\w+)[:,]", entries, re.M))


def test_every_kind_of_layer_and_activation_is_there():
    kinds = set(re.findall(r"^- (\w+)[:.]", sequential.__doc__ or "", re.M))
    assert {"conv2d", "flatten"} < kinds == keys("LAYERS")
    assert keys("ACTIVATIONS") == set(ACTIVATIONS)


def assert_same(ask: Any, model: TrainedModel, images: np.ndarray, other: TrainedModel | None = None) -> None:
    """The file of the model, or of the other, gives the model's probabilities."""
    expected = model.predict_proba(images)
    found = np.reshape(ask(RUN, file_content(other or model), images), expected.shape)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


@pytest.mark.check
@pytest.mark.parametrize("case", CASES, ids=lambda case: " ".join(map(str, case.values())))
def test_javascript_agrees_with_jax(ask, case):
    model = made(**case)
    assert_same(ask, model, images_for(model, 50))


@pytest.mark.check
def test_any_order_of_layers_is_run_and_a_difference_is_found(ask, monkeypatch):
    model = made_of_any_layers(monkeypatch)
    assert_same(ask, model, images := images_for(model, 50))
    weights = jax.tree.map(lambda leaf: leaf * np.float32(1.01), model.weights)
    with pytest.raises(AssertionError, match="Mismatched elements"):
        assert_same(ask, model, images, TrainedModel("net", model.config, model.dataset, weights, None))


@pytest.mark.check
@pytest.mark.parametrize("name", ["mlp", "cnn-small"])
def test_the_models_that_come_with_the_package_agree(ask, name, tmp_path):
    assert_same(ask, load_model(name, tmp_path), load("fashion-mnist").test_images[:500])


@pytest.mark.check
def test_the_output_of_every_layer_can_be_watched(ask):
    model = made(model="cnn", widths=(3, 4), blocks=1, stem=2, networks=2, activation="gelu")
    image = images_for(model, 1)
    plain = "map(({ kind, shape, values }) => ({ kind, shape, values: [...values] }))"
    found = ask(f"return run(read(given[0].buffer), given[1], 1, true).outputs.{plain}", file_content(model), image)
    built = make_model(model.spec)
    assert [one["kind"] for one in found] == [layer.kind for layer in built.layers]
    zs = pre_activations(built, *jax.tree.map(lambda leaf: leaf[0], model.weights), image)
    seen = [one for one, after in pairwise([*found, {"kind": ""}]) if one["kind"] in SUMS and after["kind"] not in SUMS]
    for z, one in zip(zs.values(), seen, strict=True):
        np.testing.assert_allclose(np.reshape(one["values"], one["shape"]), z[0], atol=1e-5)


@pytest.mark.check
def test_a_damaged_file_is_refused_in_one_sentence(ask):
    data = file_content(made(hidden=(5,), batch_norm=True))
    arrays, facts = load_arrays(data), tensors.metadata(data)

    def changed(name: str, *changes: tuple[str, str]) -> bytes:
        """The file with other metadata."""
        text = facts[name]
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        return save(arrays, facts | {name: text})

    def with_array(name: str, array: np.ndarray) -> bytes:
        return save(arrays | {name: array}, facts)

    fine = arrays["0/0/w"]
    cases = [
        (b"", "it is not a safetensors file, or its end is missing"),
        (b"\x89PNG\r\n\x1a\n" * 9, "it is not a safetensors file, or its end is missing"),
        (data[:90], "it is not a safetensors file, or its end is missing"),
        (data[:-4], "its array 1/0/var is incomplete"),
        ((99).to_bytes(8, "little") + b"{" * 99, "its header is not JSON"),
        (save(arrays), "its format is not jaxquard-model-2"),
        (changed("format", ("-2", "-3")), "its format is not jaxquard-model-2"),
        (save(arrays, {name: text for name, text in facts.items() if name != "layers"}), "it has no list of layers; "),
        (save({"0/0/w": fine}, facts), "no array is called 0/0/scale"),
        (changed("layers", ("batch_norm", "batchnorm")), "no kind of layer is called batchnorm"),
        (changed("layers", ('"dense"', '"constructor"')), "no kind of layer is called constructor"),
        (changed("layers", ("relu", "swish")), "no activation is called swish"),
        (changed("layers", ("0/0/w", "__proto__")), "no array is called __proto__"),
        (changed("layers", ('["flatten", {}, {}], ', "")), "the weights of a dense layer have another shape"),
        (changed("layers", ('"flatten"', '"max_pool"')), "the weights of a dense layer have another shape"),
        (changed("layers", ("[", "")), "its layers is not JSON"),
        (changed("dataset", ('"image_shape": [13', '"image_shape": [14')), "the weights of a dense layer have another"),
        (changed("dataset", ('"image_shape": [13', '"image_shape": [1e9')), "its contents do not fit together"),
        (changed("dataset", ('"class_names"', '"names"')), "its contents do not fit together"),
        (changed("dataset", ('"class 3"', '"class 3", "class 4"')), "it has 5 classes, but 4 outputs"),
        (with_array("0/0/w", fine[:, :-1]), "the weights of a dense layer have another shape"),
        (with_array("0/0/w", fine[:0]), "its arrays differ in the number of networks"),
        (
            save({name: array[:0] for name, array in arrays.items()}, facts),
            "its arrays differ in the number of networks",
        ),
        (with_array("0/0/w", fine.astype(np.float64)), "its array 0/0/w is incomplete"),
        (with_array("0/0/w", fine * np.inf), "its array 0/0/w has values that are not finite"),
        (
            save(arrays | {name: np.full_like(arrays[name], 3e38) for name in ("0/0/bias", "0/1/w")}, facts),
            "its outputs are not finite",
        ),
    ]
    code = (
        "return given.map((one) => { try { read(one.buffer); return 'read' } catch (error) { return String(error) } })"
    )
    start = "Error: The file holds no network of Jaxquard, or is damaged: "
    messages = [found.removeprefix(start) for found in ask(code, *(file for file, _ in cases))]
    assert [found[: len(why)] for found, (_, why) in zip(messages, cases, strict=True)] == [why for _, why in cases]

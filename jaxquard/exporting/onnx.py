"""A network as an ONNX graph: from images as they are to probabilities.

IR version 4 and operators of opset 9 (2019), the oldest that have all that is needed (Erf, for GELU). Batch
normalisation is folded into the weights before it. Images are (n, height, width, channels), as everywhere; for layers
that look at neighbours the graph puts the channels first, as ONNX wants them.
"""

import json
from collections import Counter
from importlib.metadata import version
from typing import Any

import jax
import numpy as np
from onnx import TensorProto, helper, numpy_helper

from jaxquard.data.oddities import whitened
from jaxquard.naming import visible
from jaxquard.nn.model import Layer, named_arrays
from jaxquard.runs.models import TrainedModel
from jaxquard.training.task import make_model

OPSET, IR_VERSION = 9, 4
SPATIAL = {"conv2d", "max_pool", "global_avg_pool", "space_to_depth"}
ACTIVATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "relu": ("Relu", {}),
    "leaky_relu": ("LeakyRelu", {"alpha": 0.01}),
    "sigmoid": ("Sigmoid", {}),
    "tanh": ("Tanh", {}),
    "identity": ("Identity", {}),
}
ROLES = {"Conv": ("weight", "bias"), "Gemm": ("weight", "bias"), "BatchNormalization": ("scale", "bias", "mean", "var")}


def content(model: TrainedModel) -> bytes:
    """The graph of a network, or of several and the mean of their probabilities."""
    layers, networks = make_model(model.spec).layers, range(model.networks)
    nodes, constants, found = [], [], []
    for k in networks:
        arrays = named_arrays(*jax.tree.map(lambda leaf, k=k: np.asarray(leaf[k]), model.weights))
        graph = _Graph(f"network_{k}/" if len(networks) > 1 else "", model, layers, arrays)
        found.append(graph.probabilities("probabilities" if len(networks) == 1 else f"network_{k}/softmax"))
        nodes, constants = nodes + graph.nodes, constants + graph.constants
    if len(networks) > 1:
        nodes.append(helper.make_node("Mean", found, ["probabilities"], "probabilities"))
    inputs = helper.make_tensor_value_info("images", _pixel_type(model.dataset), ["n", *model.image_shape])
    outputs = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", len(model.class_names)])
    whole = helper.make_model(
        helper.make_graph(nodes, visible(model.name), [inputs], [outputs], constants),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="jaxquard",
        producer_version=version("jaxquard"),
    )
    helper.set_model_props(whole, {name: json.dumps(value) for name, value in described(model).items()})
    return whole.SerializeToString()


def _pixel_type(dataset: dict[str, Any]) -> int:
    """Bytes, or floats if the network was trained on arrays of floats."""
    return TensorProto.UINT8 if dataset.get("value_range") is None else TensorProto.FLOAT


def described(model: TrainedModel) -> dict[str, Any]:
    """The classes and the pixels: `pixel_mean` and `pixel_std` are of pixels with 0 for black and 1 for white."""
    return {
        "class_names": model.class_names,
        "image_shape": model.image_shape,
        "pixel_range": model.dataset.get("value_range") or [0, model.dataset.get("scaled_from", 255)],
        "pixel_mean": model.config.pixel_mean or 0.0,
        "pixel_std": model.config.pixel_std or 1.0,
        "dataset": model.dataset["name"],
    }


class _Graph:
    """The nodes and constants of one network. Each node has one output, with the node's name."""

    def __init__(self, prefix: str, model: TrainedModel, layers: tuple[Layer, ...], arrays: dict[str, Any]) -> None:
        self.prefix, self.layers, self.arrays, self.dataset = prefix, layers, arrays, model.dataset
        self.nodes, self.constants, self.counts = [], [], Counter()
        self.size = model.image_shape[:2]
        self.channels_first = any(layer.kind in SPATIAL for layer in layers)
        self.shortcuts = {layer.attributes["layer"] for layer in layers if layer.kind == "add"}

    def probabilities(self, name: str) -> str:
        """Add every layer, and a softmax of this name."""
        value, outputs = "images", []
        for position, layer in enumerate(self.layers):
            value = self._layer(position, layer, value, outputs)
            outputs.append(value)
        self.nodes.append(helper.make_node("Softmax", [value], [name], name, axis=1))
        return name

    def _node(self, operator: str, *inputs: Any, name: str = "", **attributes: Any) -> str:
        """Add a node; an array among its inputs becomes a constant. The name of its output."""
        stem = f"{self.prefix}{name or operator.lower()}"
        output = f"{stem}_{self.counts[stem]}"
        self.counts[stem] += 1
        names = list(inputs)
        for k, array in enumerate(inputs):
            if not isinstance(array, str):
                names[k] = f"{output}.{ROLES[operator][k - 1] if operator in ROLES else 'constant'}"
                self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), names[k]))
        self.nodes.append(helper.make_node(operator, names, [output], output, **attributes))
        return output

    def _layer(self, position: int, layer: Layer, a: str, outputs: list[str]) -> str:
        about = layer.attributes
        match layer.kind:
            case "standardize":
                a = self._standardize(a, **about)
                return self._node("Transpose", a, perm=[0, 3, 1, 2]) if self.channels_first else a
            case "space_to_depth":
                return self._space_to_depth(a, about["block"])
            case "flatten":
                a = self._node("Transpose", a, perm=[0, 2, 3, 1]) if self.channels_first else a
                return self._node("Flatten", a, axis=1)
            case "dense":
                return self._node("Gemm", a, *self._weights(position), name="dense")
            case "conv2d":
                return self._convolve(a, *self._weights(position), **about)
            case "batch_norm":
                return self._batch_norm(a, layer) if position - 1 in self.shortcuts else a
            case "add":
                return self._node("Add", a, outputs[about["layer"]])
            case "activation" if about["function"] == "gelu":
                return self._gelu(a)
            case "activation":
                operator, attributes = ACTIVATIONS[about["function"]]
                return self._node(operator, a, **attributes)
            case "max_pool":
                self.size = tuple(n // about["window"] for n in self.size)
                return self._node("MaxPool", a, kernel_shape=[about["window"]] * 2, strides=[about["window"]] * 2)
            case "global_avg_pool":
                return self._node("Flatten", self._node("GlobalAveragePool", a, name="average"), axis=1)
            case "dropout":
                return a
        raise ValueError(f"no kind of layer is called {layer.kind}")

    def _standardize(self, a: str, mean: float, std: float) -> str:
        """Pixels in the training set's own range -> float32 (level - mean)/std, with level 1 for white."""
        black, white = self.dataset.get("value_range") or (0, 255)
        if (brightest := self.dataset.get("scaled_from", 255)) < 255:
            table, (black, white) = np.float32(whitened(np.arange(256, dtype=np.uint8), brightest)), (0, 255)
            a = self._node("Gather", table, self._node("Cast", a, to=TensorProto.INT32))
        elif _pixel_type(self.dataset) != TensorProto.FLOAT:
            a = self._node("Cast", a, to=TensorProto.FLOAT, name="pixels")
        if black:
            a = self._node("Sub", a, np.float32(black), name="standardize/black")
        a = self._node("Mul", a, np.float32(1 / ((white - black) * std)), name="standardize/scale")
        return self._node("Sub", a, np.float32(mean / std), name="standardize/shift")

    def _space_to_depth(self, a: str, block: int) -> str:
        missing = [-n % block for n in self.size]
        if any(missing):
            a = self._node("Pad", a, pads=[0, 0, 0, 0, 0, 0, *missing])
        self.size = tuple(-(-n // block) for n in self.size)
        return self._node("SpaceToDepth", a, blocksize=block)

    def _own(self, layer: Layer) -> dict[str, np.ndarray]:
        return {name: self.arrays[path].astype(np.float64) for name, path in layer.arrays.items()}

    def _weights(self, position: int) -> tuple[np.ndarray, np.ndarray]:
        """w and b of a layer, with the batch normalisation that follows."""
        own, following = self._own(self.layers[position]), self.layers[position + 1 : position + 2]
        w, b = own["w"], own.get("b", np.zeros(own["w"].shape[-1]))
        if following and following[0].kind == "batch_norm" and position not in self.shortcuts:
            norm = self._own(following[0])
            scale = norm["scale"] / np.sqrt(norm["var"] + following[0].attributes["epsilon"])
            w, b = w * scale, (b - norm["mean"]) * scale + norm["bias"]
        return w.astype(np.float32), b.astype(np.float32)

    def _batch_norm(self, a: str, layer: Layer) -> str:
        """A batch normalisation whose input is also used elsewhere, so that it cannot be folded."""
        arrays = {name: array.astype(np.float32) for name, array in self._own(layer).items()}
        inputs = (arrays[name] for name in ROLES["BatchNormalization"])
        return self._node("BatchNormalization", a, *inputs, epsilon=layer.attributes["epsilon"])

    def _convolve(self, a: str, w: np.ndarray, b: np.ndarray, shape: Any, stride: int, padding: str) -> str:
        pads = jax.lax.padtype_to_pads(self.size, shape[:2], (stride, stride), padding)
        sizes = zip(self.size, shape[:2], pads, strict=True)
        self.size = tuple((n + sum(pad) - k) // stride + 1 for n, k, pad in sizes)
        (top, bottom), (left, right) = pads
        about = {"kernel_shape": shape[:2], "strides": [stride, stride], "pads": [top, left, bottom, right]}
        return self._node("Conv", a, w.transpose(3, 2, 0, 1), b, **about)

    def _gelu(self, z: str) -> str:
        """z·Φ(z) = ½z·(1 + erf(z/√2))."""
        error = self._node("Erf", self._node("Mul", z, np.float32(0.5**0.5), name="gelu/scaled"), name="gelu/erf")
        twice = self._node("Mul", z, self._node("Add", error, np.float32(1), name="gelu/shifted"), name="gelu/product")
        return self._node("Mul", twice, np.float32(0.5), name="gelu")

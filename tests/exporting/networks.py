"""Networks with random weights of every kind that Jaxquard trains, and images for them."""

from typing import Any

import jax
import numpy as np
import pytest

from jaxquard.config import Config
from jaxquard.nn.activations import ACTIVATIONS
from jaxquard.nn.architectures import ARCHITECTURES
from jaxquard.nn.initializers import he_normal
from jaxquard.nn.sequential import sequential
from jaxquard.runs.models import TrainedModel
from jaxquard.training.task import make_model

from ..nn.test_sequential import OTHER

RNG = np.random.default_rng(0)

CASES: list[dict[str, Any]] = [  # arguments of `made`
    *({"model": "mlp", "hidden": (20, 9), "activation": activation} for activation in ACTIVATIONS),
    {"model": "mlp", "hidden": (7, 5), "batch_norm": True, "classes": 2, "image_shape": (1, 5, 1)},
    {"model": "mlp", "hidden": (), "dropout": 0.5, "networks": 3},
    {"model": "cnn", "widths": (3, 4), "blocks": 0, "image_shape": (28, 28, 1), "classes": 1000},
    {"model": "cnn", "widths": (5, 4), "blocks": 1, "activation": "gelu", "dropout": 0.5},
    {"model": "cnn", "widths": (3, 4, 6), "blocks": 2, "stem": 2, "networks": 2},
    {"model": "cnn", "widths": (4,), "blocks": 0, "stem": 3, "image_shape": (7, 5, 1), "activation": "leaky_relu"},
    *({"hidden": (9,), "facts": {"value_range": limits}} for limits in ([0, 1], [-1, 1], [0, 255])),
    *({"hidden": (9,), "facts": {"scaled_from": white}} for white in (16, 6)),
]


def drawn(shape: tuple[int, ...]) -> np.ndarray:
    """Weights of the usual size; biases, scales, means and variances around 1."""
    one = RNG.uniform(0.5, 1.5, shape) if len(shape) == 2 else RNG.normal(0, np.prod(shape[1:-1]) ** -0.5, shape)
    return one.astype(np.float32)


def made(networks: int = 1, image_shape: Any = (13, 11, 3), classes: int = 4, facts: Any = None, **settings: Any):
    """A model with random weights, biases and statistics."""
    config = Config(pixel_mean=0.4, pixel_std=0.3, **settings)
    names = [f"class {k}" for k in range(classes)]
    dataset = {"name": "made up", "class_names": names, "image_shape": list(image_shape), "train": 30, "test": 10}
    dataset |= {"sha256": {}} | (facts or {})
    model = TrainedModel("net", config, dataset, None, None)
    shapes = jax.eval_shape(make_model(model.spec).init, jax.random.key(0))
    weights = jax.tree.map(lambda leaf: drawn((networks, *leaf.shape)), shapes)
    return TrainedModel("net", config, dataset, weights, None)


def made_of_any_layers(monkeypatch: pytest.MonkeyPatch) -> TrainedModel:
    """A model whose layers are in an order that no architecture has."""
    plan = [(kind, {"shape": (20, 6)} if about.get("shape") == (5, 6) else about) for kind, about in OTHER]
    monkeypatch.setitem(ARCHITECTURES, "mlp", lambda **_: sequential(plan, he_normal))
    return made(image_shape=(24, 25, 3), classes=3)  # 2×2 pixels are flattened


def images_for(model: TrainedModel, n: int) -> np.ndarray:
    """n images like those that the model was trained on."""
    shape, facts = (n, *model.image_shape), model.dataset
    if facts.get("value_range"):
        return RNG.uniform(*facts["value_range"], shape).astype(np.float32)
    return RNG.integers(0, facts.get("scaled_from", 255), shape, dtype=np.uint8, endpoint=True)

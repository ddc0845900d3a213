"""An architecture from outside the package: it needs one function and one name, and everything works with it."""

from typing import Any, Literal

import numpy as np
import pytest
from PIL import Image

import jaxquard
from jaxquard import config as settings
from jaxquard.config import Config
from jaxquard.errors import RunError, UsageError
from jaxquard.nn.architectures import ARCHITECTURES
from jaxquard.nn.sequential import Plan, sequential
from jaxquard.runs import models, train
from jaxquard.training.evaluation import accuracy


def bottleneck(hidden, *, image_shape, classes, activation, initializer, dropout_rate, mean, std):
    """Pooled pixels, a normalised layer, a linear one with a residual connection after it, and the classes."""
    if len(hidden) != 1:
        raise ValueError("hidden: one width")
    height, width, channels = image_shape
    plan: Plan = [
        ("standardize", {"mean": mean, "std": std}),
        ("max_pool", {"window": 2}),
        ("flatten", {}),
        ("dense", {"shape": (height // 2 * (width // 2) * channels, *hidden)}),
        ("batch_norm", {"epsilon": 1e-3}),
        ("activation", {"function": activation}),
        ("dense", {"shape": hidden * 2}),
        ("add", {"layer": 5}),
        ("dense", {"shape": (*hidden, classes)}),
    ]
    return sequential(plan, initializer, dropout_rate)


@pytest.fixture
def registered(monkeypatch) -> None:
    """Registers it, as the package does for its own architectures."""
    monkeypatch.setitem(ARCHITECTURES, "bottleneck", bottleneck)
    monkeypatch.setitem(settings._TYPES, "model", Literal["mlp", "cnn", "bottleneck"])
    monkeypatch.setitem(settings.NEEDS, "hidden", ("model", "mlp", "bottleneck"))


@pytest.fixture
def made(registered, npz, stripes, root) -> Any:
    config = Config(
        dataset=str(npz), model="bottleneck", hidden=(5,), batch_size=20, epochs=3, learning_rate=0.1, validation=20
    )  # type: ignore[arg-type]
    train.train(config, stripes, runs=root, name="third", until=1)
    whole = train.train(config, stripes, runs=root, name="whole")
    result = train.resume(train.directory.find("third", root), stripes)
    assert result.test_loss == whole.test_loss
    return result


def test_it_is_trained_resumed_and_loaded_again(made, stripes, root, tmp_path):
    losses = [line["train_loss"][0] for line in made.run.epochs()]
    assert losses[-1] < losses[0]
    assert made.run.epochs()[0]["dead"].keys() == {"0", "1"}
    model = models.load_model("third", root)
    models.save_file(model, tmp_path / "third.safetensors")
    again = models.load_file(tmp_path / "third.safetensors", "third")
    assert np.array_equal(again.logits(stripes.test_images), model.logits(stripes.test_images))
    assert accuracy(model.logits(stripes.test_images), stripes.test_labels) == made.test_accuracy.values[0]
    assert jaxquard.evaluate("third", runs=root)
    Image.fromarray(stripes.test_images[0, ..., 0]).save(tmp_path / "picture.png")
    assert jaxquard.predict("third", [tmp_path / "picture.png"], runs=root)


def test_the_studio_shows_it(made, get, root):
    assert {"third", "whole"} <= {line["model"] for line in get("/api/models")["models"]}
    seen = get("/api/models/third/images/0")
    assert [layer["units"] for layer in seen["layers"]] == [5, 5, 3]
    assert seen["neighbours"]
    assert [layer["units"] for layer in get("/api/models/third/neurons")["layers"]] == [5, 5, 3]
    for layer in range(3):
        neuron = get(f"/api/models/third/neurons/{layer}/0")
        assert (neuron["weights"], len(neuron["incoming"])) == (None, [9, 5, 5][layer])
    weights = get("/api/runs/third/weights")
    assert [layer["shape"] for layer in weights["layers"]] == [[9, 5], [5, 5], [5, 3]]
    assert weights["first_layer"] is None


def test_its_invalid_settings_are_reported(registered, stripes, tmp_path, post, made, root):
    with pytest.raises(UsageError, match="hidden: one width"):
        train.train(made.run.config.replace(hidden=(5, 4)), stripes, runs=tmp_path)
    answer = post("/api/settings/check", {"settings": made.run.config.to_dict() | {"hidden": [5, 4]}})
    assert (answer.status, answer.json["error"]) == (422, "hidden: one width")


def test_a_model_that_is_not_registered_is_refused(made, root, monkeypatch):
    monkeypatch.undo()
    with pytest.raises(RunError, match="model: 'bottleneck' is not one of: mlp, cnn"):
        models.load_model("third", root)

"""The recorded evaluation of a network is that of its own weights on its own test images."""

import numpy as np
import pytest

import jaxquard
from jaxquard.calibration import wilson
from jaxquard.config import Config
from jaxquard.errors import RunError
from jaxquard.exporting.facts import recorded_evaluation, settings, shipped_as
from jaxquard.runs.directory import Run
from jaxquard.runs.models import load_model


@pytest.fixture(scope="module")
def root(npz, tmp_path_factory):
    """A folder of runs with `two`, a run of two networks."""
    root = tmp_path_factory.mktemp("runs")
    jaxquard.train(Config(dataset=str(npz), hidden=(5,), batch_size=20, epochs=2, seeds=2), runs=root, name="two")
    return root


def test_a_network_has_the_evaluation_of_its_training_and_an_average_its_own(root, npz):
    own = jaxquard.evaluate("two", runs=root, why="to compare")
    for k, one in enumerate(own):
        found = recorded_evaluation(load_model(f"two@{k}", root))
        assert (found.n, found.accuracy, found.matrix) == (40, one.accuracy, one.confusion.tolist())
        assert (found.low, found.high) == wilson(round(40 * one.accuracy), 40)
    average = load_model("two@all", root)
    assert recorded_evaluation(average) is None
    (one,) = jaxquard.evaluate(str(root / "two@all"))
    found = recorded_evaluation(average)
    assert (found.accuracy, found.matrix) == (one.accuracy, one.confusion.tolist())


@pytest.mark.parametrize(
    "other", [{"steps": [1]}, {"dataset": "other"}, {"n": 39}, {"split": "train"}, {"model": "two@0"}, {"by": "studio"}]
)
def test_an_evaluation_of_other_weights_or_images_is_not_taken(root, monkeypatch, other):
    model = load_model("two@1", root)
    line = {"by": "evaluate", "model": "two@1", "split": "test", "dataset": "stripes", "n": 40, "steps": [model.step]}
    line |= {"accuracy": [0.5], "loss": [1.0], "matrix": [np.eye(3, dtype=int).tolist()]}
    monkeypatch.setattr(Run, "evaluations", lambda run: [line])
    assert recorded_evaluation(model).accuracy == 0.5
    monkeypatch.setattr(Run, "evaluations", lambda run: [line | other])
    assert recorded_evaluation(model) is None


@pytest.mark.parametrize(
    "damage",
    [
        {"accuracy": []},
        {"loss": None},
        {"loss": [None, None]},
        {"matrix": []},
        {"matrix": [[[1]], [[1]]]},
        {"accuracy": ["a", "b"]},
    ],
)
def test_a_damaged_record_is_refused(root, monkeypatch, damage):
    model = load_model("two@1", root)
    (line, *_) = model.run.evaluations()
    monkeypatch.setattr(Run, "evaluations", lambda run: [line | damage])
    with pytest.raises(RunError, match=r"evaluations\.jsonl: damaged"):
        recorded_evaluation(model)


def test_a_model_of_the_package_has_the_recipes_figures_under_any_name(tmp_path):
    jaxquard.export("mlp", to="safetensors", out="mine.safetensors")
    mine = load_model("mine.safetensors", tmp_path)
    assert shipped_as(mine) == "mlp"
    assert recorded_evaluation(mine).accuracy == pytest.approx(0.9127)
    changed = jaxquard.load_model("mlp")
    object.__setattr__(changed, "dataset", changed.dataset | {"name": "other"})
    assert recorded_evaluation(changed) is shipped_as(changed) is None


def test_settings_that_matter_and_differ_from_the_defaults():
    config = Config(hidden=(), learning_rate=0.1, beta1=0.5, flip=True, dataset="mnist", teacher="cnn@1")
    found = settings(config)
    assert {name: value for name, value, _ in found} == {
        "flip": "true",
        "hidden": "none",
        "teacher": "cnn@1",
        "learning_rate": "0.1",
    }
    assert found[0][2] == "Mirror half of the training images."
    assert settings(Config()) == []

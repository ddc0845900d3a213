"""What is known of a network besides its weights: what it is, its evaluation on the test set, and its settings."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jaxquard import recipes
from jaxquard.calibration import wilson
from jaxquard.config import Config
from jaxquard.data import catalogue
from jaxquard.errors import RunError
from jaxquard.naming import visible
from jaxquard.nn.model import count_parameters
from jaxquard.runs import directory, models
from jaxquard.runs.directory import ALL
from jaxquard.runs.journal import Line
from jaxquard.runs.models import TrainedModel
from jaxquard.training.task import make_model


@dataclass(frozen=True)
class Recorded:
    """A network's evaluation on its test set: n images, accuracy and its 95 % interval (Wilson), loss in nats, and the
    confusion matrix (rows: true classes) and the expected calibration error, None if they were not recorded.
    """

    n: int
    accuracy: float
    low: float
    high: float
    loss: float
    matrix: list[list[int]] | None
    calibration_error: float | None


def recorded_evaluation(model: TrainedModel) -> Recorded | None:
    """The recorded evaluation of a model on the test set of its data, or None. RunError if the record is damaged.

    Prefers an evaluation with a confusion matrix, with a calibration error, that of the training, the newest.
    """
    if model.run is None:
        if recipe := shipped_as(model):
            found = (recipes.results().get(recipe) or {}).get("first_network")
            figures = ("n", "accuracy", "loss", "confusion", "calibration_error")
            return found and _recorded(*(found[name] for name in figures))
        return None
    try:
        lines = [(line, k) for line in model.run.evaluations() if (k := _place(line, model)) is not None]
        lines.sort(key=lambda one: ("matrix" in one[0], "calibration_error" in one[0], one[0]["by"] == "train"))
        if not lines:
            return None
        line, k = lines[-1]
        matrix = line["matrix"][k] if "matrix" in line else None
        if matrix is not None and len(matrix) != len(model.class_names):
            raise ValueError("a matrix of other classes")
        error = line["calibration_error"][k] if "calibration_error" in line else None
        return _recorded(line["n"], line["accuracy"][k], line["loss"][k], matrix, error)
    except (LookupError, AttributeError, TypeError, ValueError) as error:
        raise RunError(
            f"{model.run.evaluations_file}: damaged (figures of an evaluation are missing or wrong)"
        ) from error


def _recorded(n: int, accuracy: float, loss: float, matrix: Any, error: float | None) -> Recorded:
    return Recorded(n, accuracy, *wilson(round(accuracy * n), n), float(loss), matrix, error)


def _place(line: Line, model: TrainedModel) -> int | None:
    """The model's place in the figures of an evaluation; None if this is of other weights or other images."""
    run = model.run
    if run is None or line.get("split") != "test" or line.get("n") != model.dataset["test"] or not line["n"]:
        return None
    names, average = run.network_names(), f"{run.id}@{ALL}"
    number = None if model.name == average else names.index(model.name)
    if line.get("by") == "train":
        return number if run.finished() else None
    if line.get("by") != "evaluate" or line.get("dataset") != model.dataset["name"]:
        return None
    which = directory.parted(line["model"])[2]
    place = 0 if which == (ALL if number is None else str(number)) else None if which else number
    return place if place is not None and line["steps"][place] == model.step else None


def shipped_as(model: TrainedModel) -> str | None:
    """The name of the model of the package that these weights are, or None."""
    recipe = model.config.recipe
    if model.run or recipe not in directory.shipped():
        return None
    own = models.load_model(recipe, Path())
    return recipe if models.file_content(own) == models.file_content(model) else None


def _in_words(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_in_words, value)) or "none"
    if isinstance(value, dict):
        return "; ".join(f"{key}: {_in_words(one)}" for key, one in value.items())
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def network(model: TrainedModel) -> str:
    """`A convolutional neural network with 96,994 parameters`."""
    kind = f"{'convolutional' if make_model(model.spec).convolutional else 'fully connected'} neural network"
    parameters = f"{count_parameters(model.weights[0]) // model.networks:,} parameters"
    if model.networks > 1:
        return f"The average of {model.networks} {kind}s with {parameters} each"
    return f"A {kind} with {parameters}"


def data_title(model: TrainedModel) -> str:
    """The name of the data that a model was trained on."""
    known, own = known_data(model), model.dataset["name"]
    return known.title if known else "unnamed arrays" if own == catalogue.ARRAYS else visible(own)


def known_data(model: TrainedModel) -> catalogue.Entry | None:
    """The known data set that a model was trained on, or None."""
    known = catalogue.find(model.config.dataset)
    return known if known and known.name == model.dataset["name"] else None


def licence(model: TrainedModel) -> str:
    """The licence of the data that a model was trained on, as the Hugging Face Hub calls it, or "unknown"."""
    known = known_data(model)
    return (known and known.licence) or "unknown"


def settings(config: Config) -> list[tuple[str, str, str]]:
    """The settings that have an effect and differ from the defaults: name, value in words, and what the setting is."""
    values, usual = config.to_dict(), Config().to_dict()
    left_out = ("recipe", "dataset", "pixel_mean", "pixel_std")
    return [
        (field.name, _in_words(values.get(field.name)), field.metadata["help"])
        for field in dataclasses.fields(Config)
        if values.get(field.name) != usual.get(field.name) and field.name not in left_out and config.matters(field.name)
    ]

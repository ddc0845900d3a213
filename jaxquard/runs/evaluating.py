"""Evaluation of a model's networks on one split of a data set."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, overload

import numpy as np

from jaxquard.data import Dataset, split
from jaxquard.data.arrays import matched
from jaxquard.errors import UsageError
from jaxquard.runs import journal
from jaxquard.runs.environment import is_same_data
from jaxquard.runs.figures import Figure
from jaxquard.runs.models import TrainedModel
from jaxquard.strict_json import plain
from jaxquard.training.data import held_out_of
from jaxquard.training.evaluation import Evaluation, evaluate_logits

Split = Literal["test", "validation", "train"]


@dataclass(frozen=True)
class Evaluations(Sequence[Evaluation]):
    """An Evaluation for each network, in order, with the networks, the data set and the split.

    `accuracy`, `balanced_accuracy`, `macro_f1`, `loss` and `calibration_error` have a value for each network, and
    `.mean` and `.std`.
    """

    models: list[TrainedModel]
    dataset: Dataset
    split: Split
    each: list[Evaluation]

    def __len__(self) -> int:
        return len(self.each)

    @overload
    def __getitem__(self, index: int) -> Evaluation: ...
    @overload
    def __getitem__(self, index: slice) -> list[Evaluation]: ...
    def __getitem__(self, index: int | slice) -> Evaluation | list[Evaluation]:
        return self.each[index]

    @property
    def accuracy(self) -> Figure:
        """The share of examples classified correctly."""
        return self._figure("accuracy")

    @property
    def balanced_accuracy(self) -> Figure:
        """The mean recall of the classes."""
        return self._figure("balanced_accuracy")

    @property
    def macro_f1(self) -> Figure:
        """The mean F₁ of the classes."""
        return self._figure("macro_f1")

    @property
    def loss(self) -> Figure:
        """Mean cross-entropy in nats; None for a network that diverged."""
        return self._figure("loss")

    @property
    def calibration_error(self) -> Figure:
        """The expected calibration error."""
        return self._figure("calibration_error")

    def _figure(self, name: str) -> Figure:
        return Figure(tuple(plain(getattr(one, name)) for one in self.each))

    @property
    def on_other_data(self) -> bool:
        """Whether the networks were trained on other data."""
        return not is_same_data(self.models[0].dataset, self.dataset)

    def to_dicts(self) -> list[dict[str, Any]]:
        """Plain data for JSON: a dictionary for each network."""
        return [
            {"model": model.name, "dataset": self.dataset.name, "split": self.split}
            | one.as_dict(self.dataset.class_names)
            | {"step": model.step, "epoch": model.epoch}
            for model, one in zip(self.models, self.each, strict=True)
        ]

    def document(self) -> Any:
        """The document of `evaluate --json`: one dictionary for one network, a list for several."""
        found = self.to_dicts()
        return found[0] if len(found) == 1 else found

    def record(self, name: str, why: str) -> str:
        """Record the evaluation in the run. Returns a note if the run is read-only, else an empty string."""
        facts: dict[str, Any] = {"n": self.each[0].n, "accuracy": self.accuracy.values, "loss": self.loss.values}
        facts |= {"calibration_error": self.calibration_error.values}
        facts |= {"model": name, "dataset": self.dataset.name, "split": self.split}
        if len(self) * len(self.dataset.class_names) ** 2 <= journal.COUNTS:
            facts["matrix"] = [one.confusion.tolist() for one in self.each]
        run, steps = self.models[0].run, [model.step for model in self.models]
        return run.note_evaluation("evaluate", why, **facts, steps=steps) if run else ""


def evaluate(models: list[TrainedModel], dataset: Dataset, part: Split) -> Evaluations:
    """Evaluate the networks of one run or file. Classes are matched by name. UsageError if the data do not fit them."""
    dataset = matched(dataset, models[0].class_names, models[0].name)
    images, labels = choose(models[0], dataset, part)
    return Evaluations(models, dataset, part, [evaluate_logits(one.logits(images), labels) for one in models])


def choose(model: TrainedModel, dataset: Dataset, part: Split) -> tuple[np.ndarray, np.ndarray]:
    """The images and labels of one split, as in the model's own training."""
    if part == "test":
        if not len(dataset.test_labels):
            raise UsageError(f"{dataset.name}: has no test images; evaluate another split, or other data")
        return dataset.test_images, dataset.test_labels
    images, labels, val_images, val_labels = split(dataset, held_out_of(model.config, dataset))
    if part == "train":
        return images, labels
    if not len(val_labels):
        raise UsageError(f"{model.name} held out no validation images; evaluate it on the test set")
    return val_images, val_labels

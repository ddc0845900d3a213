"""The verbs as functions, with the words of the command line: train, evaluate, predict, compare.

Each puts together what the rooms below offer; none prints.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from jaxquard import data, recipes
from jaxquard.config import Config
from jaxquard.data import Dataset
from jaxquard.data.pictures import Picture, read_picture
from jaxquard.data.sources import Progress, Report
from jaxquard.errors import UsageError
from jaxquard.runs import directory, journal
from jaxquard.runs.directory import Run
from jaxquard.runs.models import TrainedModel, load_model, load_models
from jaxquard.runs.train import Observer, Seconds, TrainResult, summary
from jaxquard.runs.train import resume as resume_run
from jaxquard.runs.train import train as train_run
from jaxquard.training.evaluation import Evaluation, judge

Split = Literal["test", "validation", "train"]


def train(
    config: Config | str | None = None,
    *,
    resume: str | None = None,
    runs: Path | None = None,
    name: str | None = None,
    until: int | None = None,
    checkpoint_every: int | None = None,
    data_dir: Path | None = None,
    offline: bool | None = None,
    observer: Observer | None = None,
    report: Report | None = None,
    progress: Progress | None = None,
) -> TrainResult:
    """Train a config (or a recipe, by name), or go on with the run `resume`, and evaluate it on the test set once."""
    began, seconds = time.perf_counter(), Seconds()
    run = directory.find(resume, directory.runs_directory(runs)) if resume is not None else None
    if isinstance(config, str):
        config = recipes.find(config).config
    config = run.config if run else config or Config()
    if name is not None:
        directory.checked_name(name)
    dataset = data.load(config.dataset, data_dir=data_dir, offline=offline, report=report, progress=progress)
    seconds.data = time.perf_counter() - began
    options: dict[str, Any] = {
        "until": until,
        "checkpoint_every": checkpoint_every,
        "observer": observer,
        "seconds": seconds,
    }
    return resume_run(run, dataset, **options) if run else train_run(config, dataset, runs=runs, name=name, **options)


def evaluate(
    model: str,
    *,
    dataset: str | None = None,
    split: Split = "test",
    why: str = "asked for",
    runs: Path | None = None,
    data_dir: Path | None = None,
    offline: bool | None = None,
    report: Report | None = None,
) -> tuple[list[TrainedModel], Dataset, list[Evaluation]]:
    """Judge a model, or every network of a run, on one split. A look at the test set is recorded in its run."""
    models = load_models(model, directory.runs_directory(runs))
    loaded = data.load(dataset or models[0].config.dataset, data_dir=data_dir, offline=offline, report=report)
    images, labels = choose_split(models[0], loaded, split)
    if tuple(loaded.class_names) != models[0].class_names and len(loaded.class_names) != len(models[0].class_names):
        raise UsageError(f"{loaded.name} has {loaded.classes} classes, {model} knows {len(models[0].class_names)}")
    judged = [judge(one.logits(images), labels) for one in models]
    run = models[0].run
    if run and split == "test":
        line = {"time": time.time(), "by": "evaluate", "why": why, "model": model, "dataset": loaded.name}
        line |= {"split": split, "n": len(labels), "accuracy": [found.accuracy for found in judged]}
        journal.append(run.evaluations_file, line)
    return models, loaded, judged


def choose_split(model: TrainedModel, dataset: Dataset, split: Split) -> tuple[np.ndarray, np.ndarray]:
    """The images and labels of one split, cut as the model's own training cut them."""
    if split == "test":
        return dataset.test_images, dataset.test_labels
    images, labels, val_images, val_labels = data.split(dataset, model.config.held_out)
    if split == "train":
        return images, labels
    if not len(val_labels):
        raise UsageError(f"{model.name} held out no validation images; evaluate it on the test set")
    return val_images, val_labels


def is_other_data(model: TrainedModel, dataset: Dataset) -> bool:
    """Whether a model is judged on data that its training did not know as its own."""
    return model.dataset["sha256"] != dict(dataset.sha256)


def predict(
    model: str, pictures: Sequence[Path], *, runs: Path | None = None
) -> tuple[TrainedModel, list[Picture], np.ndarray]:
    """What a model makes of pictures of any size: the model, each picture as it saw it, probabilities (n, classes)."""
    loaded = load_model(model, directory.runs_directory(runs))
    read = [read_picture(path, image_shape=loaded.image_shape) for path in pictures]
    logits = loaded.logits(np.stack([picture.image for picture in read]))
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return loaded, read, exponentials / exponentials.sum(axis=-1, keepdims=True)


def compare(names: Sequence[str], *, runs: Path | None = None) -> list[dict[str, Any]]:
    """Runs side by side: for each its id, the settings that are not the same in all of them, and its figures."""
    found = [directory.find(name, directory.runs_directory(runs)) for name in names]
    configs = [run.config.to_dict() | {"sweep": run.config.to_dict().get("sweep", {})} for run in found]
    keys = dict.fromkeys(key for config in configs for key in config)
    differing = [key for key in keys if any(config.get(key) != configs[0].get(key) for config in configs)]
    return [
        {"run": run.id, "settings": {key: config.get(key) for key in differing}} | figures(run)
        for run, config in zip(found, configs, strict=True)
    ]


def figures(run: Run) -> dict[str, Any]:
    """How far a run came and how good it is, from its journal and its first evaluation on the test set."""
    epochs = run.epochs()
    last = epochs[-1] if epochs else {}
    test = next((line for line in run.evaluations() if line.get("by") == "train"), {})
    return {
        "status": run.status(),
        "epochs": len(epochs),
        "train_loss": summary(last.get("train_loss")),
        "val_accuracy": summary(last.get("val_accuracy")),
        "test_accuracy": summary(test.get("accuracy")),
        "test_evaluations": len(run.evaluations()),
        "seconds": round(sum(line.get("seconds", 0.0) for line in epochs), 3),
    }

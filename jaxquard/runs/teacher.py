"""Distillation's teacher: a trained model whose logits for all training images are computed before training."""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxquard import kept
from jaxquard.config import Config
from jaxquard.data import Dataset
from jaxquard.data.arrays import class_numbers
from jaxquard.data.oddities import shortened
from jaxquard.errors import RunError, UsageError
from jaxquard.files import cache_folder
from jaxquard.runs import environment, tensors
from jaxquard.runs.directory import Run
from jaxquard.runs.environment import is_same_data
from jaxquard.runs.models import TrainedModel, load_model, unfinished
from jaxquard.training.data import TrainingData
from jaxquard.training.evaluation import mean_over_views, views

Asking = Callable[[str, int, int], None]
KEPT = 256 << 20  # bytes of all logits in the cache; 60,000 images of ten classes need 2.4 million


def ask(
    config: Config,
    data: TrainingData,
    dataset: Dataset,
    root: Path,
    warn: Callable[[str], None],
    asking: Asking = lambda name, done, total: None,
) -> tuple[TrainingData, dict[str, Any]]:
    """The data with the teacher's logits, and the teacher's facts for environment.json; unchanged without a teacher.

    If the student's images are flipped, the logits are the mean over each image and its mirror image. `asking` is
    called with the teacher's name, the images done and all images, unless the logits are cached.
    """
    if config.teacher is None:
        return data, {}
    model = load_model(config.teacher, root)
    if len(model.class_names) != data.classes:
        raise UsageError(
            f"teacher: {config.teacher} has {len(model.class_names)} classes, the data set has {data.classes}"
        )
    columns = _matched(model.class_names, dataset.class_names)
    names = shortened(model.class_names, 10)
    if columns is None:
        raise UsageError(f"teacher: {config.teacher} has other classes than {dataset.name}: {names}")
    if set(model.class_names) != set(dataset.class_names):
        warn(f"the classes of {config.teacher} are matched by number: {names}")
    learned, kept = (
        one.trained_on(len(dataset.train_labels), len(dataset.val_labels)) for one in (model.config, config)
    )
    if is_same_data(model.dataset, dataset) and learned > kept:
        warn(f"{config.teacher} was trained on images that are held out here: the validation accuracy will be too high")
    if note := unfinished([model]):
        warn(f"teacher: {note}")
    logits = _answers(model, config, np.asarray(data.images), asking)[:, columns]
    facts = {"name": config.teacher, "sha256": fingerprint(model)}
    return data._replace(teacher=jnp.asarray(logits)), {"teacher": facts}


def _matched(theirs: Sequence[str], own: Sequence[str]) -> list[int] | None:
    """The teacher's class for each class of the data set: that of its name, or of its number if one of the two has
    numbers for names. None for other classes."""
    for found, names in ((own, theirs), (theirs, own)):
        known = class_numbers(found, names)
        if all(name in known for name in found):
            return [known[name] for name in found]
    return None


def _answers(model: TrainedModel, config: Config, images: np.ndarray, asking: Asking) -> np.ndarray:
    """Logits, float32 (n, classes), from the cache if possible."""
    name, view = str(config.teacher), "mirror" if config.flip else "none"
    file, shape = folder() / _key(model, view, images), (len(images), len(model.class_names))
    found = kept.read(file)
    if found is not None:
        return np.frombuffer(found, "<f4").reshape(shape)
    total, done = len(images) * len(views(images[:1], view)), 0

    def seen(n: int) -> None:
        nonlocal done
        done += n
        asking(name, done, total)

    seen(0)
    logits = mean_over_views(lambda view: model.answers(view, seen), images, view).astype("<f4")
    kept.keep(file, np.ascontiguousarray(logits).data, KEPT)
    return logits


def folder() -> Path:
    """The cache's folder for logits, beside the data sets."""
    return cache_folder() / "answers"


def _key(model: TrainedModel, view: str, images: np.ndarray) -> str:
    """A hash of everything that determines the logits' bits: the network, the images, the machine."""
    facts = [fingerprint(model), model.config.to_dict(), model.dataset, view, images.shape, environment.machine()]
    return hashlib.sha256(json.dumps(facts).encode() + np.ascontiguousarray(images).data).hexdigest()


def fingerprint(model: TrainedModel) -> str:
    """SHA-256 of a model's weights."""
    return hashlib.sha256(tensors.to_bytes(model.weights)).hexdigest()


def check_same(run: Run, taught_by: dict[str, Any]) -> None:
    """RunError if the teacher's weights changed."""
    if run.environment.get("teacher") != taught_by.get("teacher"):
        raise RunError(f"{run.path}: its teacher, {run.config.teacher}, has changed; resume needs the original one")

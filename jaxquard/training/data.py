"""Prepares a data set for training: splits off the validation images, measures pixels, moves arrays to the device."""

from typing import Any, Literal, NamedTuple

import jax
import numpy as np

from jaxquard.config import Config
from jaxquard.data import Dataset, split
from jaxquard.data.statistics import pixel_statistics
from jaxquard.errors import DataError, UsageError
from jaxquard.naming import counted
from jaxquard.training.device import check_jax, memory

Place = Literal["host", "device"]


class TrainingData(NamedTuple):
    """images (n, height, width, channels) and labels (n,) int32 on the device; validation arrays in main memory.

    Images are uint8, or float32 with 1 for white. They may be a NumPy array: then `fit` moves parts to the device.
    `teacher` is the teacher's logits for the training images, (n, classes) float32, or None. `weights` (n,) float32 are
    the training images' weights in the loss, or None.
    """

    images: Any
    labels: jax.Array
    val_images: np.ndarray
    val_labels: np.ndarray
    classes: int
    teacher: jax.Array | None = None
    weights: jax.Array | None = None


def held_out_of(config: Config, dataset: Dataset) -> int:
    """How many images of a data set this config holds out, or uses of its own validation images."""
    return config.held_out(len(dataset.train_labels), len(dataset.val_labels))


def prepare(config: Config, dataset: Dataset, data_on: Place | None = None) -> tuple[Config, TrainingData]:
    """The resolved config (with the number of held-out images and pixel statistics) and the data to train on.

    `data_on`: where the images stay in the training (default: on the device, if they fit into half of its memory).
    UsageError if a batch is larger than the training set, DataError if all training labels are the same.
    """
    images, labels, val_images, val_labels = split(dataset, held_out_of(config, dataset))
    if config.batch_size > len(images):
        too_large = f"batch_size: {config.batch_size} is more than the {counted(len(images), 'training image')}"
        raise UsageError(f"{too_large}; give a smaller one")
    if (labels == labels[0]).all():
        only = dataset.class_names[labels[0]]
        raise DataError(f"{dataset.name}: only one class in the training images, {only}; a classifier needs two")
    mean, std = pixel_statistics(images)
    config = config.replace(
        validation=len(val_labels) or config.validation,
        pixel_mean=mean if config.pixel_mean is None else config.pixel_mean,
        pixel_std=std if config.pixel_std is None else config.pixel_std,
    )
    check_jax()
    data_on = data_on or ("device" if images.nbytes <= memory() / 2 else "host")
    device = (  # no aliases on the device: the caller may change the arrays
        np.asarray(images) if data_on == "host" else jax.device_put(images, may_alias=False),
        jax.device_put(np.asarray(labels, np.int32), may_alias=False),
    )
    weights = jax.device_put(np.float32(balanced(labels))) if config.class_weight == "balanced" else None
    data = TrainingData(*device, val_images, np.asarray(val_labels), len(dataset.class_names), weights=weights)
    return config, data


def balanced(labels: np.ndarray) -> np.ndarray:
    """The weight n/(classes·nₖ) of each label (n,): every class then has the same weight in total."""
    _, classes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    return (len(labels) / (len(counts) * counts))[classes]

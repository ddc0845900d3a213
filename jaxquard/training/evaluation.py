"""Evaluation of logits. Figures are exact over all examples and do not depend on a batch size."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np

from jaxquard.calibration import by_confidence, calibration_error
from jaxquard.strict_json import plain

CHUNKS = (1, 32, 256, 1000)  # images at a time; few sizes, because each needs a program of its own


def all_logits(
    apply: Callable[[Any], jax.Array], images: jax.Array | np.ndarray, seen: Callable[[int], None] = lambda n: None
) -> np.ndarray:
    """Logits of every image, float64 (..., n, classes), in chunks of the smallest size in CHUNKS that holds n.

    `apply`, compiled, maps images (chunk, h, w, c) to (..., chunk, classes). Blank images fill the last chunk.
    `seen` is called after each chunk with its number of images.
    """
    images = np.asarray(images)
    size = next((size for size in CHUNKS if size >= len(images)), CHUNKS[-1])
    parts = []
    for first in range(0, max(1, len(images)), size):  # once for no images, so that the result has the right shape
        chunk = images[first : first + size]
        count = len(chunk)
        if len(chunk) < size:
            chunk = np.concatenate([chunk, np.zeros_like(chunk, shape=(size - len(chunk), *chunk.shape[1:]))])
        parts.append(np.asarray(apply(chunk), np.float64))
        seen(count)
    return np.concatenate(parts, axis=-2)[..., : len(images), :]


def views(images: np.ndarray, name: str) -> list[np.ndarray]:
    """Variants of the images, the originals first. `name` is "none", "mirror" or "mirror_and_shift" (by 1 pixel)."""
    shown = [images]
    if name == "mirror_and_shift":
        padded, (height, width) = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0))), images.shape[1:3]
        corners = ((0, 1), (2, 1), (1, 0), (1, 2))
        shown += [padded[:, top : top + height, left : left + width] for top, left in corners]
    return shown if name == "none" else [*shown, *(view[:, :, ::-1] for view in shown)]


def mean_over_views(logits: Callable[[np.ndarray], np.ndarray], images: np.ndarray, name: str) -> np.ndarray:
    """`logits` averaged over the views of each image (test-time augmentation)."""
    return np.mean([logits(view) for view in views(images, name)], axis=0)


def log_probabilities(logits: np.ndarray) -> np.ndarray:
    """log softmax over the last axis, in float64."""
    with np.errstate(invalid="ignore"):  # infinite logits, of a network that has diverged, give NaN
        shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def mean_loss(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Mean cross-entropy in nats, (..., n, classes) -> (...). Runs of every training loss are compared by it."""
    columns = np.broadcast_to(labels[:, None], (*logits.shape[:-1], 1))
    return -np.take_along_axis(log_probabilities(logits), columns, axis=-1)[..., 0].mean(axis=-1)


def accuracy(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Share of examples whose largest logit is the label's, (..., n, classes) -> (...). NaN logits count as wrong."""
    right = (logits.argmax(axis=-1) == labels) & np.isfinite(logits).all(axis=-1)
    return right.mean(axis=-1)


def average(logits: np.ndarray) -> np.ndarray:
    """The log of the networks' mean probability, (networks, n, classes) -> (n, classes). One network: its logits."""
    if len(logits) == 1:
        return logits[0]
    p = np.exp(log_probabilities(logits)).mean(axis=0)
    return np.log(np.maximum(p, np.finfo(p.dtype).tiny))


def confusion_matrix(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """How many examples of class i (rows) were taken for class j (columns), from logits (n, classes) and labels (n,).

    An example with a logit that is not finite has no prediction and is left out.
    """
    classes, sound = logits.shape[-1], np.isfinite(logits).all(axis=-1)
    pairs = labels.astype(np.int64) * classes + logits.argmax(axis=-1)
    return np.bincount(pairs[sound], minlength=classes**2).reshape(classes, classes)


def commonest_confusion(logits: np.ndarray, labels: np.ndarray, class_names: Sequence[str]) -> dict[str, Any] | None:
    """The most frequent mistake in logits (n, classes), or None: `{"true", "predicted", "count", "of"}`.

    `of` is the number of examples of the true class.
    """
    predicted = logits.argmax(axis=-1)
    wrong = (predicted != labels) & np.isfinite(logits).all(axis=-1)
    numbers = labels[wrong].astype(np.int64) * len(class_names) + predicted[wrong]
    pairs, counts = np.unique(numbers, return_counts=True)
    if not len(pairs):
        return None
    i, j = divmod(int(pairs[counts.argmax()]), len(class_names))
    facts = {"true": class_names[i], "predicted": class_names[j]}
    return facts | {"count": int(counts.max()), "of": int(np.count_nonzero(labels == i))}


@dataclass(frozen=True)
class Evaluation:
    """The figures of one network on n examples. Rows of `confusion` are true classes, columns predicted ones.

    `probabilities` are (n, classes). `mistakes` are the wrong examples' numbers, the most confident first.
    """

    n: int
    accuracy: float
    loss: float
    confusion: np.ndarray = field(repr=False)
    precision: np.ndarray = field(repr=False)
    recall: np.ndarray = field(repr=False)
    calibration_error: float
    probabilities: np.ndarray = field(repr=False)
    mistakes: np.ndarray = field(repr=False)

    @property
    def balanced_accuracy(self) -> float:
        """The mean recall of the classes that have examples."""
        return float(np.nanmean(self.recall))

    @property
    def macro_f1(self) -> float:
        """The mean of F₁ = 2·precision·recall/(precision + recall) over classes that have examples or predictions."""
        here = ~(np.isnan(self.precision) & np.isnan(self.recall))
        precision, recall = (np.nan_to_num(share[here]) for share in (self.precision, self.recall))
        return float(np.mean(2 * precision * recall / np.maximum(precision + recall, 1e-300)))

    def as_dict(self, class_names: tuple[str, ...]) -> dict[str, Any]:
        """Plain data for JSON. A precision without predictions and a recall without examples are null."""
        per_class = [
            {"class": name, "precision": plain(p), "recall": plain(r), "n": int(row.sum())}
            for name, p, r, row in zip(class_names, self.precision, self.recall, self.confusion, strict=True)
        ]
        return {
            "n": self.n,
            "accuracy": self.accuracy,
            "loss": plain(self.loss),
            "balanced_accuracy": self.balanced_accuracy,
            "macro_f1": self.macro_f1,
            "calibration_error": plain(self.calibration_error),
            "confusion": self.confusion.tolist(),
            "per_class": per_class,
        }


def evaluate_logits(logits: np.ndarray, labels: np.ndarray) -> Evaluation:
    """The evaluation of one network from its logits (n, classes) and the true labels (n,).

    An example with a logit that is not finite has no prediction. It counts as a mistake and is not in `confusion`.
    """
    n, classes = logits.shape
    confusion = confusion_matrix(logits, labels)
    sound = np.asarray(np.isfinite(logits).all(axis=-1))
    probabilities = np.where(sound[:, None], np.exp(log_probabilities(logits)), 0)
    predicted, confidence = logits.argmax(axis=-1), probabilities.max(axis=-1)
    with np.errstate(invalid="ignore"):
        precision = confusion.diagonal() / confusion.sum(axis=0)
        recall = confusion.diagonal() / np.bincount(labels, minlength=classes)
    right = sound & (predicted == labels)
    wrong = np.flatnonzero(~right)
    return Evaluation(
        n=n,
        accuracy=float(accuracy(logits, labels)),
        loss=float(mean_loss(logits, labels)),
        confusion=confusion,
        precision=precision,
        recall=recall,
        calibration_error=float(calibration_error(by_confidence(confidence, right))) if sound.all() else math.nan,
        probabilities=probabilities,
        mistakes=wrong[np.argsort(-confidence[wrong], kind="stable")],
    )

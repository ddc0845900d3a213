"""The most confident mistakes of a network: the images, its predictions, and their labels."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxquard.charts import theme
from jaxquard.charts.chart import Chart
from jaxquard.charts.pictures import montage
from jaxquard.errors import UsageError


def surest_mistakes(
    images: np.ndarray,
    labels: np.ndarray,
    probabilities: np.ndarray,
    class_names: Sequence[str],
    *,
    count: int = 10,
    title: str = "Where it was surest, and wrong",
) -> Chart:
    """The `count` most confident mistakes among images (n, height, width) with labels (n,) and probabilities
    (n, classes). UsageError if there are none, or if the numbers of images, labels and probabilities differ."""
    if not len(images) == len(labels) == len(probabilities):
        raise UsageError(f"{len(images)} images, {len(labels)} labels, {len(probabilities)} rows of probabilities")
    worst = worst_of(labels, probabilities, count)
    if not len(worst):
        raise UsageError("nothing to draw: no mistakes were made")
    captions = [verdict(probabilities[i], labels[i], class_names) for i in worst]
    note = f"Its {len(worst)} most confident mistakes among {len(labels):,} images."
    return montage(images[worst], labels=captions, columns=5, invert=True, size=84, title=title, subtitle=note)


def worst_of(labels: np.ndarray, probabilities: np.ndarray, count: int) -> np.ndarray:
    """The indices of the `count` most confident mistakes, the most confident first."""
    confidence = probabilities.max(axis=1)
    mistakes = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    return mistakes[np.argsort(-confidence[mistakes], kind="stable")][:count]


def verdict(probabilities: np.ndarray, label: Any, class_names: Sequence[str]) -> str:
    """The prediction for an image, its confidence, and the label if it is another class."""
    predicted, confidence = int(probabilities.argmax()), probabilities.max()
    sure = "> 99 %" if confidence >= 0.995 else theme.percent(confidence, 0)
    said = f"{class_names[predicted]}\n{sure}"
    return said if predicted == label else f"{said}\nlabel: {class_names[label]}"

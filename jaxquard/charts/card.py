"""The README's first picture, of one run: learning curves, weights of the first layer, predictions, and mistakes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxquard.charts import pictures, theme
from jaxquard.charts.chart import Chart
from jaxquard.charts.curves import learning_curves
from jaxquard.charts.evaluation import verdict, worst_of

WIDTH, ACROSS = 954, 9  # pixels, and test images in a strip


def training_card(
    records: Sequence[Mapping[str, object]],
    images: np.ndarray,
    labels: np.ndarray,
    probabilities: np.ndarray,
    class_names: Sequence[str],
    weights: np.ndarray,
    *,
    title: str,
    subtitle: str,
    weights_title: str = "What its first layer looks for",
) -> Chart:
    """One run in one chart, about 1,000 pixels wide.

    `records`: its journal. `images`: (n, height, width) uint8, `labels`: (n,) and `probabilities`: (n, classes), of the
    whole test set; the chart shows the first images and the most confident mistakes. `weights`: (height·width, units),
    of the first layer, or their change by training (`weights_title` says which); the chart shows the units with the
    largest weights. Raises UsageError if the numbers of images, labels and probabilities differ.
    """
    worst = worst_of(images, labels, probabilities, ACROSS)
    first = np.arange(min(ACROSS, len(images)))
    curve = learning_curves({"run": records}, width=360, height=250)
    verdicts = {i: verdict(probabilities[i], labels[i], class_names) for i in [*first, *worst]}
    top = [_panel(curve.view, "How it learned", offset=4), _weights(weights, images.shape[1:3], weights_title)]
    strips = [_strip(images, first, verdicts, "What it says about the first images of the test set")]
    if len(worst):
        strips.append(_strip(images, worst, verdicts, "Where it was surest, and wrong"))
    view = {"vconcat": [{"hconcat": top}, *strips], "spacing": 20}
    accuracy = theme.percent(float(np.mean(probabilities.argmax(axis=1) == labels)), 2)
    said = "; ".join(verdicts[i].replace("\n", ", ") for i in first)
    summary = f"{title}. {accuracy} of {len(images):,} test images right."
    description = f"{summary} {curve.description} First test images: {said}."
    return Chart(title, f"{subtitle} {curve.subtitle}", description, view, curve.table, WIDTH)


def _panel(view: dict[str, Any], heading: str, note: str = "", offset: int = 10) -> dict[str, Any]:
    title = {"text": heading, "fontSize": 14, "subtitle": note, "subtitleFontSize": 12, "subtitlePadding": 4}
    return {"title": {**title, "offset": offset}, **view}


def _weights(weights: np.ndarray, shape: tuple[int, ...], heading: str) -> dict[str, Any]:
    columns, count = 7, 28
    units = np.asarray(weights).T
    units = units[np.argsort(-np.linalg.norm(units, axis=1), kind="stable")][:count].reshape(-1, *shape)
    colors, limit = pictures.signed(units)
    view, _ = pictures.grid(colors, [""] * len(units), columns, 60, gap=6)
    return _panel(view, f"{heading} ({len(units)} of {np.shape(weights)[1]} units)", pictures.scale_sentence(limit))


def _strip(images: np.ndarray, chosen: np.ndarray, verdicts: Mapping[int, str], heading: str) -> dict[str, Any]:
    captions = [verdicts[i] for i in chosen]
    frames = [theme.VERMILLION if "\nlabel: " in caption else None for caption in captions]
    view, _ = pictures.grid(pictures.grey(images[chosen], invert=True), captions, ACROSS, 84, cell=106, frames=frames)
    return _panel(view, heading)

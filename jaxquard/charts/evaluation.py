"""The evaluation of a network: which classes it confuses, its confidence, and its most confident mistakes."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxquard.calibration import by_confidence, wilson
from jaxquard.charts import theme
from jaxquard.charts.chart import Chart
from jaxquard.charts.pictures import montage
from jaxquard.errors import UsageError


def confusion_matrix(
    counts: np.ndarray, class_names: Sequence[str], *, title: str = "Confusion matrix", subtitle: str = ""
) -> Chart:
    """A confusion matrix. `counts`: (classes, classes) whole numbers, rows = true class, columns = predicted class.

    A cell's shade is its share of the row, on a square-root scale, so that rare mistakes are visible.
    """
    counts = np.asarray(counts)
    n = len(class_names)
    if counts.shape != (n, n):
        raise UsageError(f"a confusion matrix of {n} classes has shape ({n}, {n}), not {counts.shape}")
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    cells = [
        {"true": class_names[i], "predicted": class_names[j], "count": int(counts[i, j]), "share": float(shares[i, j])}
        for i, j in np.ndindex(n, n)
    ]
    table: list[dict[str, object]] = [
        {"true class": name, **{str(c): int(k) for c, k in zip(class_names, row, strict=True)}}
        for name, row in zip(class_names, counts, strict=True)
    ]
    summary = _most_confused(counts, class_names)
    words = f"{subtitle} {summary} Shade: share of the row (square-root scale).".strip()
    side = 46 * n
    description = f"Confusion matrix, rows the true class, columns the predicted one. {summary}"
    return Chart(title, words, description, _heatmap(cells, list(class_names), side), table, max(side, 320))


def _most_confused(counts: np.ndarray, names: Sequence[str]) -> str:
    right = f"{theme.percent(np.trace(counts) / max(counts.sum(), 1))} of {counts.sum():,} right."
    wrong = counts - np.diag(np.diag(counts))
    if not wrong.any():
        return right
    i, j = divmod(int(wrong.argmax()), len(names))
    return f"{right} Most often confused: {names[i]}, taken for {names[j]} ({wrong[i, j]:,} of {counts[i].sum():,})."


def _heatmap(cells: list[dict[str, Any]], names: list[str], side: int) -> dict[str, Any]:
    axis = {"domain": False, "ticks": False, "labelLimit": 140}
    x_axis = axis | {"orient": "top", "labelAngle": -40, "titleAnchor": "start"}
    y_axis = axis | {"titleX": -8, "titleAlign": "right"}
    shade = {"type": "pow", "exponent": 0.5, "domain": [0, 1], "range": ["#ffffff", theme.BLUE], "interpolate": "rgb"}
    white_on_dark = {"condition": {"test": "datum.share > 0.4", "value": "#ffffff"}, "value": theme.INK}
    return {
        "width": side,
        "height": side,
        "data": {"values": cells},
        "encoding": {
            "x": {"field": "predicted", "type": "nominal", "sort": names, "title": "predicted class", "axis": x_axis},
            "y": {"field": "true", "type": "nominal", "sort": names, "title": "true class", "axis": y_axis},
        },
        "layer": [
            theme.layer(
                {"type": "rect", "stroke": theme.RULE, "strokeWidth": 1, "tooltip": True},
                color={"field": "share", "type": "quantitative", "scale": shade, "legend": None},
            ),
            theme.layer({"type": "text"}, text={"field": "count"}, color=white_on_dark),
        ],
    }


def reliability(
    confidences: np.ndarray,
    correct: np.ndarray,
    *,
    bins: int = 15,
    title: str = "Does it know when it is wrong?",
    subtitle: str = "",
) -> Chart:
    """Accuracy against confidence, in `bins` equal steps of confidence (Guo et al. 2017, figure 1).

    `confidences`: (n,) the probability of the predicted class; `correct`: (n,) booleans. Bars: 95 % Wilson intervals;
    below: the number of predictions in each bin. The expected calibration error is
    Σ_b n_b/n · |accuracy_b − confidence_b| over bins that are open on the left and closed on the right.
    """
    rows = _bins(np.asarray(confidences, np.float64), np.asarray(correct, bool), bins)
    total = sum(row["n"] for row in rows)
    error = sum(row["n"] * abs(row["accuracy"] - row["confidence"]) for row in rows) / total / 100
    signed = sum(row["n"] * (row["accuracy"] - row["confidence"]) for row in rows)
    side = "over-confident" if signed < 0 else "under-confident"
    summary = f"Expected calibration error {theme.percent(error)}, on the whole {side}, over {total:,} predictions."
    words = f"{subtitle} {summary} On the dashed line, confidence is the share that is right.".strip()
    table: list[dict[str, object]] = [
        {
            "confidence (%)": row["confidence"],
            "accuracy (%)": row["accuracy"],
            "95 % interval": f"{row['low']:.1f} – {row['high']:.1f}",
            "predictions": row["n"],
        }
        for row in rows
    ]
    each = "; ".join(f"{row['confidence']:.0f} % sure, {row['accuracy']:.0f} % right" for row in rows)
    return Chart(title, words, f"Reliability diagram. {summary} By bin: {each}.", _diagram(rows), table, 420)


def _bins(confidences: np.ndarray, correct: np.ndarray, bins: int) -> list[dict[str, Any]]:
    if confidences.ndim != 1 or confidences.shape != correct.shape or not len(correct):
        raise UsageError(f"a confidence for each prediction: got {confidences.shape} and {correct.shape}")
    if not ((confidences >= 0) & (confidences <= 1)).all():
        raise UsageError("a confidence is a probability: between 0 and 1")
    rows = []
    for b, (n, summed, right) in enumerate(zip(*by_confidence(confidences, correct, bins).values(), strict=True)):
        if n:
            low, high = wilson(int(right), int(n))
            figures = {"confidence": summed / n, "accuracy": right / n, "low": low, "high": high}
            edges = {"from": b / bins, "to": (b + 1) / bins}
            rows.append({"n": int(n)} | {k: 100 * float(v) for k, v in (figures | edges).items()})
    return rows


def _diagram(rows: list[dict[str, Any]]) -> dict[str, Any]:
    low = min(row["from"] for row in rows)
    floor = min([low, *(row["low"] for row in rows)])
    x_scale, y_scale = (
        {"scale": {"domain": [first, 100], "nice": False, "zero": False}, "type": "quantitative"}
        for first in (low, floor)
    )
    x = {"field": "confidence", "title": None, **x_scale}
    y = {"title": "share right (%)", **y_scale}
    ideal = theme.layer(
        {"type": "line", "color": theme.MUTED, "strokeDash": [5, 4], "strokeWidth": 1.5},
        [{"v": low}, {"v": 100}],
        x={"field": "v", "title": None, **x_scale},
        y={"field": "v", **y},
    )
    bars = theme.layer(
        {"type": "rule", "color": theme.BLUE, "strokeWidth": 2}, x=x, y={"field": "low", **y}, y2={"field": "high"}
    )
    points = theme.layer(
        {"type": "point", "filled": True, "opacity": 1, "size": 60, "color": theme.BLUE, "tooltip": True},
        x=x,
        y={"field": "accuracy", **y},
    )
    histogram = {"width": 420, "height": 70} | theme.layer(
        {"type": "rect", "color": theme.BLUE, "opacity": 0.45, "stroke": theme.PAPER, "tooltip": True},
        x={"field": "from", "title": "confidence (%)", **x_scale},
        x2={"field": "to"},
        y={"field": "n", "type": "quantitative", "title": "predictions", "axis": {"tickCount": 3}},
        y2={"datum": 0},
    )
    square = {"width": 420, "height": 340, "layer": [ideal, bars, points]}
    return {"data": {"values": rows}, "vconcat": [square, histogram], "spacing": 34}


def surest_mistakes(
    images: np.ndarray,
    labels: np.ndarray,
    probabilities: np.ndarray,
    class_names: Sequence[str],
    *,
    count: int = 10,
    title: str = "The most confident mistakes",
) -> Chart:
    """The `count` most confident mistakes among images (n, height, width) with labels (n,) and probabilities
    (n, classes). UsageError if there are none, or if the numbers of images, labels and probabilities differ."""
    worst = worst_of(images, labels, probabilities, count)
    if not len(worst):
        raise UsageError("nothing to draw: no mistakes were made")
    captions = [verdict(probabilities[i], labels[i], class_names) for i in worst]
    note = f"Its {len(worst)} most confident mistakes among {len(labels):,} images."
    return montage(images[worst], labels=captions, columns=5, invert=True, size=84, title=title, subtitle=note)


def worst_of(images: np.ndarray, labels: np.ndarray, probabilities: np.ndarray, count: int) -> np.ndarray:
    """The indices of the `count` most confident mistakes, the most confident first."""
    if not len(images) == len(labels) == len(probabilities):
        raise UsageError(f"{len(images)} images, {len(labels)} labels, {len(probabilities)} rows of probabilities")
    confidence = probabilities.max(axis=1)
    mistakes = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    return mistakes[np.argsort(-confidence[mistakes], kind="stable")][:count]


def verdict(probabilities: np.ndarray, label: Any, class_names: Sequence[str]) -> str:
    """The prediction for an image, its confidence, and the label if it is another class."""
    predicted, confidence = int(probabilities.argmax()), probabilities.max()
    sure = "> 99 %" if confidence >= 0.995 else theme.percent(confidence, 0)
    said = f"{class_names[predicted]}\n{sure}"
    return said if predicted == label else f"{said}\nlabel: {class_names[label]}"

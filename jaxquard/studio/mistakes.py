"""The Mistakes view: a network's confusions, calibration, abstention, and accuracy on disturbed images."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from starlette.requests import Request

from jaxquard.calibration import wilson
from jaxquard.charts import Chart, lines, reliability
from jaxquard.data.dataset import shuffled
from jaxquard.errors import UsageError
from jaxquard.lessons.distortions import ANGLES, NOISES, noisy, turned
from jaxquard.strict_json import plain
from jaxquard.studio.charts import drawn
from jaxquard.studio.models import Subject, route
from jaxquard.training.evaluation import Evaluation, accuracy, evaluate_logits

THRESHOLDS = tuple(k / 100 for k in range(100))
DISTURBED = 1_000  # images
SHIFTS = (0, 1, 2, 3, 4, 6, 8)  # pixels


def evaluation(subject: Subject, on: str) -> Evaluation:
    """The model's evaluation on a part of its data. The use of the test set is recorded, once for the same weights."""
    model, dataset, part = subject.model, subject.dataset, subject.part(on)
    found = evaluate_logits(model.logits(part.images), part.labels)
    if on == "test" and model.run and (model.name, subject.stamp) not in subject.tested:
        facts: dict[str, Any] = {"n": found.n, "accuracy": [found.accuracy], "loss": [plain(found.loss)]}
        facts |= {"model": model.name, "dataset": dataset.name, "split": "test"}
        subject.unrecorded = bool(model.run.note_evaluation("studio", "studio", **facts))
        subject.tested.add((model.name, subject.stamp))
    return found


class Verdicts(NamedTuple):
    """A model's predictions: (n,) each. If the logits are not finite: class -1 with confidence 0."""

    predicted: np.ndarray
    confidence: np.ndarray
    right: np.ndarray


def verdicts(subject: Subject, on: str) -> Verdicts:
    """The predictions of the evaluation."""
    probabilities = subject.once(evaluation, on).probabilities
    confidence = probabilities.max(axis=1)
    predicted = np.where(confidence > 0, probabilities.argmax(axis=1), -1)
    return Verdicts(predicted, confidence, predicted == subject.part(on).labels)


def summary(subject: Subject, on: str) -> dict[str, Any]:
    """Accuracy, confusion, calibration and abstention, with charts of the last two."""
    found, given, said = subject.once(evaluation, on), subject.once(verdicts, on), subject.part(on).said
    if on == "test" and subject.unrecorded:
        said += " This use of the test set could not be recorded: the run is read-only."
    document = found.as_dict(subject.model.class_names)
    diagram = reliability(given.confidence, given.right, subtitle=said)
    rows = abstention(given.confidence, given.right)
    return document | {
        "classes": subject.model.class_names,
        "calibration": {"bins": [_bin(row) for row in diagram.table], "ece": document["calibration_error"]},
        "abstention": rows,
        "charts": [drawn("calibration", diagram), drawn("abstention", _abstention_chart(rows, said))],
    }


def _bin(row: dict[str, Any]) -> dict[str, Any]:
    """A row of the reliability diagram's table, in fractions."""
    return {"confidence": row["confidence (%)"] / 100, "accuracy": row["accuracy (%)"] / 100, "n": row["predictions"]}


def abstention(confidence: np.ndarray, right: np.ndarray) -> list[dict[str, Any]]:
    """For each threshold: the share of images whose confidence reaches it (`coverage`), and the accuracy on these (None
    if there are none)."""
    rows = []
    for threshold in THRESHOLDS:
        answered = confidence >= threshold
        share = float(right[answered].mean()) if answered.any() else None
        rows.append({"threshold": threshold, "coverage": float(answered.mean()), "accuracy": share})
    return rows


def _abstention_chart(rows: list[dict[str, Any]], said: str) -> Chart:
    names = {"coverage": "answered", "accuracy": "right, of those answered"}
    points = [
        {"threshold": row["threshold"], "what": name, "%": None if row[key] is None else 100 * row[key]}
        for key, name in names.items()
        for row in rows
    ]
    said += " It answers if its confidence reaches the threshold."
    return lines(points, "threshold", "%", series="what", title="If it may say “I do not know”", subtitle=said)


def moved(images: np.ndarray, pixels: float) -> np.ndarray:
    """Images moved by whole pixels: the first to the left, the next to the right, up, down, and so on; with zeros."""
    from scipy.ndimage import shift

    result = np.empty_like(images)
    for turn, (down, right) in enumerate(((0, -1), (0, 1), (-1, 0), (1, 0))):
        result[turn::4] = shift(images[turn::4], (0, down * pixels, right * pixels, 0), order=0)
    return result


class Disturbance(NamedTuple):
    """A disturbance of images: `disturb(images, amount)`, the unit of the amount, and amounts from 0 up."""

    disturb: Callable[[np.ndarray, float], np.ndarray]
    unit: str
    amounts: tuple[float, ...]
    title: str


DISTURBANCES = {
    "noise": Disturbance(noisy, "grey levels", NOISES, "Accuracy by the standard deviation of added normal noise"),
    "rotation": Disturbance(turned, "degrees", ANGLES, "Accuracy by the rotation of the images"),
    "shift": Disturbance(moved, "pixels", SHIFTS, "Accuracy by the shift of the images: left, right, up or down"),
}


def kind_of(request: Request) -> str:
    """The disturbance that `?kind=` names."""
    kind = request.query_params.get("kind", "noise")
    if kind not in DISTURBANCES:
        raise UsageError(f"kind: must be one of {', '.join(DISTURBANCES)}")
    return kind


def robustness(subject: Subject, on: str, kind: str) -> dict[str, Any]:
    """Accuracy on the same DISTURBED images by amount of disturbance, with 95 % intervals (Wilson, 1927)."""
    subject.once(evaluation, on)  # records the use of test images
    disturb, unit, amounts, title = DISTURBANCES[kind]
    part = subject.part(on)
    chosen = shuffled(len(part.labels))[:DISTURBED]  # a file may be sorted by class
    images, labels = part.images[chosen], part.labels[chosen]
    points = []
    for amount in amounts:
        share = float(accuracy(subject.model.logits(disturb(images, amount)), labels))
        low, high = wilson(round(share * len(labels)), len(labels))
        points.append({"amount": amount, "unit": unit, "accuracy": share, "low": low, "high": high})
    of = f"{len(labels):,} of " if len(labels) < len(part.labels) else ""
    chart = _robustness_chart(points, title, of + part.said)
    return {"kind": kind, "points": points, "n": len(labels), "charts": [drawn(kind, chart)]}


def _robustness_chart(points: list[dict[str, Any]], title: str, said: str) -> Chart:
    unit, y = points[0]["unit"], "right (%)"
    rows = [{unit: p["amount"], y: 100 * p["accuracy"], "low": 100 * p["low"], "high": 100 * p["high"]} for p in points]
    said += " Band: 95 % interval."
    figures = ", ".join(f"{row[y]:.1f} at {row[unit]}" for row in rows)
    description = f"{title}. {said} {y} by {unit}: {figures}."
    return lines(rows, unit, y, band=("low", "high"), title=title, subtitle=said, description=description)


routes = [
    route("summary", lambda subject, on, request: subject.once(summary, on)),
    route("robustness", lambda subject, on, request: subject.once(robustness, on, kind_of(request))),
]

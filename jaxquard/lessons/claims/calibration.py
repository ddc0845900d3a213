"""Lesson: is the confidence of a network correct?"""

from collections.abc import Callable
from typing import Any

import numpy as np

from jaxquard.calibration import BINS, by_confidence, calibration_error
from jaxquard.charts import Chart, montage, reliability
from jaxquard.config import Config
from jaxquard.lessons.distortions import ANGLES, NOISES, noisy, turned
from jaxquard.lessons.experiment import Scale, scales
from jaxquard.lessons.figures import curves, show, spread
from jaxquard.lessons.lesson import About, Finding, Lab, Measured
from jaxquard.lessons.verdict import above, bracket

RATES = {"original": 0.01, "thorough": 0.1}
TOLERATED = 2.0  # points of expected calibration error
SHOWN = 10  # images whose labels are doubtful
DISTURBED = 2_000  # held-out images that are rotated and made noisy


def configs(scale: Scale) -> dict[str, Config]:
    """The original network, and the same with a rate that fits the training images far better."""
    shared = Config(seeds=scale.seeds, epochs=scale.epochs)
    return {name: shared.replace(learning_rate=rate) for name, rate in RATES.items()}


def measure(lab: Lab, configs: dict[str, Config]) -> Measured:
    _, data = lab.prepare(configs["thorough"])
    images, labels = np.asarray(data.val_images), data.val_labels
    original, thorough = (predictor(lab, name, configs[name]) for name in RATES)
    p = thorough(images)
    few, known = images[:DISTURBED], labels[:DISTURBED]
    return {
        "original": bins(original(images), labels),
        "thorough": bins(p, labels),
        "doubtful": doubtful(p, labels, images) | {"names": lab.dataset.class_names},
        "turned": [sureness(thorough(turned(few, angle)), known) for angle in ANGLES],
        "noisy": [sureness(thorough(noisy(few, noise)), known) for noise in NOISES],
    }


def predictor(lab: Lab, label: str, config: Config) -> Callable[[np.ndarray], np.ndarray]:
    """A config's trained networks as a function: images (n, h, w, c) uint8 -> probabilities (seeds, n, classes)."""
    from jaxquard.training.evaluation import all_logits, log_probabilities
    from jaxquard.training.fit import make_run

    params, state = lab.look(label, config, lambda model, params, state, *_: (params, state), images=1, trained=True)
    _, program = make_run(*lab.prepare(config))
    return lambda images: np.exp(log_probabilities(all_logits(lambda x: program.logits(params, state, x), images)))


def bins(p: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Each network's predictions (seeds, n, classes) by confidence: their number, summed confidence, number right."""
    return by_confidence(p.max(axis=-1), p.argmax(axis=-1) == labels)


def doubtful(p: np.ndarray, labels: np.ndarray, images: np.ndarray) -> dict[str, Any]:
    """Images for which all networks agree on a class that is not the label's, the most confident first."""
    classes, confidence = p.argmax(axis=-1), p.max(axis=-1).mean(axis=0)
    agreed = (classes == classes[0]).all(axis=0) & (classes[0] != labels)
    surest = np.flatnonzero(agreed)[np.argsort(-confidence[agreed], kind="stable")][:SHOWN]
    return {
        "share": agreed.sum() / np.maximum((classes != labels).sum(axis=1), 1),  # of each network's mistakes
        "images": images[surest, ..., 0],
        "labels": labels[surest],
        "said": classes[0][surest],
        "confidence": confidence[surest],
    }


def sureness(p: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """In %, by network: accuracy and mean confidence."""
    return {"right": 100 * (p.argmax(-1) == labels).mean(axis=1), "sure": 100 * p.max(-1).mean(axis=1)}


def calibration_errors(found: Measured) -> np.ndarray:
    """The expected calibration error in points, by seed."""
    return 100 * calibration_error(found)


def excess(found: Measured) -> np.ndarray:
    """Mean confidence less the share that is right, in points, by seed: positive is over-confident."""
    count, confidence, right = (np.array(found[name]).sum(axis=1) for name in ("count", "confidence", "right"))
    return 100 * (confidence - right) / count


def right(found: Measured) -> np.ndarray:
    """In %, by seed."""
    return 100 * np.array(found["right"]).sum(axis=1) / np.array(found["count"]).sum(axis=1)


def conclude(measured: Measured) -> Finding:
    errors = {name: calibration_errors(measured[name]) for name in RATES}
    parts = [
        above(f"{TOLERATED:g} minus the calibration error at η = {rate:g}", TOLERATED - errors[name], 0)
        for name, rate in RATES.items()
    ]
    facts = {f"{name}_error": spread(values) for name, values in errors.items()}
    facts |= {f"{name}_right": spread(right(measured[name])) for name in RATES}
    facts |= {f"{name}_excess": spread(excess(measured[name])) for name in RATES}
    facts["shared"] = spread(100 * np.array(measured["doubtful"]["share"]), 0)
    for name, last in (("turned", ANGLES[-1]), ("noisy", NOISES[-1])):
        facts[f"{name}_at"] = str(last)
        facts |= {f"{name}_{key}": spread(values) for key, values in measured[name][-1].items()}
    return Finding(parts, bracket(excess(measured["thorough"]), (-1, 1), "ABC"), facts)


def draw(measured: Measured) -> list[Chart]:
    disturbed = {"turned": ("Rotated", ANGLES, "degrees"), "noisy": ("Noisy", NOISES, "noise (grey levels)")}
    return [
        *(_reliability_chart(measured, name) for name in RATES),
        *(
            curves(
                f"{what} images: accuracy and confidence",
                {
                    name: {level: each[key] for level, each in zip(levels, measured[kind], strict=True)}
                    for key, name in {"right": "accuracy", "sure": "mean confidence"}.items()
                },
                x,
                "%",
                series="what",
            )
            for kind, (what, levels, x) in disturbed.items()
        ),
        *_doubts(measured["doubtful"]),
    ]


def _reliability_chart(measured: Measured, name: str) -> Chart:
    """Of the first network. Giving every prediction its bin's mean confidence does not change the diagram."""
    count, confidence, right = (np.array(measured[name][key][0]) for key in ("count", "confidence", "right"))
    full = count > 0
    count, right, mean = count[full], right[full], confidence[full] / count[full]
    correct = np.concatenate([np.arange(n) < k for n, k in zip(count, right, strict=True)])
    title = f"Accuracy by confidence, η = {RATES[name]:g}"
    return reliability(np.repeat(mean, count), correct, bins=BINS, title=title, subtitle="The first network.")


def _doubts(found: Measured) -> list[Chart]:
    """No chart where the networks agree on no mistake."""
    names, each = found["names"], zip(found["labels"], found["said"], found["confidence"], strict=True)
    captions = [f"{names[label]}?\n{names[said]}\n{show(100 * sure, 0)} %" for label, said, sure in each]
    if not captions:
        return []
    title = "All networks agree that the label is wrong"
    subtitle = "Under each image: its label, the class that all networks give, and their mean confidence."
    images = np.array(found["images"], np.uint8)
    return [montage(images, labels=captions, columns=5, invert=True, size=84, title=title, subtitle=subtitle)]


ABOUT = About(
    question="Does it know when it is wrong?",
    claim=(
        "The outputs of softmax are probabilities. Taken literally: of the predictions made with 80 % confidence, 80 % "
        "are right."
    ),
    source="Nielsen, chapter 3, “Softmax”; the original README, “Softmax for Output”",
    choices={
        "A": "Trained at 0.1, the network's mean confidence is more than a point below its accuracy.",
        "B": "It is within a point of its accuracy.",
        "C": "It is more than a point above its accuracy.",
    },
    scales=scales(epochs=20),
    background="""
The outputs of softmax are positive and sum to one. So they look like probabilities, but they may be wrong. To measure
this, take all predictions with about 80 % confidence, and count those that are right. Do the same for every range of
confidence. The *expected calibration error* is the mean gap between confidence and accuracy over the ranges, weighted
by their numbers of predictions. Cross-entropy rewards correct probabilities, but only on the training images. A network
that has memorised these images is right on all of them, so training makes it confident.
""",
    method="""
The original network trains for {epochs} epochs twice: at its own rate of 0.01, and at 0.1, which fits the training
images far better. Then confidence is compared with accuracy on {validation} held-out images. The claim holds if the
calibration error is below two points at both rates. Two more measurements use the {seeds} networks trained at 0.1. The
first collects the mistakes that all of them make with the same answer. The second evaluates them on 2,000 held-out
images that are rotated or made noisy. (The training images are neither.)
""",
    take_home={
        "does not hold": "At one of the two rates, or at both, the confidence is not correct.",
        "holds": "On images like the training images, the confidence is correct at both rates.",
    },
    results="""
The calibration error is {original_error} points at η = 0.01 (accuracy {original_right} %) and {thorough_error} points
at η = 0.1 (accuracy {thorough_right} %). Mean confidence minus accuracy is {original_excess} and {thorough_excess}
points: below zero the network is under-confident, above zero over-confident. Two more figures are for images unlike the
training images. On images rotated by {turned_at}°, the networks trained at 0.1 have an accuracy of {turned_right} % and
a mean confidence of {turned_sure} %. With noise of {noisy_at} grey levels, the accuracy is {noisy_right} % and the mean
confidence {noisy_sure} %.

Some mistakes may be wrong labels. On average, {shared} % of a network's mistakes are made by all networks, with the
same answer. Look at the most confident of them, and decide for yourself which is wrong, network or label.
""",
    try_next="""
Does early stopping keep the confidence correct? `jaxquard train --learning-rate 0.1 --patience 3`, then `jaxquard
evaluate RUN --split validation`, which prints the calibration error. And label smoothing (`--label-smoothing 0.1`)
punishes full confidence: does it make the network under-confident?
""",
)

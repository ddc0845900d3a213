"""Lesson: does the network know when it is wrong?"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxquard.charts import Chart, lines, montage, reliability
from jaxquard.config import Config
from jaxquard.lessons.distortions import ANGLES, NOISES, noisy, turned
from jaxquard.lessons.experiment import Scale, scales
from jaxquard.lessons.figures import BAND, point, show, spread
from jaxquard.lessons.lesson import Finding, Lesson, Measured
from jaxquard.lessons.verdict import above, bracket

if TYPE_CHECKING:
    from jaxquard.lessons.lab import Lab

RATES = {"original": 0.01, "thorough": 0.1}
TOLERATED = 2.0  # points of expected calibration error
BINS = 15
SHOWN = 10  # images whose labels are doubtful
DISTURBED = 2_000  # held-out images that are turned and made noisy


def configs(scale: Scale) -> dict[str, Config]:
    """The original network, and the same with a rate at which it learns its images far more thoroughly."""
    shared = Config(seeds=scale.seeds, epochs=scale.epochs)
    return {name: shared.replace(learning_rate=rate) for name, rate in RATES.items()}


def measure(lab: "Lab", configs: dict[str, Config]) -> Measured:
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


def predictor(lab: "Lab", label: str, config: Config) -> Callable[[np.ndarray], np.ndarray]:
    """What all networks of a trained config make of images: (n, h, w, c) uint8 -> probabilities (seeds, n, classes)."""
    from jaxquard.training.evaluation import all_logits, log_probabilities
    from jaxquard.training.fit import make_run

    params, state = lab.look(label, config, lambda model, params, state, *_: (params, state), images=1, trained=True)
    _, program = make_run(*lab.prepare(config))
    return lambda images: np.exp(log_probabilities(all_logits(lambda x: program.logits(params, state, x), images)))


def bins(p: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Of each network's predictions (seeds, n, classes), by confidence: how many, their sum of it, how many right."""
    confidence, right = p.max(axis=-1), p.argmax(axis=-1) == labels
    which = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    inside = which[..., None] == np.arange(BINS)
    sums = {"count": inside, "confidence": inside * confidence[..., None], "right": inside & right[..., None]}
    return {name: values.sum(axis=1) for name, values in sums.items()}


def doubtful(p: np.ndarray, labels: np.ndarray, images: np.ndarray) -> dict[str, Any]:
    """Images for which all networks agree on a class that is not the label's, the surest first."""
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
    """In %, by network: how often it is right, and how sure it is of it."""
    return {"right": 100 * (p.argmax(-1) == labels).mean(axis=1), "sure": 100 * p.max(-1).mean(axis=1)}


def calibration_errors(found: Measured) -> np.ndarray:
    """Σ |right − confidence| over bins, per prediction, in points, by seed (Guo et al., 2017, eq. 3)."""
    count, confidence, right = (np.array(found[name]) for name in ("count", "confidence", "right"))
    return 100 * np.abs(right - confidence).sum(axis=1) / count.sum(axis=1)


def excess(found: Measured) -> np.ndarray:
    """Mean confidence less the share that is right, in points, by seed: positive is over-confident."""
    count, confidence, right = (np.array(found[name]).sum(axis=1) for name in ("count", "confidence", "right"))
    return 100 * (confidence - right) / count


def right(found: Measured) -> np.ndarray:
    """In %, by seed."""
    return 100 * np.array(found["right"]).sum(axis=1) / np.array(found["count"]).sum(axis=1)


def judge(measured: Measured) -> Finding:
    errors = {name: calibration_errors(measured[name]) for name in RATES}
    parts = [
        above(f"{TOLERATED:g} less the calibration error at η = {rate:g}", TOLERATED - errors[name], 0)
        for name, rate in RATES.items()
    ]
    facts = {f"{name}_error": spread(values) for name, values in errors.items()}
    facts |= {f"{name}_right": spread(right(measured[name])) for name in RATES}
    facts |= {f"{name}_excess": spread(excess(measured[name])) for name in RATES}
    facts["shared"] = spread(100 * np.array(measured["doubtful"]["share"]), 0)
    for name, last in (("turned", ANGLES[-1]), ("noisy", NOISES[-1])):
        worst = measured[name][-1]
        facts |= {
            f"{name}_at": str(last),
            f"{name}_right": spread(worst["right"]),
            f"{name}_sure": spread(worst["sure"]),
        }
    return Finding(parts, bracket(excess(measured["thorough"]), (-1, 1), "ABC"), facts)


def draw(measured: Measured) -> list[Chart]:
    turned = _disturbed(measured["turned"], ANGLES, "degrees", "Turned images: how often right, and how sure")
    noisy = _disturbed(measured["noisy"], NOISES, "noise (grey levels)", "Noisy images: how often right, and how sure")
    return [
        *(_reliability_chart(measured, name) for name in RATES),
        turned,
        noisy,
        *_doubts(measured),
    ]


def _reliability_chart(measured: Measured, name: str) -> Chart:
    """Of the first network: within a bin, everyone with the bin's mean confidence leaves the diagram as it is."""
    count, confidence, right = (np.array(measured[name][key][0]) for key in ("count", "confidence", "right"))
    full = count > 0
    count, right, mean = count[full], right[full], confidence[full] / count[full]
    correct = np.concatenate([np.arange(n) < k for n, k in zip(count, right, strict=True)])
    title = f"How sure and how often right, η = {RATES[name]:g}"
    return reliability(np.repeat(mean, count), correct, bins=BINS, title=title, subtitle="The first network.")


def _disturbed(found: list[Measured], levels: tuple[int, ...], x: str, title: str) -> Chart:
    names = {"right": "how often right", "sure": "how sure"}
    rows = [
        point(each[key], "%", **{x: level, "what": name})
        for key, name in names.items()
        for level, each in zip(levels, found, strict=True)
    ]
    return lines(rows, x, "%", series="what", band=("low", "high"), title=title, subtitle=BAND)


def _doubts(measured: Measured) -> list[Chart]:
    """No chart where the networks agree on no mistake."""
    found, names = measured["doubtful"], measured["doubtful"]["names"]
    if len(found["labels"]) == 0:
        return []
    told = zip(found["labels"], found["said"], found["confidence"], strict=True)
    captions = [f"{names[label]}?\n{names[said]}\n{show(100 * sure, 0)} %" for label, said, sure in told]
    title = "All networks agree that the label is wrong"
    said = "Beneath each: its label, what all networks say instead, and how sure they are on average."
    images = np.array(found["images"], np.uint8)
    return [montage(images, labels=captions, columns=5, invert=True, size=84, title=title, subtitle=said)]


LESSON = Lesson(
    question="Does it know when it is wrong?",
    claim=(
        "What comes out of softmax are probabilities. Taken at their word: of the predictions made with 80 % "
        "confidence, 80 % are right."
    ),
    source="Nielsen, chapter 3, “Softmax”; the original README, “Softmax for Output”",
    choices={
        "A": "Trained thoroughly, the network is less sure than it should be, by more than a point.",
        "B": "It is as sure as it should be, within a point.",
        "C": "It is surer than it should be, by more than a point.",
    },
    scales=scales(epochs=20),
    configs=configs,
    measure=measure,
    judge=judge,
    draw=draw,
    background="""
Softmax makes numbers that are positive and sum to one. That makes them look like probabilities; it does not make them
true. Whether they are can be measured: gather all predictions made with about 80 % confidence, and count; and so for
every range of confidence. The *expected calibration error* is the gap between mean confidence and share of right
answers in each range, averaged, each range counting by its number of predictions. Cross-entropy rewards honest
probabilities, but on the training images; and there a network that has learned them by heart is right, and sure.
""",
    method="""
The original network trains for {epochs} epochs twice: with its own rate of 0.01, and with 0.1, which fits the
training images far better. Confidence is then compared with truth on {validation} held-out images. The claim holds if
the calibration error is below two points for both. Then, of the {seeds} networks trained at 0.1, the mistakes that all
make with the same answer are looked at, the surest first; and they are shown 2,000 held-out images turned or made
noisy, as none were in training.
""",
    take_home={
        "does not hold": """
Not always. With η = 0.01 the calibration error is {original_error} points (right in {original_right} %), with η = 0.1
{thorough_error} (right in {thorough_right} %). Confidence exceeds truth by {original_excess} and {thorough_excess}
points (below zero it is too modest, above zero too sure). And on images unlike any it has learned from: turned by
{turned_at}°, the networks trained at 0.1 are right on {turned_right} % of them, at a mean confidence of {turned_sure}
%; under noise of {noisy_at} grey levels, on {noisy_right} % at {noisy_sure} %.

Not every mistake is one. Of a network's mistakes, {shared} % are shared by all networks, with the same answer; look at
the surest of them, and decide for yourself who is wrong, network or label.
""",
        "holds": """
On images like those it has learned from, yes: the calibration error is {original_error} points with η = 0.01 (right in
{original_right} %) and {thorough_error} with η = 0.1 (right in {thorough_right} %). But where they are turned by
{turned_at}°, the networks trained at 0.1 are right on {turned_right} % of them, at a mean confidence of {turned_sure}
%; under noise of {noisy_at} grey levels, on {noisy_right} % at {noisy_sure} %. Of a network's mistakes, {shared} % are
shared by all networks: look at the surest, and decide who is wrong, network or label.
""",
        "cannot tell": """
The calibration errors, {original_error} points with η = 0.01 and {thorough_error} with η = 0.1, are not both clearly on
one side of two points with {seeds} seeds; confidence exceeds truth by {original_excess} and {thorough_excess}. What is
plain: on images turned by {turned_at}°, the networks trained at 0.1 are right in {turned_right} %, at a mean confidence
of {turned_sure} %. Of a network's mistakes, {shared} % are shared by all.
""",
    },
    try_next="""
Does early stopping keep a network honest? `jaxquard train --learning-rate 0.1 --patience 3`, then `jaxquard evaluate
RUN --split validation`, which prints the calibration error. And label smoothing (`--label-smoothing 0.1`) forbids
certainty outright: does it end up too modest?
""",
)

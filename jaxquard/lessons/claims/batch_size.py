"""Lesson: how many images to a step?"""

from typing import TYPE_CHECKING

import numpy as np

from jaxquard.charts import Chart, lines
from jaxquard.config import Config
from jaxquard.lessons.experiment import Scale, final, scales
from jaxquard.lessons.figures import BAND, point, spread
from jaxquard.lessons.lesson import Finding, Lesson, Measured
from jaxquard.lessons.verdict import above, at_an_end, best, tuned

if TYPE_CHECKING:
    from jaxquard.lessons.lab import Lab

ORIGINAL = 128
SIZES = (16, 32, 64, 128, 256, 512)
RATES = (0.01, 0.03, 0.1, 0.3)
LARGE_RATES = (*RATES, 1.0)  # for batches of 128 and more, which bear larger steps
EQUAL_UPDATES = (32, 128, 512)
GROUPS = {"A": (16, 32), "B": (64, 128, 256), "C": (512,)}


def configs(scale: Scale) -> dict[str, Config]:
    """The original network at every batch size and rate, for equal epochs; and for as many updates as 128 makes."""
    sized = {
        size: Config(batch_size=size, seeds=scale.seeds, sweep=(("learning_rate", rates(size)),)) for size in SIZES
    }
    updates = scale.epochs * (scale.train // ORIGINAL)
    lengths = {size: max(1, round(updates / (scale.train // size))) for size in EQUAL_UPDATES if size != ORIGINAL}
    return {
        **{f"epochs {size}": config.replace(epochs=scale.epochs) for size, config in sized.items()},
        **{f"updates {size}": sized[size].replace(epochs=epochs) for size, epochs in lengths.items()},
    }


def rates(size: int) -> tuple[float, ...]:
    return LARGE_RATES if size >= ORIGINAL else RATES


def measure(lab: "Lab", configs: dict[str, Config]) -> Measured:
    """Final accuracies at every rate, (rates, seeds); and the seconds that each epoch took, for one network."""
    found: Measured = {}
    for label, config in configs.items():
        arms = list(lab.train(label, config, watch=False).values())
        found[label] = {"accuracy": [final(arm) for arm in arms], "seconds": arms[0]["seconds"]}
    return found


def accuracies(measured: Measured, kind: str) -> dict[int, np.ndarray]:
    """Held-out accuracy in %, by batch size, at the rate that is best for the other seeds."""
    alike = measured | {f"updates {ORIGINAL}": measured[f"epochs {ORIGINAL}"]}
    sizes = SIZES if kind == "epochs" else EQUAL_UPDATES
    return {size: tuned(np.array(alike[f"{kind} {size}"]["accuracy"])) for size in sizes}


def grouped(measured: Measured) -> dict[str, np.ndarray]:
    """The best that each group of batch sizes can do, chosen by the other seeds."""
    every = {
        letter: np.concatenate([measured[f"epochs {size}"]["accuracy"] for size in sizes])
        for letter, sizes in GROUPS.items()
    }
    return {letter: tuned(figures) for letter, figures in every.items()}


def seconds(measured: Measured, size: int) -> np.ndarray:
    """What each epoch took, for one network."""
    return np.array(measured[f"epochs {size}"]["seconds"])


def judge(measured: Measured) -> Finding:
    found, updates = accuracies(measured, "epochs"), accuracies(measured, "updates")
    anything = tuned(np.concatenate([measured[f"epochs {size}"]["accuracy"] for size in SIZES]))
    faster = seconds(measured, SIZES[0]) / seconds(measured, ORIGINAL)
    parts = [
        above(
            "batches of 128 less the best size for the other seeds, at equal epochs", found[ORIGINAL] - anything, -0.5
        ),
        above("how many times faster an epoch is with 128 than with 16 (n: epochs)", faster, 2, "times"),
    ]
    facts = {f"accuracy_{size}": spread(values) for size, values in found.items()}
    facts |= {f"updates_{size}": spread(values) for size, values in updates.items()}
    facts |= {"anything": spread(anything), "faster": spread(faster)}
    few, many = (len(measured[f"updates {size}"]["seconds"]) for size in (EQUAL_UPDATES[0], EQUAL_UPDATES[-1]))
    facts["times"] = f"{many / few:.3g}"
    facts["faster_512"] = spread(seconds(measured, ORIGINAL) / seconds(measured, SIZES[-1]))
    note = at_an_end(
        {f"equal {label.replace(' ', ', batches of ')}": arm["accuracy"] for label, arm in measured.items()}
    )
    return Finding(parts, best(grouped(measured)), facts, note)


def draw(measured: Measured) -> list[Chart]:
    return [_accuracy_chart(measured), _time_chart(measured)]


def _accuracy_chart(measured: Measured) -> Chart:
    x, y = "images in a batch", "accuracy (%)"
    rows = [
        point(values, y, **{x: size, "compared at": f"equal {kind}"})
        for kind in ("epochs", "updates")
        for size, values in accuracies(measured, kind).items()
    ]
    title = "Held-out accuracy by batch size"
    said = f"Each at its own best learning rate. {BAND}"
    return lines(rows, x, y, series="compared at", band=("low", "high"), log_x=True, title=title, subtitle=said)


def _time_chart(measured: Measured) -> Chart:
    x, y = "images in a batch", "seconds an epoch"
    rows = [point(seconds(measured, size), y, **{x: size}) for size in SIZES]
    title = "What an epoch costs one network"
    said = "On the machine named below. Mean over epochs; band: 99 % interval of the mean."
    return lines(rows, x, y, band=("low", "high"), log_x=True, title=title, subtitle=said)


LESSON = Lesson(
    question="How many images to a step?",
    claim="Batches of 128 are a good trade-off between the accuracy of the gradient and speed.",
    source=(
        "the original README, “Hyperparameters”; "
        "Nielsen, chapter 3, “How to choose a neural network's hyper-parameters?”"
    ),
    choices={
        "A": "After equal epochs, each at its own best rate, batches of 16 or 32 are clearly the most accurate.",
        "B": "Batches of 64 to 256 are.",
        "C": "Batches of 512 are.",
    },
    scales={**scales(epochs=8), "full": Scale(train=20_000, validation=10_000, epochs=12, seeds=10)},
    configs=configs,
    measure=measure,
    judge=judge,
    draw=draw,
    background="""
The gradient of one image points roughly downhill; the mean over a batch does so more exactly. But four times the
images only halve the error, and cost four times the work. So in the time of one good step one could take several
rough ones. What speaks for large batches is the machine: it multiplies large matrices more efficiently than many
small ones.
""",
    method="""
The original network, with batches from 16 to 512 images, plain SGD. At equal epochs ({epochs}) every size sees every
image equally often, and small batches make more updates; at equal updates the large ones see more images. A larger
batch bears a larger step, so each size gets, for each seed, the best of four rates for the other seeds, from 0.01 to
0.3, and from 128 on the best of five, up to 1. “A good trade-off” is taken to mean: at most half a point less accurate
than the best size, and an epoch at least twice as fast as with 16. The times are of this machine, one size after the
other; their interval does not cover what else it did.
""",
    take_home={
        "holds": """
128 reaches {accuracy_128} % where the best choice of all reaches {anything} %, and an epoch takes a fraction of what it
takes with 16: {faster} times less. At 512 it is {faster_512} times faster again, for {accuracy_512} %. At equal updates
32 get {updates_32} %, 512 get {updates_512} %, having gone through the images {times} times as often.
""",
        "does not hold": """
128 reaches {accuracy_128} %, the best choice of all {anything} %; batches of 16 get {accuracy_16} %, of 512
{accuracy_512} %. An epoch with 128 is {faster} times faster than with 16 on this machine, and with 512 {faster_512}
times faster again. At equal updates 32 get {updates_32} % and 512, which go through the images {times} times as often,
get {updates_512} %. The table says which half of the trade-off fails.
""",
        "cannot tell": """
128 reaches {accuracy_128} %, the best choice of all {anything} %; an epoch is {faster} times faster than with 16. The
table says which half of the trade-off is open.
""",
    },
    try_next="""
`jaxquard train --batch-size 4096 --sweep learning_rate=0.1,0.3,1`: is there a rate that makes up for so few updates?
And how long does an epoch take with `--batch-size 1`, which is what “stochastic” once meant?
""",
)

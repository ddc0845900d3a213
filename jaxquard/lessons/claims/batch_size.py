"""Lesson: how many images in a batch?"""

import numpy as np

from jaxquard.charts import Chart
from jaxquard.config import Config
from jaxquard.lessons.experiment import Scale, final, scales
from jaxquard.lessons.figures import curves, spread
from jaxquard.lessons.lesson import About, Finding, Lab, Measured
from jaxquard.lessons.verdict import above, at_an_end, best, tuned

ORIGINAL = 128
SIZES = (16, 32, 64, 128, 256, 512)
RATES = (0.01, 0.03, 0.1, 0.3)
LARGE_RATES = (*RATES, 1.0)  # for batches of 128 and more, which tolerate larger rates
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


def measure(lab: Lab, configs: dict[str, Config]) -> Measured:
    """Final accuracies at every rate, (rates, seeds); and the seconds of each epoch, for one network."""
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


def best_of(measured: Measured, sizes: tuple[int, ...]) -> np.ndarray:
    """Held-out accuracy in % at the size and rate that are best for the other seeds."""
    return tuned(np.concatenate([measured[f"epochs {size}"]["accuracy"] for size in sizes]))


def seconds(measured: Measured, size: int) -> np.ndarray:
    """The time of each epoch, for one network."""
    return np.array(measured[f"epochs {size}"]["seconds"])


def conclude(measured: Measured) -> Finding:
    found, updates = accuracies(measured, "epochs"), accuracies(measured, "updates")
    anything = best_of(measured, SIZES)
    faster = seconds(measured, SIZES[0]) / seconds(measured, ORIGINAL)
    what = "batches of 128 minus the best size for the other seeds, at equal epochs"
    parts = [
        above(what, found[ORIGINAL] - anything, -0.5),
        above("how many times faster an epoch is with 128 than with 16 (n: epochs)", faster, 2, "times"),
    ]
    facts = {f"accuracy_{size}": spread(values) for size, values in found.items()}
    facts |= {f"updates_{size}": spread(values) for size, values in updates.items()}
    facts |= {"anything": spread(anything), "faster": spread(faster)}
    few, many = (len(measured[f"updates {size}"]["seconds"]) for size in (EQUAL_UPDATES[0], EQUAL_UPDATES[-1]))
    facts["times"] = f"{many / few:.3g}"
    facts["faster_512"] = spread(seconds(measured, ORIGINAL) / seconds(measured, SIZES[-1]))
    ends = {f"equal {label.replace(' ', ', batches of ')}": arm["accuracy"] for label, arm in measured.items()}
    answer = best({letter: best_of(measured, sizes) for letter, sizes in GROUPS.items()})
    return Finding(parts, answer, facts, at_an_end(ends))


def draw(measured: Measured) -> list[Chart]:
    return [
        curves(
            "Held-out accuracy by batch size",
            {f"equal {kind}": accuracies(measured, kind) for kind in ("epochs", "updates")},
            "images in a batch",
            series="compared at",
            log_x=True,
            note="Each at its own best learning rate.",
        ),
        curves(
            "Time of an epoch, for one network",
            {"": {size: seconds(measured, size) for size in SIZES}},
            "images in a batch",
            "seconds an epoch",
            log_x=True,
            note="On the machine named below.",
            over="epochs",
        ),
    ]


ABOUT = About(
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
    scales=scales(epochs=8, full=12, images=20_000),
    background="""
The gradient of one image points roughly downhill. The mean over a batch is more exact, but four times the images only
halve the error and cost four times the work. In the time of one exact step there is time for several rough ones. But
large batches are more efficient: a processor multiplies one large matrix faster than many small ones.
""",
    method="""
The original network trains by plain SGD with batches from 16 to 512 images. At equal epochs ({epochs}), every size sees
every image equally often, and small batches make more updates. At equal updates, large batches see more images. Each
size trains at four rates from 0.01 to 0.3. Batches of 128 and more tolerate larger rates and also train at 1. For each
seed, the lesson uses the rate with the best mean accuracy of the *other* seeds. “A good trade-off” means here: at most
half a point less accurate than the best size, and epochs at least twice as fast as with 16. The times were measured on
one machine, one size after the other. Their intervals do not cover the effect of other programs on the machine.
""",
    take_home={
        "holds": "128 is a good trade-off in both respects.",
        "does not hold": "The table shows which half of the trade-off fails.",
        "cannot tell": "The table shows which half of the trade-off is open.",
    },
    results="""
Batches of 128 reach {accuracy_128} %, and the best size and rate {anything} %; batches of 16 reach {accuracy_16} %, of
512 {accuracy_512} %. On this machine an epoch with 128 is {faster} times faster than with 16, and with 512 again
{faster_512} times faster. At equal updates, batches of 32 reach {updates_32} %, and batches of 512, which see the
images {times} times as often, {updates_512} %.
""",
    try_next="""
`jaxquard train --batch-size 4096 --sweep learning_rate=0.1,0.3,1`: does any rate make up for so few updates? And how
long does an epoch take with `--batch-size 1`, the original meaning of “stochastic”?
""",
)

"""Lesson: how long is long enough, and how much data?"""

from typing import TYPE_CHECKING

import numpy as np

from jaxquard.charts import Chart, lines
from jaxquard.config import Config
from jaxquard.lessons.experiment import Scale, final
from jaxquard.lessons.figures import BAND, by_epoch, point, spread
from jaxquard.lessons.lesson import Finding, Lesson, Measured
from jaxquard.lessons.verdict import above, bracket

if TYPE_CHECKING:
    from jaxquard.lessons.lab import Lab

ORIGINAL = 20
PARTS = (64, 32, 16, 8, 4, 2, 1)  # of the training images: a 64th, a 32nd, …


def configs(scale: Scale) -> dict[str, Config]:
    """The original network for twice its epochs; and on parts of the images, for as many updates as 20 epochs make."""
    network = Config(seeds=scale.seeds)
    updates = ORIGINAL * (scale.train // network.batch_size)
    parts = [scale.train // part for part in PARTS if scale.train // part >= network.batch_size]
    lengths = {size: max(1, round(updates / (size // network.batch_size))) for size in parts}
    sized = {f"images {size}": network.replace(epochs=epochs) for size, epochs in lengths.items()}
    return {"long": network.replace(epochs=2 * ORIGINAL), **sized}


def measure(lab: "Lab", configs: dict[str, Config]) -> Measured:
    found: Measured = lab.train("long", configs["long"])
    for label, config in configs.items():
        if label != "long":
            arm = lab.train(label, config, images=int(label.split()[1]), watch=False)[label]
            found[label] = {"accuracy": final(arm)}
    return found


def by_size(measured: Measured) -> dict[int, np.ndarray]:
    """Held-out accuracy in % by number of training images."""
    return {int(label.split()[1]): np.array(arm["accuracy"]) for label, arm in measured.items() if label != "long"}


def judge(measured: Measured) -> Finding:
    ten, twenty, forty = (final(measured["long"], epoch - 1) for epoch in (10, 20, 40))
    parts = [
        above("10 epochs less 20", ten - twenty, -1),
        above("20 epochs less 10", twenty - ten, 0.2),
    ]
    sizes = by_size(measured)
    fewest, most = min(sizes), max(sizes)
    facts = {"ten": spread(ten), "twenty": spread(twenty), "forty": spread(forty)}
    facts |= {"gain": spread(twenty - ten), "gain_forty": spread(forty - twenty)}
    facts |= {"fewest": f"{fewest:,}", "with_fewest": spread(sizes[fewest]), "with_most": spread(sizes[most])}
    facts["doubling"] = spread(sizes[most] - sizes[most // 2])
    return Finding(parts, bracket(twenty - ten, (-0.2, 0.2, 1), "DCBA"), facts)


def draw(measured: Measured) -> list[Chart]:
    return [_epochs_chart(measured), _sizes_chart(measured)]


def _epochs_chart(measured: Measured) -> Chart:
    long, y = measured["long"], "accuracy (%)"
    curves = {"held out": "accuracy", "training": "train_accuracy"}
    rows = [row for name, curve in curves.items() for row in by_epoch(long, y, curve, images=name)]
    title = "Accuracy by epoch, for twice the original number of epochs"
    return lines(rows, "epoch", y, series="images", band=("low", "high"), title=title, subtitle=BAND)


def _sizes_chart(measured: Measured) -> Chart:
    x, y = "training images", "accuracy (%)"
    rows = [point(values, y, **{x: size}) for size, values in sorted(by_size(measured).items())]
    title = "Held-out accuracy by number of training images"
    said = f"All with the same number of updates. {BAND}"
    return lines(rows, x, y, band=("low", "high"), log_x=True, title=title, subtitle=said)


LESSON = Lesson(
    question="How many epochs are enough?",
    claim="Ten epochs are sufficient, but twenty improve the score.",
    source="the original README, “Hyperparameters”",
    choices={
        "A": "From epoch 10 to 20 the held-out accuracy rises by more than 1 point.",
        "B": "It rises by 0.2 to 1 point.",
        "C": "It changes by less than 0.2 points.",
        "D": "It falls: the network has begun to overfit.",
    },
    scales={
        "quick": Scale(train=1_000, validation=1_000, epochs=2 * ORIGINAL, seeds=5),
        "default": Scale(train=10_000, validation=5_000, epochs=2 * ORIGINAL, seeds=5),
        "full": Scale(train=50_000, validation=10_000, epochs=2 * ORIGINAL, seeds=10),
    },
    configs=configs,
    measure=measure,
    judge=judge,
    draw=draw,
    background="""
An epoch is one pass over the training images. At first every pass helps; later the network learns more about the images
it sees than about clothes, and held-out images no longer profit. When that happens is a matter of the data, the network
and the learning rate, and only held-out images show it: the accuracy on training images goes on rising.

The same question can be asked of the data: would more images help, or have those that there are said all they can?
""",
    method="""
The original network at its own settings (plain SGD, rate 0.01, batches of 128) trains for {epochs} epochs.
“Sufficient” is taken to mean within one point of 20 epochs, “improve” more than 0.2 points. Then the same network
learns from ever smaller parts of the images. Fewer images make fewer updates an epoch, so the small parts are shown
more often: all networks make as many updates as 20 epochs of everything.
""",
    take_home={
        "holds": """
Both halves hold: {ten} % after 10 epochs, {twenty} % after 20, a gain of {gain} points. 40 epochs reach {forty} %, a
change of {gain_forty} points; see the lesson on learning rates before training longer. Data is the other lever:
{fewest} images give {with_fewest} %, all of them {with_most} %, and the last doubling brought {doubling} points.
""",
        "does not hold": """
10 epochs reach {ten} %, 20 reach {twenty} %: a gain of {gain} points. The table says which half fails. 40 epochs reach
{forty} %, a change of {gain_forty} points. Data is the other lever: {fewest} images give {with_fewest} %, all of them
{with_most} %, and the last doubling brought {doubling} points.
""",
        "cannot tell": """
10 epochs reach {ten} %, 20 reach {twenty} %: a gain of {gain} points; 40 reach {forty} %. Data is the other lever:
{fewest} images give {with_fewest} %, all of them {with_most} %.
""",
    },
    try_next="""
`jaxquard train --epochs 200 --validation 5000 --patience 10` stops by itself. When? And with `--learning-rate 0.1`:
does it get there sooner, and does it get further?
""",
)

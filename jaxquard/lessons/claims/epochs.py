"""Lesson: how many epochs, and how many images?"""

import numpy as np

from jaxquard.charts import Chart
from jaxquard.config import Config
from jaxquard.lessons.experiment import Scale, final, scales
from jaxquard.lessons.figures import by_epoch, curves, spread
from jaxquard.lessons.lesson import About, Finding, Lab, Measured
from jaxquard.lessons.verdict import above, bracket

ORIGINAL = 20
PARTS = (64, 32, 16, 8, 4, 2, 1)  # of the training images: a 64th, a 32nd, …


def configs(scale: Scale) -> dict[str, Config]:
    """The original network for twice its epochs; and on parts of the images, with the same number of updates."""
    network = Config(seeds=scale.seeds)
    updates = ORIGINAL * (scale.train // network.batch_size)
    parts = [scale.train // part for part in PARTS if scale.train // part >= network.batch_size]
    lengths = {size: max(1, round(updates / (size // network.batch_size))) for size in parts}
    sized = {f"images {size}": network.replace(epochs=epochs) for size, epochs in lengths.items()}
    return {"long": network.replace(epochs=2 * ORIGINAL), **sized}


def measure(lab: Lab, configs: dict[str, Config]) -> Measured:
    found: Measured = lab.train("long", configs["long"])
    for label, config in configs.items():
        if label != "long":
            arm = lab.train(label, config, images=int(label.split()[1]), watch=False)[label]
            found[label] = {"accuracy": final(arm)}
    return found


def by_size(measured: Measured) -> dict[int, np.ndarray]:
    """Held-out accuracy in % by number of training images."""
    return {int(label.split()[1]): np.array(arm["accuracy"]) for label, arm in measured.items() if label != "long"}


def conclude(measured: Measured) -> Finding:
    ten, twenty, forty = (final(measured["long"], epoch - 1) for epoch in (10, 20, 40))
    parts = [
        above("10 epochs minus 20", ten - twenty, -1),
        above("20 epochs minus 10", twenty - ten, 0.2),
    ]
    sizes = by_size(measured)
    fewest, most = min(sizes), max(sizes)
    facts = {"ten": spread(ten), "twenty": spread(twenty), "forty": spread(forty)}
    facts |= {"gain": spread(twenty - ten), "gain_forty": spread(forty - twenty)}
    facts |= {"fewest": f"{fewest:,}", "with_fewest": spread(sizes[fewest]), "with_most": spread(sizes[most])}
    facts["doubling"] = spread(sizes[most] - sizes[most // 2])
    return Finding(parts, bracket(twenty - ten, (-0.2, 0.2, 1), "DCBA"), facts)


def draw(measured: Measured) -> list[Chart]:
    kinds = {"held out": "accuracy", "training": "train_accuracy"}
    return [
        curves(
            "Accuracy by epoch, for twice the original number of epochs",
            {name: by_epoch(measured["long"], curve) for name, curve in kinds.items()},
            series="images",
        ),
        curves(
            "Held-out accuracy by number of training images",
            {"": dict(sorted(by_size(measured).items()))},
            "training images",
            log_x=True,
            note="All with the same number of updates.",
        ),
    ]


ABOUT = About(
    question="How many epochs are enough?",
    claim="Ten epochs are sufficient, but twenty improve the score.",
    source="the original README, “Hyperparameters”",
    choices={
        "A": "From epoch 10 to 20 the held-out accuracy rises by more than 1 point.",
        "B": "It rises by 0.2 to 1 point.",
        "C": "It changes by less than 0.2 points.",
        "D": "It falls: the network has begun to overfit.",
    },
    scales=scales(epochs=2 * ORIGINAL, quick=2 * ORIGINAL),
    background="""
An epoch is one pass over the training images. At first every pass helps. Later the network learns more about these
images than about clothes in general, and its accuracy on held-out images stops rising. When this happens depends on the
data, the network and the learning rate. Only held-out images show it: the accuracy on training images continues to
rise.

The number of images raises the same question: would more of them help?
""",
    method="""
The original network at its own settings (plain SGD, rate 0.01, batches of 128) trains for {epochs} epochs. “Sufficient”
means here within one point of 20 epochs, and “improve” more than 0.2 points. Then the same network trains on ever
smaller parts of the images. A smaller part makes fewer updates in an epoch, so it is used for more epochs: all networks
make as many updates as 20 epochs of all images.
""",
    take_home={
        "holds": "Both halves hold. Before training longer, see the lesson on learning rates.",
        "does not hold": "The table shows which half fails.",
        "cannot tell": "The table shows which half is open.",
    },
    results="""
The accuracy is {ten} % after 10 epochs and {twenty} % after 20, a gain of {gain} points; 40 epochs reach {forty} %, a
change of {gain_forty} points. The other way to a higher accuracy is more images: {fewest} images give {with_fewest} %,
all of them {with_most} %, and the last doubling gained {doubling} points.
""",
    try_next="""
`jaxquard train --epochs 200 --validation 5000 --patience 10` stops by itself. When? And does it stop earlier, or at a
higher accuracy, with `--learning-rate 0.1`?
""",
)

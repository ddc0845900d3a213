"""Lesson: what helps when there are only a thousand images?"""

import numpy as np

from jaxquard.charts import Chart
from jaxquard.config import Config
from jaxquard.lessons.experiment import Arm, Scale, finals
from jaxquard.lessons.figures import by_epoch, curves, dots, spread
from jaxquard.lessons.lesson import About, Finding, Lab, Measured, train_all
from jaxquard.lessons.verdict import above, at_an_end, best, tuned

REMEDIES = {"L2": "A", "dropout": "B", "more data": "C", "early stopping": "D"}
STRENGTHS = {"L2": ("l2", (0.001, 0.003, 0.01, 0.03)), "dropout": ("dropout", (0.2, 0.35, 0.5, 0.65))}
POINTS = 40  # kept of a curve
WORSE = 0.05  # nats; a larger rise of the held-out loss counts as overfitting


def configs(scale: Scale) -> dict[str, Config]:
    """Small batches and a rate high enough to memorise a thousand images; each remedy by itself."""
    plain = Config(batch_size=32, learning_rate=0.03, seeds=scale.seeds, epochs=scale.epochs)
    swept = {name: plain.replace(sweep=(strengths,)) for name, strengths in STRENGTHS.items()}
    return {"plain": plain, **swept, "more data": plain.replace(flip=True, shift=2)}


def measure(lab: Lab, configs: dict[str, Config]) -> Measured:
    every = max(1, lab.scale.epochs // POINTS)
    kept = ("accuracy", "loss", "train_accuracy", "train_loss")
    thinned = {
        name: arm | {curve: [row[every - 1 :: every] for row in arm[curve]] for curve in kept}
        for name, arm in train_all(lab, configs).items()
    }
    return {"every": every, **thinned}


def stopped(plain: Arm) -> np.ndarray:
    """Accuracy in % at the epoch after which the *other* seeds' held-out loss was lowest."""
    return tuned(100 * np.array(plain["accuracy"]).T, merit=-np.array(plain["loss"]).T)


def accuracies(measured: Measured) -> dict[str, np.ndarray]:
    """Held-out accuracy in % by remedy, each at the strength that was best for the other seeds."""
    found = {name: tuned(finals(measured, name)) for name in ("plain", "L2", "dropout", "more data")}
    return found | {"early stopping": stopped(measured["plain"])}


def rise(plain: Arm) -> np.ndarray:
    """Held-out loss at the end less its lowest, in nats, by seed."""
    losses = np.array(plain["loss"])
    return losses[:, -1] - losses.min(axis=1)


def conclude(measured: Measured) -> Finding:
    found, plain = accuracies(measured), measured["plain"]
    gains = {name: found[name] - found["plain"] for name in REMEDIES}
    overfits = above("rise of the held-out loss from its lowest to the end", rise(plain), WORSE, "nats")
    parts = [above(f"{name} minus no remedy", gain, 0) for name, gain in gains.items()]
    key = {"L2": "l2", "dropout": "dropout", "more data": "more", "early stopping": "early"}
    facts = {f"{key[name]}_gain": spread(gain) for name, gain in gains.items()}
    facts |= {
        "plain": spread(found["plain"]),
        "seen": spread(100 * np.array(plain["train_accuracy"])[:, -1]),
        "rise": spread(rise(plain), 2),
        "stop": str(measured["every"] * (1 + int(np.array(plain["loss"]).mean(axis=0).argmin()))),
        **{f"best_{setting}": f"{strength(measured, name):g}" for name, (setting, _) in STRENGTHS.items()},
    }
    winner = best({name: found[name] for name in REMEDIES})
    note = at_an_end({name: finals(measured, name) for name in STRENGTHS})
    return Finding([overfits, *parts], REMEDIES[winner] if winner else None, facts, note)


def strength(measured: Measured, remedy: str) -> float:
    """The one that ends best on average."""
    return STRENGTHS[remedy][1][finals(measured, remedy).mean(axis=1).argmax()]


def draw(measured: Measured) -> list[Chart]:
    kinds = {"train_accuracy": "training images", "accuracy": "held-out images"}
    chosen = {"no remedy": measured["plain"], "more data": measured["more data"]}
    for remedy, (setting, _) in STRENGTHS.items():
        best = f"{strength(measured, remedy):g}"
        chosen[f"{remedy} {best}"] = measured[f"{remedy} {setting}={best}"]
    every = measured["every"]
    return [
        curves(
            "Accuracy on training images and on held-out images, without a remedy",
            {name: by_epoch(measured["plain"], curve, every) for curve, name in kinds.items()},
            series="images",
        ),
        curves(
            "Held-out loss by epoch, each remedy at its best strength",
            {name: by_epoch(arm, "loss", every) for name, arm in chosen.items()},
            y="loss (nats)",
            series="remedy",
        ),
        dots(
            "Accuracy at the end, by remedy",
            {name.replace("plain", "no remedy"): values for name, values in accuracies(measured).items()},
        ),
    ]


ABOUT = About(
    question="What helps when there are only a thousand images?",
    claim="Each of four remedies for overfitting helps: L2, dropout, artificially more data, and stopping early.",
    source="Nielsen, chapter 3, “Overfitting and regularization” and “Other techniques for regularization”",
    choices={
        "A": "L2 helps most.",
        "B": "Dropout helps most.",
        "C": "More data, by mirroring and moving images, helps most.",
        "D": "Stopping early helps most.",
    },
    scales={
        "quick": Scale(train=1_000, validation=1_000, epochs=40, seeds=5),
        "default": Scale(train=1_000, validation=5_000, epochs=80, seeds=5),
        "full": Scale(train=1_000, validation=5_000, epochs=160, seeds=10),
    },
    background="""
A hundred thousand weights can memorise a thousand images. At first the network learns what is true of clothes in
general; later, more and more, what is true of these images alone. There are three signs. The network is right on all
training images. The held-out accuracy stops rising. And the held-out loss, which also counts how *confident* a wrong
answer was, begins to rise.

*L2* makes large weights costly. *Dropout* trains a different part of the network in each step, so that no unit can rely
on another. *More data* mirrors images and moves them by up to two pixels: each epoch uses one of fifty variants of each
image. *Early stopping* takes the network as it was before the loss rose.
""",
    method="""
The original network trains for {epochs} epochs on the same {train} images, in batches of 32 at a rate of 0.03, without
a remedy and with each of the four. L2 and dropout are tried at four strengths each. For each seed, the lesson uses the
strength with the best mean accuracy of the *other* seeds. For early stopping, it uses the epoch with the lowest mean
held-out loss of the other seeds. The claim holds if the network overfits (its held-out loss rises by more than 0.05
nats, the unit of a loss by natural logarithms), and if each remedy ends with a higher accuracy than none. The seeds
differ in initial weights and order of images, not in the choice of the thousand images.
""",
    take_home={
        "holds": "All four help.",
        "does not hold": """
The table shows which part fails. A network that overfits may be wrong only a little more often, but with much more
confidence.
""",
        "cannot tell": "With {seeds} seeds, at least one of the gains is not certain.",
    },
    results="""
Without a remedy, {seen} % of the training images and {plain} % of the held-out images are right, and the held-out loss
rises by {rise} nats from its lowest value. L2 gains {l2_gain} points, dropout {dropout_gain}, mirrored and moved images
{more_gain}, and stopping early (here after about {stop} epochs) {early_gain}.
""",
    try_next="""
The best remedy is more real data. The lesson on the number of epochs has a curve of accuracy by number of images: how
many more real images would gain as much as the best remedy here?
""",
)

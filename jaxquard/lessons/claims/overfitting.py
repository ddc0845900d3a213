"""Lesson: what helps when there are only a thousand images?"""

from typing import TYPE_CHECKING

import numpy as np

from jaxquard.charts import Chart, dot_plot, lines
from jaxquard.config import Config
from jaxquard.lessons.experiment import Arm, Scale, finals
from jaxquard.lessons.figures import BAND, BAR, by_epoch, dot, spread
from jaxquard.lessons.lesson import Finding, Lesson, Measured
from jaxquard.lessons.verdict import above, at_an_end, best, tuned

if TYPE_CHECKING:
    from jaxquard.lessons.lab import Lab

CURES = {"L2": "A", "dropout": "B", "more data": "C", "early stopping": "D"}
STRENGTHS = {"L2": ("l2", (0.001, 0.003, 0.01, 0.03)), "dropout": ("dropout", (0.2, 0.35, 0.5, 0.65))}
POINTS = 40  # of a curve that are kept
WORSE = 0.05  # nats by which the loss must rise again before it is called overfitting


def configs(scale: Scale) -> dict[str, Config]:
    """Small batches and a rate high enough to learn a thousand images by heart; each cure on its own."""
    plain = Config(batch_size=32, learning_rate=0.03, seeds=scale.seeds, epochs=scale.epochs)
    swept = {name: plain.replace(sweep=(strengths,)) for name, strengths in STRENGTHS.items()}
    return {"plain": plain, **swept, "more data": plain.replace(flip=True, shift=2)}


def measure(lab: "Lab", configs: dict[str, Config]) -> Measured:
    arms = {name: arm for label, config in configs.items() for name, arm in lab.train(label, config).items()}
    every = max(1, lab.scale.epochs // POINTS)
    curves = ("accuracy", "loss", "train_accuracy", "train_loss")
    thinned = {
        name: arm | {curve: [row[every - 1 :: every] for row in arm[curve]] for curve in curves}
        for name, arm in arms.items()
    }
    return {"every": every, **thinned}


def stopped(plain: Arm) -> np.ndarray:
    """Accuracy in % at the epoch after which the *other* seeds' held-out loss was lowest."""
    return tuned(100 * np.array(plain["accuracy"]).T, merit=-np.array(plain["loss"]).T)


def accuracies(measured: Measured) -> dict[str, np.ndarray]:
    """Held-out accuracy in % by cure, each at the strength that was best for the other seeds."""
    found = {name: tuned(finals(measured, name)) for name in ("plain", "L2", "dropout", "more data")}
    return found | {"early stopping": stopped(measured["plain"])}


def rise(plain: Arm) -> np.ndarray:
    """Held-out loss at the end less its lowest, in nats, by seed."""
    losses = np.array(plain["loss"])
    return losses[:, -1] - losses.min(axis=1)


def judge(measured: Measured) -> Finding:
    found, plain = accuracies(measured), measured["plain"]
    gains = {name: found[name] - found["plain"] for name in CURES}
    overfits = above("rise of the held-out loss from its lowest to the end", rise(plain), WORSE, "nats")
    parts = [above(f"{name} less no cure", gain, 0) for name, gain in gains.items()]
    key = {"L2": "l2", "dropout": "dropout", "more data": "more", "early stopping": "early"}
    facts = {f"{key[name]}_gain": spread(gain) for name, gain in gains.items()}
    facts |= {
        "plain": spread(found["plain"]),
        "seen": spread(100 * np.array(plain["train_accuracy"])[:, -1]),
        "rise": spread(rise(plain), 2),
        "stop": str(measured["every"] * (1 + int(np.array(plain["loss"]).mean(axis=0).argmin()))),
        **{f"best_{setting}": f"{strength(measured, name):g}" for name, (setting, _) in STRENGTHS.items()},
    }
    winner = best({name: found[name] for name in CURES})
    note = at_an_end({name: finals(measured, name) for name in STRENGTHS})
    return Finding([overfits, *parts], CURES[winner] if winner else None, facts, note)


def strength(measured: Measured, cure: str) -> float:
    """The one that ends best on average."""
    return STRENGTHS[cure][1][finals(measured, cure).mean(axis=1).argmax()]


def draw(measured: Measured) -> list[Chart]:
    chosen = {"no cure": measured["plain"], "more data": measured["more data"]} | {
        f"{cure} {strength(measured, cure):g}": measured[f"{cure} {setting}={strength(measured, cure):g}"]
        for cure, (setting, _) in STRENGTHS.items()
    }
    return [_gap_chart(measured), _loss_chart(measured, chosen), _accuracy_chart(measured)]


def _gap_chart(measured: Measured) -> Chart:
    y, plain, every = "accuracy (%)", measured["plain"], measured["every"]
    named = {"train_accuracy": "training images", "accuracy": "held-out images"}
    rows = [row for curve, name in named.items() for row in by_epoch(plain, y, curve, images=name)]
    rows = [row | {"epoch": row["epoch"] * every} for row in rows]
    title = "Without a cure: images seen and images held out"
    return lines(rows, "epoch", y, series="images", band=("low", "high"), title=title, subtitle=BAND)


def _loss_chart(measured: Measured, chosen: dict[str, Arm]) -> Chart:
    y, every = "loss (nats)", measured["every"]
    rows = [row for name, arm in chosen.items() for row in by_epoch(arm, y, "loss", cure=name)]
    rows = [row | {"epoch": row["epoch"] * every} for row in rows]
    title = "Held-out loss by epoch, each cure at its best strength"
    return lines(rows, "epoch", y, series="cure", band=("low", "high"), title=title, subtitle=BAND)


def _accuracy_chart(measured: Measured) -> Chart:
    rows = [dot(values, name.replace("plain", "no cure")) for name, values in accuracies(measured).items()]
    return dot_plot(rows, title="Where each cure ends", x_title="held-out accuracy (%)", interval=BAR)


LESSON = Lesson(
    question="What helps when there are only a thousand images?",
    claim="Each of four cures for overfitting helps: L2, dropout, artificially more data, and stopping early.",
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
    configs=configs,
    measure=measure,
    judge=judge,
    draw=draw,
    background="""
A hundred thousand weights can learn a thousand images by heart. What they learn at first is true of clothes in
general; later, more and more, it is true of these thousand. The signs: the training images are all right, the held-out
ones no longer improve, and the held-out loss, which also counts how *sure* a wrong answer was, begins to rise.

*L2* makes large weights costly. *Dropout* trains a different part of the network in each step, so that no unit can rely
on another. *More data* shows each image mirrored and moved by up to two pixels, in one of fifty variants each time.
*Early stopping* takes the network as it was before the loss rose.
""",
    method="""
The original network trains for {epochs} epochs on the same {train} images, in batches of 32 at a rate of 0.03, without
a cure and with each of them. L2 and dropout have four strengths each; what counts for a seed is the one that was best
for the *other* seeds, and in the same way it stops after the epoch at which the others' held-out loss was lowest. The
claim holds if the network does overfit (its held-out loss rises by more than 0.05 nats, the unit of a loss by natural
logarithms) and each cure ends with a higher accuracy than none. Seeds differ in first weights and order of images, not
in which thousand images they are.
""",
    take_home={
        "holds": """
All four help. Without a cure, {seen} % of the training images and {plain} % of the others are right, and the held-out
loss rises by {rise} nats. L2 gains {l2_gain} points, dropout {dropout_gain}, mirrored and moved images {more_gain},
stopping early (here after about {stop} epochs) {early_gain}.
""",
        "does not hold": """
Not all of them help, as far as accuracy goes. Without a cure, {seen} % of the training images and {plain} % of the
others are right. L2 gains {l2_gain} points, dropout {dropout_gain}, mirrored and moved images {more_gain}, stopping
early (here after about {stop} epochs) {early_gain}. The held-out loss rises by {rise} nats from its lowest: a network
that overfits may lose little in how often it is right and much in how sure it is when it is wrong.
""",
        "cannot tell": """
Without a cure, {seen} % of the training images and {plain} % of the others are right, and the held-out loss rises by
{rise} nats. L2 gains {l2_gain} points, dropout {dropout_gain}, mirrored and moved images {more_gain}, stopping early
(here after about {stop} epochs) {early_gain}: with {seeds} seeds, at least one of these is not certain to be a gain at
all.
""",
    },
    try_next="""
The best cure is more data of the true kind. In the lesson on the number of epochs there is a curve of accuracy against
the number of images: how many more real images would gain as much as the best cure here?
""",
)

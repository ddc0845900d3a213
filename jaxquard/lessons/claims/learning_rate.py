"""Lesson: how large should a step be?"""

from typing import TYPE_CHECKING

import numpy as np

from jaxquard.charts import Chart, lines
from jaxquard.config import Config
from jaxquard.lessons.experiment import Scale, final, scales
from jaxquard.lessons.figures import BAND, point, spread
from jaxquard.lessons.lesson import Finding, Lesson, Measured
from jaxquard.lessons.verdict import above, at_an_end, bracket, tuned

if TYPE_CHECKING:
    from jaxquard.lessons.lab import Lab

RATES = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
ORIGINAL = 0.01
FIRST, FACTOR, RISES = 1e-5, 1.2, 76  # the range test climbs from FIRST to FIRST · FACTOR⁷⁵ ≈ 9
UPDATES = 5  # at each rate of the range test


def configs(scale: Scale) -> dict[str, Config]:
    """The original network at every rate; and once with a rate that only rises, a notch after each short epoch."""
    rising = Config(schedule="step", learning_rate=FIRST, decay_every=1, decay_factor=FACTOR, epochs=RISES)
    return {
        "sweep": Config(seeds=scale.seeds, epochs=scale.epochs, sweep=(("learning_rate", RATES),)),
        "range test": rising.replace(seeds=scale.seeds),
    }


def measure(lab: "Lab", configs: dict[str, Config]) -> Measured:
    sweep, rising = configs["sweep"], configs["range test"]
    found = lab.train("sweep", sweep)
    images = UPDATES * rising.batch_size
    return found | lab.train("range test", rising, images=images, watch=False)


def accuracies(measured: Measured) -> np.ndarray:
    """Held-out accuracy in %, (rates, seeds)."""
    return np.stack([final(measured[f"sweep learning_rate={rate:g}"]) for rate in RATES])


def range_test(measured: Measured) -> tuple[np.ndarray, np.ndarray]:
    """The rates climbed, and the training loss at each: (notches,), (seeds, notches); NaN where it was not finite."""
    rows = measured["range test"]["train_loss"]
    longest = max(map(len, rows))
    losses = np.array([row + [None] * (longest - len(row)) for row in rows], np.float64)
    return FIRST * FACTOR ** np.arange(longest), losses


def suggested(measured: Measured) -> np.ndarray:
    """What the range test advises, by seed: half of the rate at which the loss was lowest."""
    rates, losses = range_test(measured)
    return rates[np.nanargmin(losses, axis=1)] / 2


def judge(measured: Measured) -> Finding:
    found, rates = accuracies(measured), np.array(RATES)
    original = found[RATES.index(ORIGINAL)]
    best = rates[found.argmax(axis=0)]
    part = above(f"η = {ORIGINAL:g} less the best rate for the other seeds", original - tuned(found), -0.5)
    advice = 10 ** np.mean(np.log10(suggested(measured)))
    nearest = np.abs(np.log10(rates / advice)).argmin()
    facts = {
        "original": spread(original),
        "tuned": spread(tuned(found)),
        "best": f"{rates[found.mean(axis=1).argmax()]:g}",
        "smallest": spread(found[0]),
        "largest": spread(found[-1]),
        "advice": f"{advice:.2g}",
        "nearest": f"{rates[nearest]:g}",
        "advised": spread(found[nearest]),
    }
    answer = bracket(np.log10(best), np.log10([0.005, 0.02]), "ABC")
    return Finding([part], answer, facts, at_an_end({"the original network": found}))


def draw(measured: Measured) -> list[Chart]:
    return [_sweep_chart(accuracies(measured)), _range_chart(*range_test(measured))]


def _sweep_chart(found: np.ndarray) -> Chart:
    x, y = "learning rate η", "accuracy (%)"
    rows = [point(values, y, **{x: rate}) for rate, values in zip(RATES, found, strict=True)]
    title = "Held-out accuracy by learning rate"
    return lines(rows, x, y, band=("low", "high"), log_x=True, title=title, subtitle=BAND)


def _range_chart(rates: np.ndarray, losses: np.ndarray) -> Chart:
    x, y = "learning rate η", "training loss"
    notches = [
        (rate, values)
        for rate, values in zip(rates.tolist(), losses.T, strict=True)
        if np.isfinite(values).all() and values.mean() < 2 * losses[:, 0].mean()
    ]
    rows = [point(values, y, **{x: rate}) for rate, values in notches]
    title = "The range test: training loss while the rate rises"
    said = f"{UPDATES} updates at each rate. {BAND}"
    return lines(rows, x, y, band=("low", "high"), log_x=True, title=title, subtitle=said)


LESSON = Lesson(
    question="How large should a step be?",
    claim="A learning rate of 0.01 is a good balance between speed and stability.",
    source=(
        "the original README, “Hyperparameters”; "
        "Nielsen, chapter 3, “How to choose a neural network's hyper-parameters?”"
    ),
    choices={
        "A": "The best rate for this network is smaller than 0.005.",
        "B": "It lies between 0.005 and 0.02.",
        "C": "It is larger than 0.02.",
    },
    scales=scales(epochs=10, full=20),
    configs=configs,
    measure=measure,
    judge=judge,
    draw=draw,
    background="""
The gradient says which way is down, not how far to go. A step η times the gradient that is too small wastes time; one
that is too large jumps across the valley and lands higher up the other side, and the next jump is larger still. Between
the two lies a range of rates that work, and since nobody knows it beforehand, it is searched on a logarithmic scale.

A shortcut is the *range test*: train once, with a rate that rises all the time, and watch the loss. It stays, falls,
and at some rate shoots up.
""",
    method="""
The original network (784–128–64–10, ReLU, plain SGD, batches of 128) trains for {epochs} epochs at each of ten rates
from far too small to far too large. “The best rate” is chosen, for each seed, by the *other* seeds, so that luck is not
taken for merit. To hold, the claim may fall short of it by half a point. The range test takes five updates at each
rate, on the same 640 images over and over, and then raises it by a fifth; the advice it gives here is half the rate at
which the loss was lowest (Nielsen's factor of two below the threshold), found for each seed by itself and then averaged
on the logarithmic scale.
""",
    take_home={
        "does not hold": """
0.01 is not the balance: it ends at {original} %, while the rate that was best for the other seeds ({best} has the best
mean) ends at {tuned} % in the same time. At the two ends of the range, the smallest rate gets {smallest} % and the
largest {largest} % (a network that diverges counts as 0). The range test, for a fraction of the work, advises {advice}
on average; the nearest rate in the sweep, {nearest}, gets {advised} %. A rate is only good for its network, batch size
and number of epochs.
""",
        "holds": """
0.01 ends at {original} %, the rate that was best for the other seeds ({best} has the best mean) at {tuned} %. At the
two ends of the range, the smallest gets {smallest} % and the largest {largest} % (a network that diverges counts as 0).
The range test advises {advice}.
""",
    },
    try_next="""
`jaxquard train --seeds 5 --sweep learning_rate=0.01,0.03,0.1,0.3` repeats the middle of the sweep, and ends in a
ranking that tells a win from noise. Then with `--batch-size 512`: does the best rate move? And with `--epochs 100`:
does it matter less?
""",
)

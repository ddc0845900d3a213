"""Lesson: which learning rate?"""

import numpy as np

from jaxquard.charts import Chart
from jaxquard.config import Config
from jaxquard.lessons.experiment import Scale, finals, scales
from jaxquard.lessons.figures import curves, spread
from jaxquard.lessons.lesson import About, Finding, Lab, Measured
from jaxquard.lessons.verdict import above, at_an_end, bracket, tuned

RATES = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
ORIGINAL = 0.01
FIRST, FACTOR, RISES = 1e-5, 1.2, 76  # the range test climbs from FIRST to FIRST · FACTOR⁷⁵ ≈ 9
UPDATES = 5  # at each rate of the range test


def configs(scale: Scale) -> dict[str, Config]:
    """The original network at every rate; and once with a rate that rises after each short epoch."""
    rising = Config(schedule="step", learning_rate=FIRST, decay_every=1, decay_factor=FACTOR, epochs=RISES)
    return {
        "sweep": Config(seeds=scale.seeds, epochs=scale.epochs, sweep=(("learning_rate", RATES),)),
        "range test": rising.replace(seeds=scale.seeds),
    }


def measure(lab: Lab, configs: dict[str, Config]) -> Measured:
    sweep, rising = configs["sweep"], configs["range test"]
    found = lab.train("sweep", sweep)
    images = UPDATES * rising.batch_size
    return found | lab.train("range test", rising, images=images, watch=False)


def range_test(measured: Measured) -> tuple[np.ndarray, np.ndarray]:
    """The rates, and the training loss at each: (rates,), (seeds, rates); NaN where it was not finite."""
    rows = measured["range test"]["train_loss"]
    longest = max(map(len, rows))
    losses = np.array([row + [None] * (longest - len(row)) for row in rows], np.float64)
    return FIRST * FACTOR ** np.arange(longest), losses


def suggested(measured: Measured) -> np.ndarray:
    """The advice of the range test, by seed: half of the rate at which the loss was lowest."""
    rates, losses = range_test(measured)
    return rates[np.nanargmin(losses, axis=1)] / 2


def conclude(measured: Measured) -> Finding:
    found, rates = finals(measured, "sweep"), np.array(RATES)
    original = found[RATES.index(ORIGINAL)]
    best = rates[found.argmax(axis=0)]
    part = above(f"accuracy at η = {ORIGINAL:g} minus accuracy at the best rate", original - tuned(found), -0.5)
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
    sweep = dict(zip(RATES, finals(measured, "sweep"), strict=True))
    rates, losses = range_test(measured)
    rising = {
        rate: values
        for rate, values in zip(rates.tolist(), losses.T, strict=True)
        if np.isfinite(values).all() and values.mean() < 2 * losses[:, 0].mean()
    }
    x, title = "learning rate η", "The range test: training loss while the rate rises"
    return [
        curves("Held-out accuracy by learning rate", {"": sweep}, x, log_x=True),
        curves(title, {"": rising}, x, "training loss", log_x=True, note=f"{UPDATES} updates at each rate."),
    ]


ABOUT = About(
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
    background="""
A step changes the weights by −η times the gradient. The gradient gives the direction, and the learning rate η decides
how long the step is. If η is too small, training takes too long. If η is too large, a step goes past the minimum to
weights with a higher loss and a larger gradient, so the next step is even longer. Between these two there is a range of
rates that work. The range is not known in advance, so we try rates on a logarithmic scale.

The *range test* is a shortcut: train once, increase the rate all the time, and watch the loss. At first the loss hardly
changes, then it falls, and at some rate it rises steeply.
""",
    method="""
The original network (784–128–64–10, ReLU, plain SGD, batches of 128) trains for {epochs} epochs at each of ten rates
from far too small to far too large. For each seed, “the best rate” is the rate with the best mean accuracy of the
*other* seeds. (The best rate for the seed itself would be partly luck.) The claim holds if the accuracy at 0.01 is at
most half a point below the accuracy at the best rate. The range test makes five updates at each rate, always on the
same 640 images, and then increases the rate by a fifth. For each seed, the test finds the rate with the lowest loss and
recommends half of that rate. (Nielsen, too, recommends half of a threshold.) The recommended rates are averaged on a
logarithmic scale.
""",
    take_home={
        "does not hold": "The accuracy at 0.01 is more than half a point below the accuracy at the best rate.",
        "holds": "The accuracy at 0.01 is at most half a point below the accuracy at the best rate.",
    },
    results="""
The accuracy is {original} % at 0.01, and {tuned} % at the best rate, after the same number of epochs. (Over all seeds,
{best} has the best mean.) The smallest rate gets {smallest} % and the largest {largest} % (a network that diverges
counts as 0 %). The range test takes a fraction of the time of the sweep, and recommends {advice} on average. The
nearest rate in the sweep, {nearest}, gets {advised} %. The best rate depends on the network, on the batch size and on
the number of epochs.
""",
    try_next="""
`jaxquard train --seeds 5 --sweep learning_rate=0.01,0.03,0.1,0.3` trains with four rates from the middle of the sweep,
ranks them, and says whether the lead is larger than the noise between seeds. Does the best rate change with
`--batch-size 512`? Is the difference between the rates smaller with `--epochs 100`?
""",
)

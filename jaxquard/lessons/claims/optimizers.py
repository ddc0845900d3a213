"""Lesson: are momentum and Adam better than plain SGD, when each may choose its own learning rate?"""

from jaxquard.charts import Chart, lines
from jaxquard.config import Config
from jaxquard.lessons.experiment import Scale, finals, scales
from jaxquard.lessons.figures import BAND, by_epoch, point, spread
from jaxquard.lessons.lesson import Finding, Lesson, Measured
from jaxquard.lessons.verdict import above, at_an_end, bracket, tuned

SHARED = 0.01  # the original rate, which all three try
RATES = {
    "sgd": (0.01, 0.03, 0.1, 0.3, 1.0),
    "momentum": (0.001, 0.003, 0.01, 0.03, 0.1),
    "adam": (0.0001, 0.0003, 0.001, 0.003, 0.01),
}
SPOKEN = {"sgd": "plain SGD", "momentum": "momentum", "adam": "Adam"}
LEARNED = 50.0  # %: a rate at which some network gets less is off the chart, though not out of the comparison
LEFT_OUT = f"{BAND} Left out: rates at which a network stays below {LEARNED:.0f} %."


def configs(scale: Scale) -> dict[str, Config]:
    """The original network under each optimiser, at five rates around where each of them works."""
    shared = Config(seeds=scale.seeds, epochs=scale.epochs)
    return {name: shared.replace(optimizer=name, sweep=(("learning_rate", rates),)) for name, rates in RATES.items()}


def judge(measured: Measured) -> Finding:
    found = {name: finals(measured, name) for name in RATES}
    own = {name: tuned(values) for name, values in found.items()}
    shared = {name: values[RATES[name].index(SHARED)] for name, values in found.items()}
    parts = [
        above(f"{SPOKEN[name]} less plain SGD, each at its own best rate", own[name] - own["sgd"], 0)
        for name in ("momentum", "adam")
    ]
    facts = {name: spread(values) for name, values in own.items()}
    facts |= {f"{name}_shared": spread(values) for name, values in shared.items()}
    facts |= {f"{name}_rate": f"{RATES[name][values.mean(axis=1).argmax()]:g}" for name, values in found.items()}
    facts |= {f"{name}_gain": spread(own[name] - own["sgd"]) for name in ("momentum", "adam")}
    note = at_an_end({SPOKEN[name]: values for name, values in found.items()})
    return Finding(parts, bracket(own["adam"] - own["sgd"], (0, 1), "ABC"), facts, note)


def draw(measured: Measured) -> list[Chart]:
    return [_rates_chart(measured), _epochs_chart(measured)]


def _rates_chart(measured: Measured) -> Chart:
    x, y = "learning rate η", "accuracy (%)"
    rows = [
        point(values, y, **{x: rate, "optimiser": SPOKEN[name]})
        for name, rates in RATES.items()
        for rate, values in zip(rates, finals(measured, name), strict=True)
        if values.min() > LEARNED
    ]
    title = "Held-out accuracy by learning rate"
    return lines(rows, x, y, series="optimiser", band=("low", "high"), log_x=True, title=title, subtitle=LEFT_OUT)


def _epochs_chart(measured: Measured) -> Chart:
    y, rows = "accuracy (%)", []
    for name, rates in RATES.items():
        rate = rates[finals(measured, name).mean(axis=1).argmax()]
        rows += by_epoch(measured[f"{name} learning_rate={rate:g}"], y, optimiser=f"{SPOKEN[name]}, η = {rate:g}")
    title = "Held-out accuracy by epoch, each at the rate that ends best"
    return lines(rows, "epoch", y, series="optimiser", band=("low", "high"), title=title, subtitle=BAND)


LESSON = Lesson(
    question="Are momentum and Adam better than plain SGD?",
    claim="Momentum and Adam are improvements on plain SGD.",
    source=(
        "the original README, “Future Improvements”; Nielsen, chapter 3, “Variations on stochastic gradient descent”"
    ),
    choices={
        "A": "At its best rate, Adam ends behind plain SGD at its own.",
        "B": "It ends ahead, by less than one point.",
        "C": "It ends ahead, by more than one point.",
    },
    scales={**scales(epochs=10), "full": Scale(train=20_000, validation=10_000, epochs=10, seeds=10)},
    configs=configs,
    judge=judge,
    draw=draw,
    background="""
Plain SGD takes each step from one batch and forgets it. *Momentum* remembers: a velocity gathers the steps that agree
and cancels those that do not, so that with nine tenths of it kept, a steady slope is descended ten times as fast at
the same η. *Adam* also divides each weight's step by the usual size of its gradient, so that every weight moves about
η at a time, however steep or flat its own direction is.

So the same η means three different things, and to compare optimisers at one shared rate is to compare how well that
rate happens to suit them. It is the commonest mistake in such comparisons.
""",
    method="""
The original network trains for {epochs} epochs in batches of 128 with each optimiser at five rates, chosen so that the
best one lies inside; a rate at which some network stays below 50 % is compared but not shown. The rate that counts for
a seed is the one that was best for the *other* seeds. Momentum keeps 0.9; Adam has its usual β₁ = 0.9, β₂ = 0.999. The
claim holds if both end above plain SGD.
""",
    take_home={
        "holds": """
Each at its own best rate, plain SGD ends at {sgd} % (η = {sgd_rate}), momentum at {momentum} % (η = {momentum_rate})
and Adam at {adam} % (η = {adam_rate}). Both are ahead: by {momentum_gain} and {adam_gain} points. Compared at a shared
η = 0.01 it would have been {sgd_shared}, {momentum_shared} and {adam_shared} %, which says more about 0.01 than about
them.
""",
        "does not hold": """
Not both are ahead once each has its own best rate: momentum is {momentum_gain} points from plain SGD, Adam
{adam_gain}. Plain SGD ends at {sgd} % (η = {sgd_rate}), momentum at {momentum} % (η = {momentum_rate}), Adam at {adam}
% (η = {adam_rate}). At a shared η = 0.01 it would have been {sgd_shared}, {momentum_shared} and {adam_shared} %, and
that gap would have been mistaken for the optimiser's merit.
""",
        "cannot tell": """
Once each has its own best rate, the three are too close for {seeds} seeds: plain SGD {sgd} % (η = {sgd_rate}),
momentum {momentum} % (η = {momentum_rate}), Adam {adam} % (η = {adam_rate}). At a shared η = 0.01 it would have been
{sgd_shared}, {momentum_shared} and {adam_shared} %: that difference is one of rates, not of optimisers.
""",
    },
    try_next="""
`jaxquard train --optimizer momentum --learning-rate 0.01` beside `jaxquard train --learning-rate 0.1`: nine tenths
kept make steps ten times as long. How alike are the two curves? And does Adam's lead, if any, outlast 50 epochs?
""",
)

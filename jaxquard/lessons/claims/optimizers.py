"""Lesson: are momentum and Adam better than plain SGD, each at its own best learning rate?"""

from jaxquard.charts import Chart
from jaxquard.config import Config
from jaxquard.lessons.experiment import Scale, finals, scales
from jaxquard.lessons.figures import by_epoch, by_rate, curves, spread
from jaxquard.lessons.lesson import About, Finding, Measured
from jaxquard.lessons.verdict import above, at_an_end, bracket, tuned

SHARED = 0.01  # the original rate, which all three try
RATES = {
    "sgd": (0.01, 0.03, 0.1, 0.3, 1.0),
    "momentum": (0.001, 0.003, 0.01, 0.03, 0.1),
    "adam": (0.0001, 0.0003, 0.001, 0.003, 0.01),
}
SPOKEN = {"sgd": "plain SGD", "momentum": "momentum", "adam": "Adam"}


def configs(scale: Scale) -> dict[str, Config]:
    """The original network with each optimiser, at five rates around its best."""
    shared = Config(seeds=scale.seeds, epochs=scale.epochs)
    return {name: shared.replace(optimizer=name, sweep=(("learning_rate", rates),)) for name, rates in RATES.items()}


def conclude(measured: Measured) -> Finding:
    found = {name: finals(measured, name) for name in RATES}
    own = {name: tuned(values) for name, values in found.items()}
    shared = {name: values[RATES[name].index(SHARED)] for name, values in found.items()}
    parts = [
        above(f"{SPOKEN[name]} minus plain SGD, each at its own best rate", own[name] - own["sgd"], 0)
        for name in ("momentum", "adam")
    ]
    facts = {name: spread(values) for name, values in own.items()}
    facts |= {f"{name}_shared": spread(values) for name, values in shared.items()}
    facts |= {f"{name}_rate": f"{RATES[name][values.mean(axis=1).argmax()]:g}" for name, values in found.items()}
    facts |= {f"{name}_gain": spread(own[name] - own["sgd"]) for name in ("momentum", "adam")}
    note = at_an_end({SPOKEN[name]: values for name, values in found.items()})
    return Finding(parts, bracket(own["adam"] - own["sgd"], (0, 1), "ABC"), facts, note)


def draw(measured: Measured) -> list[Chart]:
    swept = {name: dict(zip(rates, finals(measured, name), strict=True)) for name, rates in RATES.items()}
    best = {name: max(found, key=lambda rate, found=found: found[rate].mean()) for name, found in swept.items()}
    return [
        by_rate({SPOKEN[name]: found for name, found in swept.items()}, "optimiser"),
        curves(
            "Held-out accuracy by epoch, each at the rate that ends best",
            {
                f"{SPOKEN[name]}, η = {rate:g}": by_epoch(measured[f"{name} learning_rate={rate:g}"])
                for name, rate in best.items()
            },
            series="optimiser",
        ),
    ]


ABOUT = About(
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
    scales=scales(epochs=10, images=20_000),
    background="""
Plain SGD takes each step from one batch alone. *Momentum* keeps a velocity, which adds up steps that agree and cancels
steps that do not. If each step keeps nine tenths of the velocity, a constant gradient gives steps ten times as long at
the same η. *Adam* also divides each weight's step by the usual size of its gradient, so that every weight moves by
about η in each step, whatever the size of its gradient.

So the same η means three different things. A comparison at one shared rate shows how well that rate suits each
optimiser, and not which optimiser is better. This is the most common mistake in such comparisons.
""",
    method="""
The original network trains for {epochs} epochs in batches of 128 with each optimiser at five rates, chosen so that the
best one lies inside. The chart leaves out rates at which a network stays below 50 %. For each seed, the lesson uses the
rate with the best mean accuracy of the *other* seeds. Momentum keeps 0.9 of the velocity; Adam has its usual β₁ = 0.9,
β₂ = 0.999. The claim holds if both end above plain SGD.
""",
    take_home={
        "holds": "Each at its own best rate, both are ahead of plain SGD.",
        "does not hold": "Each at its own best rate, they are not both ahead of plain SGD.",
        "cannot tell": "Each at its own best rate, the three are too close for {seeds} seeds.",
    },
    results="""
Plain SGD ends at {sgd} % (η = {sgd_rate}), momentum at {momentum} % (η = {momentum_rate}) and Adam at {adam} % (η =
{adam_rate}). Momentum gains {momentum_gain} points on plain SGD and Adam {adam_gain}. At a shared η = 0.01 the figures
would be {sgd_shared}, {momentum_shared} and {adam_shared} %: a comparison of rates, not of optimisers.
""",
    try_next="""
`jaxquard train --optimizer momentum --learning-rate 0.01` beside `jaxquard train --learning-rate 0.1`: momentum makes
the steps ten times as long. How similar are the two curves? And is the order of the three the same after 50 epochs?
""",
)

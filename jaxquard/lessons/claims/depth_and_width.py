"""Lesson: many thin layers or one wide one, if the number of parameters is the same?"""

import numpy as np

from jaxquard.charts import Chart, dot_plot, lines
from jaxquard.config import Config
from jaxquard.lessons.experiment import Scale, finals, scales
from jaxquard.lessons.figures import BAND, BAR, dot, point, spread
from jaxquard.lessons.lesson import Finding, Lesson, Measured
from jaxquard.lessons.verdict import above, at_an_end, best, tuned

DEPTHS = (1, 2, 3, 5, 8)
RATES = (0.02, 0.06, 0.2, 0.6)
PIXELS, CLASSES = 784, 10
LEARNED = 50.0  # %: a rate at which some network gets less is off the chart, though not out of the comparison
BUDGET = 110_000  # parameters, as many as the original network has, rounded up


def parameters(width: int, depth: int) -> int:
    """Weights and biases of `depth` hidden layers of `width` units each."""
    return (PIXELS + 1) * width + (depth - 1) * (width + 1) * width + (width + 1) * CLASSES


def width(depth: int) -> int:
    """The widest layers that `depth` of them can afford."""
    return max(w for w in range(1, BUDGET // PIXELS) if parameters(w, depth) <= BUDGET)


def configs(scale: Scale) -> dict[str, Config]:
    """Each depth at four rates, for deep networks want smaller ones. He's start keeps ReLU's signal alive in depth."""
    shared = Config(seeds=scale.seeds, epochs=scale.epochs, sweep=(("learning_rate", RATES),), initializer="he_normal")
    return {f"depth {depth}": shared.replace(hidden=(width(depth),) * depth) for depth in DEPTHS}


def accuracies(measured: Measured) -> dict[int, np.ndarray]:
    """Held-out accuracy in % by depth, each seed at the rate that was best for the others."""
    return {depth: tuned(finals(measured, f"depth {depth}")) for depth in DEPTHS}


def judge(measured: Measured) -> Finding:
    found = accuracies(measured)
    deeper = tuned(np.concatenate([finals(measured, f"depth {depth}") for depth in DEPTHS[1:]]))
    part = above("the best of the deeper networks less one hidden layer", deeper - found[1], 0)
    facts = {f"depth{depth}": spread(values) for depth, values in found.items()}
    facts |= {f"width{depth}": str(width(depth)) for depth in DEPTHS}
    facts |= {"gain": spread(deeper - found[1]), "deepest_gain": spread(found[DEPTHS[-1]] - found[1])}
    facts["best_depth"] = str(max(found, key=lambda depth: found[depth].mean()))
    answer = best({"A": found[1], "B": found[2], "C": tuned(np.stack([found[depth] for depth in DEPTHS[2:]]))})
    note = at_an_end({name(depth): finals(measured, f"depth {depth}") for depth in DEPTHS})
    return Finding([part], answer, facts, note)


def draw(measured: Measured) -> list[Chart]:
    return [_depths_chart(measured), _rates_chart(measured)]


def name(depth: int) -> str:
    return f"{depth} × {width(depth)}"


def _depths_chart(measured: Measured) -> Chart:
    rows = [dot(values, name(depth)) for depth, values in accuracies(measured).items()]
    title = f"Hidden layers × units, all with about {BUDGET:,} parameters"
    return dot_plot(rows, title=title, x_title="held-out accuracy (%)", interval=BAR, digits=2)


def _rates_chart(measured: Measured) -> Chart:
    x, y = "learning rate η", "accuracy (%)"
    rows = [
        point(values, y, **{x: rate, "network": name(depth)})
        for depth in DEPTHS
        for rate, values in zip(RATES, finals(measured, f"depth {depth}"), strict=True)
        if values.min() > LEARNED
    ]
    title = "Held-out accuracy by learning rate: hidden layers × units"
    said = f"{BAND} Left out: rates at which a network stays below {LEARNED:.0f} %."
    return lines(rows, x, y, series="network", band=("low", "high"), log_x=True, title=title, subtitle=said)


LESSON = Lesson(
    question="Many thin layers, or one wide one?",
    claim="Deeper networks are better, even with no more parameters.",
    source=(
        "the original README, “Future Improvements”; Nielsen, chapter 5, “Why are deep neural networks hard to train?” "
        "(“with no more parameters” is this lesson's sharpening)"
    ),
    choices={
        "A": "One hidden layer ends best.",
        "B": "Two hidden layers end best.",
        "C": "Three or more end best.",
    },
    scales={**scales(epochs=10, quick=10), "full": Scale(train=20_000, validation=10_000, epochs=10, seeds=10)},
    configs=configs,
    judge=judge,
    draw=draw,
    background="""
A layer can build on what the one before has found, so a deep network can say briefly what a shallow one must spell
out. That is the promise. But a deeper network usually also has more parameters, and then nobody knows which of the two
helped. So here the number of parameters stays the same: a layer more makes all layers thinner.

With images almost all parameters sit in the first layer, one weight for each pixel and unit. Depth is therefore cheap:
the hidden layers lose less width than one would think.
""",
    method="""
Networks of 1 to 8 equally wide ReLU layers with at most 110,000 parameters train for {epochs} epochs by plain SGD, from
He's start, at four rates each, of which those at which some network stays below 50 % are not shown; a seed's rate is
the one that was best for the *other* seeds. To be fair to depth, “the deeper networks” may choose, in the same way,
their depth as well. The claim holds if they end above one hidden layer.
""",
    take_home={
        "holds": """
Depth pays: one layer of {width1} units ends at {depth1} %, and the best of the deeper networks gains {gain} points on
it with the same number of parameters (best on average: {best_depth} layers). Eight layers of {width8} end at {depth8}
%, a gain of {deepest_gain} points on one layer.
""",
        "does not hold": """
Not for these images and this many epochs: one layer of {width1} units ends at {depth1} %, two of {width2} at {depth2}
%, eight of {width8} at {depth8} %. The best of the deeper networks is {gain} points from one layer. A fully connected
layer does not know that pixels have neighbours, and further layers of the same kind do not tell it. What does is in
the lesson on convolution.
""",
        "cannot tell": """
The gain of {gain} points is within the noise of {seeds} seeds: one layer of {width1} units ends at {depth1} %, two of
{width2} at {depth2} %, three of {width3} at {depth3} %, eight of {width8} at {depth8} %.
""",
    },
    try_next="""
Spend more instead of sharing out: `jaxquard train --hidden 1024 --learning-rate 0.1`, then `--hidden 1024 1024`. Which
buys more for a parameter, width or depth? And how do the deep, thin networks fare without He's start: `--hidden 80 80
80 80 80 80 80 80`, then with `--initializer he_normal`?
""",
)

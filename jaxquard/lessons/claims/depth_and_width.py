"""Lesson: many thin layers or one wide one, if the number of parameters is the same?"""

import numpy as np

from jaxquard.charts import Chart
from jaxquard.config import Config
from jaxquard.lessons.experiment import Scale, finals, scales
from jaxquard.lessons.figures import by_rate, dots, spread
from jaxquard.lessons.lesson import About, Finding, Measured
from jaxquard.lessons.verdict import above, at_an_end, best, tuned

DEPTHS = (1, 2, 3, 5, 8)
RATES = (0.02, 0.06, 0.2, 0.6)
PIXELS, CLASSES = 784, 10
BUDGET = 110_000  # parameters: the original network's number, rounded up


def parameters(width: int, depth: int) -> int:
    """Weights and biases of `depth` hidden layers of `width` units each."""
    return (PIXELS + 1) * width + (depth - 1) * (width + 1) * width + (width + 1) * CLASSES


def width(depth: int) -> int:
    """The largest width at which `depth` hidden layers stay within the budget."""
    return max(w for w in range(1, BUDGET // PIXELS) if parameters(w, depth) <= BUDGET)


def configs(scale: Scale) -> dict[str, Config]:
    """Each depth at four rates, because deep networks need smaller ones, with He's initialisation, made for ReLUs."""
    shared = Config(seeds=scale.seeds, epochs=scale.epochs, sweep=(("learning_rate", RATES),), initializer="he_normal")
    return {f"depth {depth}": shared.replace(hidden=(width(depth),) * depth) for depth in DEPTHS}


def accuracies(measured: Measured) -> dict[int, np.ndarray]:
    """Held-out accuracy in % by depth, each seed at the rate that was best for the others."""
    return {depth: tuned(finals(measured, f"depth {depth}")) for depth in DEPTHS}


def conclude(measured: Measured) -> Finding:
    found = accuracies(measured)
    deeper = tuned(np.concatenate([finals(measured, f"depth {depth}") for depth in DEPTHS[1:]]))
    part = above("the best of the deeper networks minus one hidden layer", deeper - found[1], 0)
    facts = {f"depth{depth}": spread(values) for depth, values in found.items()}
    facts |= {f"width{depth}": str(width(depth)) for depth in DEPTHS}
    facts |= {"gain": spread(deeper - found[1]), "deepest_gain": spread(found[DEPTHS[-1]] - found[1])}
    facts["best_depth"] = str(max(DEPTHS[1:], key=lambda depth: found[depth].mean()))
    answer = best({"A": found[1], "B": found[2], "C": tuned(np.stack([found[depth] for depth in DEPTHS[2:]]))})
    note = at_an_end({name(depth): finals(measured, f"depth {depth}") for depth in DEPTHS})
    return Finding([part], answer, facts, note)


def name(depth: int) -> str:
    return f"{depth} × {width(depth)}"


def draw(measured: Measured) -> list[Chart]:
    title = f"Hidden layers × units, all with about {BUDGET:,} parameters"
    rates = {name(d): dict(zip(RATES, finals(measured, f"depth {d}"), strict=True)) for d in DEPTHS}
    return [
        dots(title, {name(depth): values for depth, values in accuracies(measured).items()}, digits=2),
        by_rate(rates, "network", "Held-out accuracy by learning rate: hidden layers × units"),
    ]


ABOUT = About(
    question="Many thin layers, or one wide one?",
    claim="Deeper networks are better, even with no more parameters.",
    source=(
        "the original README, “Future Improvements”; Nielsen, chapter 5, “Why are deep neural networks hard to train?” "
        "(“with no more parameters” is this lesson's addition)"
    ),
    choices={
        "A": "One hidden layer ends best.",
        "B": "Two hidden layers end best.",
        "C": "Three or more end best.",
    },
    scales=scales(epochs=10, quick=10, images=20_000),
    background="""
A layer can build on what the layer before it found. So a deep network may need fewer units than a shallow one. But a
deeper network usually also has more parameters, and then it is not clear which of the two helped. Here the number of
parameters stays the same: with every further layer, all layers become thinner.

With images, almost all parameters are in the first layer, one weight for each pixel and unit. So further layers are
cheap: the hidden layers lose little width.
""",
    method="""
Networks of 1 to 8 equally wide ReLU layers with at most 110,000 parameters train for {epochs} epochs by plain SGD, with
He's initialisation, at four rates each. The chart leaves out rates at which a network stays below 50 %. For each seed,
the lesson uses the rate with the best mean accuracy of the *other* seeds. For “the best of the deeper networks”, the
depth is chosen in the same way. The claim holds if this accuracy is above that of one hidden layer.
""",
    take_home={
        "holds": "Depth helps.",
        "does not hold": """
Depth does not help here, with these images and this many epochs. A fully connected layer does not know which pixels are
neighbours, and further layers of the same kind do not change that. The lesson on convolution shows what does.
""",
        "cannot tell": "The gain is within the noise of {seeds} seeds.",
    },
    results="""
One layer of {width1} units ends at {depth1} %, two of {width2} at {depth2} %, three of {width3} at {depth3} %, eight of
{width8} at {depth8} %. With the same number of parameters, the best of the deeper networks gains {gain} points over one
layer ({best_depth} layers have the best mean), and the deepest gains {deepest_gain}.
""",
    try_next="""
Add parameters instead: `jaxquard train --hidden 1024 --learning-rate 0.1`, then `--hidden 1024 1024`. Which gains more
for each parameter, width or depth? And how good are deep, thin networks without He's initialisation: `--hidden 80 80 80
80 80 80 80 80`, then with `--initializer he_normal`?
""",
)

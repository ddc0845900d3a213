"""Lesson: which non-linearity?"""

from typing import TYPE_CHECKING

import numpy as np

from jaxquard.charts import Chart, dot_plot
from jaxquard.config import Config
from jaxquard.lessons.experiment import Scale, final, scales
from jaxquard.lessons.figures import BAR, dot, spread
from jaxquard.lessons.lesson import Finding, Lesson, Measured
from jaxquard.lessons.verdict import above, at_an_end, best, tuned

if TYPE_CHECKING:
    from jaxquard.lessons.lab import Lab

RATES = (0.03, 0.1, 0.3, 1.0)
SIGMOID_RATES = (*RATES, 3.0, 10.0)  # a sigmoid is at most a quarter as steep, and bears larger steps
DEPTHS = (1, 4)
DEEP_RELU = "relu 4"
NAMES = {"sigmoid": "sigmoid", "tanh": "tanh", "relu": "ReLU", "leaky_relu": "leaky ReLU", "gelu": "GELU"}


def configs(scale: Scale) -> dict[str, Config]:
    """Each activation at each depth and rate."""
    shared = Config(seeds=scale.seeds, epochs=scale.epochs)
    return {
        f"{activation} {depth}": shared.replace(
            activation=activation, hidden=(64,) * depth, sweep=(("learning_rate", rates(activation)),)
        )
        for activation in NAMES
        for depth in DEPTHS
    }


def rates(activation: str) -> tuple[float, ...]:
    return SIGMOID_RATES if activation == "sigmoid" else RATES


def measure(lab: "Lab", configs: dict[str, Config]) -> Measured:
    """At every rate, (rates, seeds): final accuracies, and the share of units in the first hidden layer that died."""
    found = {}
    for label, config in configs.items():
        arms = lab.train(label, config, diagnostics=label == DEEP_RELU, watch=False).values()
        found[label] = {"accuracy": [final(arm) for arm in arms]}
        if label == DEEP_RELU:
            found[label]["dead"] = [[row[-1] for row in arm["dead"]["0"]] for arm in arms]
    return found


def accuracies(measured: Measured) -> dict[tuple[str, int], np.ndarray]:
    """Held-out accuracy in %, by activation and depth, at the rate that is best for the other seeds."""
    return {(a, d): tuned(np.array(measured[f"{a} {d}"]["accuracy"])) for a in NAMES for d in DEPTHS}


def dead_units(measured: Measured) -> np.ndarray:
    """Percentage of ReLUs in the first of four hidden layers that no image moves, at the rate best on average."""
    arm = measured[DEEP_RELU]
    chosen = int(np.mean(arm["accuracy"], axis=1).argmax())
    return 100 * np.array(arm["dead"][chosen], np.float64)


def judge(measured: Measured) -> Finding:
    found = accuracies(measured)
    parts = [
        above(
            f"ReLU less sigmoid, hidden layers: {depth}",
            found["relu", depth] - found["sigmoid", depth],
            0.5,
        )
        for depth in DEPTHS
    ]
    winner = best({name: found[name, DEPTHS[-1]] for name in NAMES})
    facts = {f"{name}_{depth}": spread(values) for (name, depth), values in found.items()}
    facts["dead"] = spread(dead_units(measured))
    note = at_an_end({f"{NAMES[name]}, hidden layers: {d}": measured[f"{name} {d}"]["accuracy"] for name, d in found})
    return Finding(parts, "ABCDE"[list(NAMES).index(winner)] if winner else None, facts, note)


def draw(measured: Measured) -> list[Chart]:
    return [_chart(measured, depth) for depth in DEPTHS]


def _chart(measured: Measured, depth: int) -> Chart:
    rows = [dot(values, NAMES[name]) for (name, layers), values in accuracies(measured).items() if layers == depth]
    title = f"Held-out accuracy by activation, hidden layers: {depth}"
    return dot_plot(rows, title=title, x_title="accuracy (%), each at its own best learning rate", interval=BAR)


LESSON = Lesson(
    question="Which activation?",
    claim="Rectified linear units often learn better than sigmoid ones.",
    source="Nielsen, chapter 3, “Other models of artificial neuron”; the original README, “Activation Functions”",
    choices={
        name: f"With four hidden layers, {text} is clearly ahead of all the others."
        for name, text in zip("ABCDE", NAMES.values(), strict=True)
    },
    scales={**scales(epochs=4), "full": Scale(train=20_000, validation=10_000, epochs=10, seeds=10)},
    configs=configs,
    measure=measure,
    judge=judge,
    draw=draw,
    background="""
Without a non-linearity a stack of layers is one linear map. Which one to take was long a matter of taste: the sigmoid
looks like a neuron that fires or does not; tanh is a sigmoid centred on zero; the ReLU, max(0, z), costs next to
nothing and does not flatten on its right side. On its left it is flat altogether, and a unit that no image ever
switches on is *dead*: its slope is zero everywhere, so it never learns again. The leaky ReLU and the GELU are ways
round that.
""",
    method="""
Networks with one and with four hidden layers of 64 units, five activations, plain SGD for {epochs} epochs. Each
activation has slopes of its own, so no common learning rate would be fair: each gets, for each seed, the best of four
rates for the other seeds, from 0.03 to 1; the sigmoid, which bears larger steps, the best of six, up to 10. A unit
counts as dead when its slope is below a thousandth on each of 256 images.
""",
    take_home={
        "holds": """
At both depths ReLU is ahead. With one hidden layer sigmoid reaches {sigmoid_1} % and ReLU {relu_1} %; with four
{sigmoid_4} % and {relu_4} %. What depth costs the sigmoid, and why, is the next lesson. Among the others at four
layers: tanh {tanh_4} %, leaky ReLU {leaky_relu_4} %, GELU {gelu_4} %. Of the ReLUs in the first of four layers {dead} %
are dead.
""",
        "does not hold": """
Not at both depths. With one hidden layer sigmoid reaches {sigmoid_1} % and ReLU {relu_1} %; with four {sigmoid_4} % and
{relu_4} %. What depth costs the sigmoid, and why, is the next lesson. Among the others at four layers: tanh {tanh_4} %,
leaky ReLU {leaky_relu_4} %, GELU {gelu_4} %. Of the ReLUs in the first of four layers {dead} % are dead.
""",
        "cannot tell": """
These seeds do not decide all of it. With one hidden layer sigmoid reaches {sigmoid_1} % and ReLU {relu_1} %; with four
{sigmoid_4} % and {relu_4} %. Of the ReLUs in the first of four layers {dead} % are dead.
""",
    },
    try_next="""
`jaxquard train --activation sigmoid --learning-rate 1` against `--activation relu --learning-rate 0.1`: watch the dead
share in the journal. At which learning rate do ReLUs begin to die?
""",
)

"""Lesson: which activation function?"""

import numpy as np

from jaxquard.charts import Chart
from jaxquard.config import Config
from jaxquard.lessons.experiment import Scale, by_activation, final, scales
from jaxquard.lessons.figures import dots, spread
from jaxquard.lessons.lesson import About, Finding, Lab, Measured
from jaxquard.lessons.verdict import above, at_an_end, best, tuned

DEPTHS = (1, 4)
DEEP_RELU = "relu 4"
NAMES = {"sigmoid": "sigmoid", "tanh": "tanh", "relu": "ReLU", "leaky_relu": "leaky ReLU", "gelu": "GELU"}


def configs(scale: Scale) -> dict[str, Config]:
    """Each activation at each depth and rate."""
    return by_activation(scale, NAMES, DEPTHS)


def measure(lab: Lab, configs: dict[str, Config]) -> Measured:
    """At every rate, (rates, seeds): final accuracies, and the share of dead units in the first hidden layer."""
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
    """Percentage of dead ReLUs in the first of four hidden layers, at the rate that is best on average."""
    arm = measured[DEEP_RELU]
    chosen = int(np.mean(arm["accuracy"], axis=1).argmax())
    return 100 * np.array(arm["dead"][chosen], np.float64)


def conclude(measured: Measured) -> Finding:
    found = accuracies(measured)
    parts = [
        above(f"ReLU minus sigmoid, hidden layers: {depth}", found["relu", depth] - found["sigmoid", depth], 0.5)
        for depth in DEPTHS
    ]
    winner = best({name: found[name, DEPTHS[-1]] for name in NAMES})
    facts = {f"{name}_{depth}": spread(values) for (name, depth), values in found.items()}
    facts["dead"] = spread(dead_units(measured))
    note = at_an_end({f"{NAMES[name]}, hidden layers: {d}": measured[f"{name} {d}"]["accuracy"] for name, d in found})
    return Finding(parts, "ABCDE"[list(NAMES).index(winner)] if winner else None, facts, note)


def draw(measured: Measured) -> list[Chart]:
    found, x = accuracies(measured), "accuracy (%), each at its own best learning rate"
    return [
        dots(f"Held-out accuracy by activation, hidden layers: {d}", {NAMES[name]: found[name, d] for name in NAMES}, x)
        for d in DEPTHS
    ]


ABOUT = About(
    question="Which activation?",
    claim="Rectified linear units often learn better than sigmoid ones.",
    source="Nielsen, chapter 3, “Other models of artificial neuron”; the original README, “Activation Functions”",
    choices={
        name: f"With four hidden layers, {text} is clearly ahead of all the others."
        for name, text in zip("ABCDE", NAMES.values(), strict=True)
    },
    scales=scales(epochs=4, full=10, images=20_000),
    background="""
Without an activation function, a stack of layers is one linear map. The sigmoid was the first choice, because it
resembles a neuron that fires or does not fire. Tanh is a sigmoid centred on zero. The ReLU, max(0, z), is cheap, and
its slope is 1 for every positive z. For negative z its slope is zero. A unit whose slope is zero for every image is
*dead*: it never learns again. The leaky ReLU and the GELU avoid that.
""",
    method="""
Networks with one and with four hidden layers of 64 units and five activations train by plain SGD for {epochs} epochs.
One learning rate for all would not be fair, because the activations have different slopes. Each activation trains at
four rates from 0.03 to 1. The sigmoid tolerates larger rates and trains at six, up to 10. For each seed, the lesson
uses the rate with the best mean accuracy of the *other* seeds. A unit counts as dead if its slope is below 0.001 for
each of 256 images.
""",
    take_home={
        "holds": "ReLU is ahead at both depths.",
        "does not hold": "ReLU is not ahead at both depths.",
        "cannot tell": "The figures do not decide the claim at both depths.",
    },
    results="""
With one hidden layer, sigmoid reaches {sigmoid_1} % and ReLU {relu_1} %; with four, {sigmoid_4} % and {relu_4} %. The
next lesson shows why depth costs the sigmoid accuracy. With four layers, tanh reaches {tanh_4} %, leaky ReLU
{leaky_relu_4} % and GELU {gelu_4} %. In the first of four layers, {dead} % of the ReLUs are dead.
""",
    try_next="""
Compare `jaxquard train --activation sigmoid --learning-rate 1` with `--activation relu --learning-rate 0.1`, and watch
the share of dead units in the journal. At which learning rate do ReLUs begin to die?
""",
)

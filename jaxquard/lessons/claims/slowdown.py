"""Lesson: does squared error learn slowly when it is badly wrong?"""

import numpy as np

from jaxquard.charts import Chart, lines
from jaxquard.config import Config
from jaxquard.lessons.experiment import Scale, finals, scales
from jaxquard.lessons.figures import dots, show, spread
from jaxquard.lessons.lesson import About, Finding, Lab, Measured, train_all
from jaxquard.lessons.verdict import above, at_an_end, bracket, tuned

RATES = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
STARTS = {"standard_normal": "N(0, 1)", "scaled_normal": "1/√n"}
LOSSES = {
    "squared_error_sigmoid": "squared error, sigmoid",
    "cross_entropy_sigmoid": "cross-entropy, sigmoid",
    "squared_error_softmax": "squared error, softmax",
    "cross_entropy": "cross-entropy, softmax",
}
PAIRS = {
    "sigmoid": ("cross_entropy_sigmoid", "squared_error_sigmoid"),
    "softmax": ("cross_entropy", "squared_error_softmax"),
}
NEURON_STARTS = ((0.6, 0.9), (2.0, 2.0))  # weight and bias
NEURON_LOSSES = ("squared error", "cross-entropy")
NEURON_RATE = 0.15
NEURON_EPOCHS = 300


def configs(scale: Scale) -> dict[str, Config]:
    """Nielsen's network of 30 sigmoid neurons, each loss and initialisation at every rate."""
    shared = Config(
        hidden=(30,), activation="sigmoid", seeds=scale.seeds, epochs=scale.epochs, sweep=(("learning_rate", RATES),)
    )
    return {f"{loss} {start}": shared.replace(loss=loss, initializer=start) for start in STARTS for loss in LOSSES}


def measure(lab: Lab, configs: dict[str, Config]) -> Measured:
    neuron = {f"{loss} {start}": learn(loss, *start) for loss in NEURON_LOSSES for start in NEURON_STARTS}
    return {"neuron": neuron, **train_all(lab, configs)}


def learn(loss: str, weight: float, bias: float) -> list[float]:
    """The output, by epoch, of one sigmoid neuron with input 1 and target 0."""
    outputs = []
    for _ in range(NEURON_EPOCHS):
        a = 1 / (1 + np.exp(-(weight + bias)))
        outputs.append(float(a))
        slope = a if loss == "cross-entropy" else a * a * (1 - a)  # ∂C/∂z = a - y, or (a - y)·σ′(z), with y = 0
        weight, bias = weight - NEURON_RATE * slope, bias - NEURON_RATE * slope
    return outputs


def accuracies(measured: Measured) -> dict[tuple[str, str], np.ndarray]:
    """Held-out accuracy in %, each at the rate that is best for the other seeds, by loss and initialisation."""
    return {(loss, start): tuned(finals(measured, f"{loss} {start}")) for start in STARTS for loss in LOSSES}


def conclude(measured: Measured) -> Finding:
    found = accuracies(measured)
    bad = "standard_normal"
    gains = {output: found[cross, bad] - found[squared, bad] for output, (cross, squared) in PAIRS.items()}
    parts = [
        above(f"cross-entropy minus squared error soon after a bad start, {output} outputs", gain, 0.5)
        for output, gain in gains.items()
    ]
    facts = {f"{loss}_{start}": spread(values) for (loss, start), values in found.items()}
    for name in NEURON_LOSSES:
        outputs = np.array(measured["neuron"][f"{name} {NEURON_STARTS[1]}"])
        speed = -np.diff(np.log(outputs / (1 - outputs)))  # of z, and so of weight and bias
        facts[name.replace(" ", "_").replace("-", "_")] = show(100 * float(speed[0] / speed.max()), 0)
    every = {f"{LOSSES[loss]}, from {STARTS[start]}": finals(measured, f"{loss} {start}") for loss, start in found}
    return Finding(parts, bracket(gains["sigmoid"], (-0.5, 0.5, 5), "DCBA"), facts, at_an_end(every))


def draw(measured: Measured) -> list[Chart]:
    rows = [
        {"epoch": epoch, "output": output, "neuron": f"{loss}, from {start}"}
        for loss in NEURON_LOSSES
        for start in NEURON_STARTS
        for epoch, output in enumerate(measured["neuron"][f"{loss} {start}"])
    ]
    title = "One neuron with target 0, from a good start and from a bad one"
    said = f"Starts: weight and bias. Both losses at η = {NEURON_RATE:g}."
    found = {f"{LOSSES[loss]}, from {STARTS[start]}": v for (loss, start), v in accuracies(measured).items()}
    return [
        lines(rows, "epoch", "output", series="neuron", title=title, subtitle=said),
        dots("Accuracy soon after the start, each loss at its own best learning rate", found),
    ]


ABOUT = About(
    question="Does squared error learn slowly when it is badly wrong?",
    claim="A network that is badly wrong learns slowly with squared error, and fast with cross-entropy.",
    source="Nielsen, chapter 3, “The cross-entropy cost function”; the original README, “Why not Mean Squared Error?”",
    choices={
        "A": "From N(0, 1), with sigmoid outputs, cross-entropy is soon more than 5 points ahead.",
        "B": "It is half a point to 5 points ahead.",
        "C": "They are within half a point of each other.",
        "D": "Squared error is ahead.",
    },
    scales=scales(epochs=1, quick=5),
    background="""
People learn fastest from their worst mistakes. A sigmoid neuron with squared error does not. The slope of its cost is
(a − y)·σ′(z). Where it is most wrong, at the flat end of the sigmoid, σ′(z) is nearly zero. With cross-entropy σ′(z)
cancels: the slope is a − y, the mistake itself.
""",
    method="""
First, Nielsen's neuron has input 1 and target 0. It trains at one rate from two starts: with weight and bias (0.6, 0.9)
it is somewhat wrong, with (2, 2) it is very wrong. Then his network of 784–30–10 sigmoid neurons trains with squared
error and with cross-entropy, on sigmoid and on softmax outputs. It is evaluated soon after the start (epochs:
{epochs}). Weights from N(0, 1) are a bad start, because many neurons are saturated; weights from 1/√n are a good one. A
comparison at one learning rate would prove nothing: a loss that is half as steep can take steps twice as long. Each
loss trains at seven rates from 0.1 to 100. For each seed, the lesson uses the rate with the best mean accuracy of the
*other* seeds.
""",
    take_home={
        "holds": "The slowdown is real, and not a matter of the learning rate.",
        "does not hold": """
One neuron shows the slowdown clearly. The network does not show it in every comparison, if each loss has its own best
learning rate.
""",
        "cannot tell": "One neuron shows the slowdown clearly. The table shows which part is open in the network.",
    },
    results="""
From (2, 2), the neuron with squared error starts at {squared_error} % of the speed that it reaches later, the neuron
with cross-entropy at {cross_entropy} %. In the network, from N(0, 1), squared error against cross-entropy is
{squared_error_sigmoid_standard_normal} % against {cross_entropy_sigmoid_standard_normal} % with sigmoid outputs, and
{squared_error_softmax_standard_normal} % against {cross_entropy_standard_normal} % with softmax. From 1/√n it is
{squared_error_sigmoid_scaled_normal} % against {cross_entropy_sigmoid_scaled_normal} %, and
{squared_error_softmax_scaled_normal} % against {cross_entropy_scaled_normal} %.
""",
    try_next="""
`jaxquard train --loss squared_error_softmax --sweep learning_rate=0.01,0.1,1` and the same with `cross_entropy`: how
far apart are their best rates? And is the order the same after twenty epochs?
""",
)

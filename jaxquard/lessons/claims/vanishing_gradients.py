"""Lesson: does the gradient vanish on its way back?"""

from typing import TYPE_CHECKING, Any

import numpy as np

from jaxquard.charts import Chart, lines
from jaxquard.config import Config
from jaxquard.lessons.experiment import Scale, final, scales
from jaxquard.lessons.figures import BAND, point, spread
from jaxquard.lessons.lesson import Finding, Lesson, Measured
from jaxquard.lessons.verdict import above, at_an_end, bracket, tuned

if TYPE_CHECKING:
    from jaxquard.lessons.lab import Lab

DEPTHS = (1, 2, 4, 8)
RATES = (0.03, 0.1, 0.3, 1.0)
SIGMOID_RATES = (*RATES, 3.0, 10.0)  # a sigmoid is at most a quarter as steep, and bears larger steps
NAMES = {"sigmoid": "sigmoid", "relu": "ReLU"}


def configs(scale: Scale) -> dict[str, Config]:
    """Hidden layers of 64 units, one, two, four and eight of them, at every rate."""
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
    import jax
    import jax.numpy as jnp

    from jaxquard.nn.losses import cross_entropy
    from jaxquard.nn.model import deltas

    def inspect(model: Any, params: Any, state: Any, images: jax.Array, labels: jax.Array) -> Any:
        found = list(deltas(model, cross_entropy, params, state, images, labels).values())[:-1]
        return jnp.stack([jnp.linalg.norm(delta, axis=1).mean() for delta in found])

    # of the networks of a sweep, those of its first rate: all rates start from the same weights
    looked = {label: lab.look(label, config, inspect)[: config.seeds] for label, config in configs.items()}
    arms = {label: lab.train(label, config, watch=False).values() for label, config in configs.items()}
    accuracy = {label: [final(arm) for arm in found] for label, found in arms.items()}
    return {"deltas": looked, "accuracy": accuracy}


def shrinking(measured: Measured, activation: str, depth: int) -> np.ndarray:
    """log₁₀ of ‖δ‖ in the last hidden layer over ‖δ‖ in the first, by seed."""
    norms = np.array(measured["deltas"][f"{activation} {depth}"])
    return np.log10(norms[:, -1] / norms[:, 0])


def accuracies(measured: Measured) -> dict[tuple[str, int], np.ndarray]:
    """Held-out accuracy in %, by activation and depth, at the rate that is best for the other seeds."""
    return {(a, d): tuned(np.array(measured["accuracy"][f"{a} {d}"])) for a in NAMES for d in DEPTHS}


def judge(measured: Measured) -> Finding:
    deepest = DEPTHS[-1]
    sigmoid, relu = (shrinking(measured, name, deepest) for name in NAMES)
    found = accuracies(measured)
    parts = [
        above("powers of ten that ‖δ‖ loses over eight sigmoid layers", sigmoid, 2, "decades"),
        above("the same, less those that it loses over eight ReLU layers", sigmoid - relu, 1, "decades"),
        above("sigmoid: one hidden layer less eight", found["sigmoid", 1] - found["sigmoid", deepest], 1),
    ]
    facts = {f"{name}_{depth}": spread(values) for (name, depth), values in found.items()}
    facts |= {"shrinks_sigmoid": f"{10 ** sigmoid.mean():,.0f}", "shrinks_relu": f"{10 ** relu.mean():.1f}"}
    note = at_an_end({f"{NAMES[name]}, hidden layers: {d}": measured["accuracy"][f"{name} {d}"] for name, d in found})
    return Finding(parts, bracket(sigmoid, (1, 3, 5), "ABCD"), facts, note)


def draw(measured: Measured) -> list[Chart]:
    return [_layer_chart(measured), _depth_chart(measured), _accuracy_chart(measured)]


def _layer_chart(measured: Measured) -> Chart:
    y = "log10 of the length of δ"
    rows = [
        point(np.log10(values), y, layer=layer, activation=text)
        for name, text in NAMES.items()
        for layer, values in enumerate(np.array(measured["deltas"][f"{name} {DEPTHS[-1]}"]).T, 1)
    ]
    title = "How much of the error reaches each hidden layer, before training"
    return lines(rows, "layer", y, series="activation", band=("low", "high"), title=title, subtitle=BAND)


def _depth_chart(measured: Measured) -> Chart:
    x, y = "hidden layers", "decades lost"
    rows = [
        point(shrinking(measured, name, depth), y, **{x: depth, "activation": text})
        for name, text in NAMES.items()
        for depth in DEPTHS
    ]
    title = "Powers of ten that δ loses from the last hidden layer to the first"
    return lines(rows, x, y, series="activation", band=("low", "high"), title=title, subtitle=BAND)


def _accuracy_chart(measured: Measured) -> Chart:
    x, y = "hidden layers", "accuracy (%)"
    rows = [
        point(values, y, **{x: depth, "activation": NAMES[name]})
        for (name, depth), values in accuracies(measured).items()
    ]
    title = "What it costs: held-out accuracy by depth"
    said = f"Each network at its own best learning rate. {BAND}"
    return lines(rows, x, y, series="activation", band=("low", "high"), title=title, subtitle=said)


LESSON = Lesson(
    question="Does the gradient vanish on its way back?",
    claim="In deep sigmoid networks the gradient vanishes towards the first layers, and it costs; less so with ReLU.",
    source="Nielsen, chapter 5, “The vanishing gradient problem”; the original README, “Activation Functions”",
    choices={
        "A": "Through eight sigmoid layers the error shrinks less than tenfold.",
        "B": "It shrinks ten- to a thousandfold.",
        "C": "It shrinks a thousand- to a hundred-thousandfold.",
        "D": "It shrinks more than that.",
    },
    scales={**scales(epochs=4), "full": Scale(train=20_000, validation=10_000, epochs=10, seeds=10)},
    configs=configs,
    measure=measure,
    judge=judge,
    draw=draw,
    background="""
BP2 takes δ from one layer to the one before: times the weights, times σ′(z). A sigmoid's slope is at most a quarter. If
the weights do not make up for it, every layer leaves at most a quarter of what it was given, and the first layers,
furthest from the error, hear next to nothing of it. A ReLU that is on has slope 1; but half of them are off.
""",
    method="""
Networks with one, two, four and eight hidden layers of 64 units start from weights of 1/√n. Before training: the mean
length of δ over 1,000 images in every hidden layer. Then they are trained for {epochs} epochs, where each gets, for
each seed, the best of four learning rates for the other seeds, from 0.03 to 1; the sigmoids, which bear larger steps,
the best of six, up to 10.
""",
    take_home={
        "holds": """
It vanishes: through eight sigmoid layers δ shrinks by a factor of {shrinks_sigmoid}, through eight ReLU layers by
{shrinks_relu}. And it costs: with sigmoids, one hidden layer gets {sigmoid_1} %, eight get {sigmoid_8} %; with ReLUs
{relu_1} % and {relu_8} %. None of the rates mends it: one rate must do for layers whose gradients are orders of
magnitude apart. ReLU makes it milder and does not cure it: δ shrinks there, too.
""",
        "does not hold": """
Through eight sigmoid layers δ shrinks by a factor of {shrinks_sigmoid}, through eight ReLU layers by {shrinks_relu}.
With sigmoids, one hidden layer gets {sigmoid_1} % and eight get {sigmoid_8} %; with ReLUs {relu_1} % and {relu_8} %.
The table says which part of the claim fails.
""",
        "cannot tell": """
Through eight sigmoid layers δ shrinks by a factor of {shrinks_sigmoid}, through eight ReLU layers by {shrinks_relu}.
With sigmoids, one hidden layer gets {sigmoid_1} % and eight get {sigmoid_8} %; with ReLUs {relu_1} % and {relu_8} %.
The table says which part is open.
""",
    },
    try_next="""
`jaxquard train --activation sigmoid --hidden 64 64 64 64 64 64 64 64`: look at `grad_norm` by layer in the journal.
Then add `--optimizer adam`, which gives every weight a step of its own: how much of the loss comes back?
""",
)

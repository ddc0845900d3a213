"""Lesson: does the gradient vanish on its way back?"""

from typing import Any

import numpy as np

from jaxquard.charts import Chart
from jaxquard.config import Config
from jaxquard.lessons.experiment import Scale, by_activation, final, scales
from jaxquard.lessons.figures import curves, spread
from jaxquard.lessons.lesson import About, Finding, Lab, Measured
from jaxquard.lessons.verdict import above, at_an_end, bracket, tuned

DEPTHS = (1, 2, 4, 8)
NAMES = {"sigmoid": "sigmoid", "relu": "ReLU"}


def configs(scale: Scale) -> dict[str, Config]:
    """Hidden layers of 64 units, one, two, four and eight of them, at every rate."""
    return by_activation(scale, NAMES, DEPTHS)


def measure(lab: Lab, configs: dict[str, Config]) -> Measured:
    import jax
    import jax.numpy as jnp

    from jaxquard.nn.losses import cross_entropy
    from jaxquard.nn.model import deltas

    def inspect(model: Any, params: Any, state: Any, images: jax.Array, labels: jax.Array) -> Any:
        found = list(deltas(model, cross_entropy, params, state, images, labels).values())[:-1]
        return jnp.stack([jnp.linalg.norm(delta, axis=1).mean() for delta in found])

    # only the networks of the first rate of a sweep: all rates start from the same weights
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


def conclude(measured: Measured) -> Finding:
    deepest = DEPTHS[-1]
    sigmoid, relu = (shrinking(measured, name, deepest) for name in NAMES)
    found = accuracies(measured)
    parts = [
        above("powers of ten that ‖δ‖ loses over eight sigmoid layers", sigmoid, 2, "decades"),
        above("the same, minus the powers of ten that ‖δ‖ loses over eight ReLU layers", sigmoid - relu, 1, "decades"),
        above("sigmoid: one hidden layer minus eight", found["sigmoid", 1] - found["sigmoid", deepest], 1),
    ]
    facts = {f"{name}_{depth}": spread(values) for (name, depth), values in found.items()}
    facts |= {"shrinks_sigmoid": f"{10 ** sigmoid.mean():,.0f}", "shrinks_relu": f"{10 ** relu.mean():.1f}"}
    note = at_an_end({f"{NAMES[name]}, hidden layers: {d}": measured["accuracy"][f"{name} {d}"] for name, d in found})
    return Finding(parts, bracket(sigmoid, (1, 3, 5), "ABCD"), facts, note)


def draw(measured: Measured) -> list[Chart]:
    deltas = {NAMES[a]: np.log10(measured["deltas"][f"{a} {DEPTHS[-1]}"]).T for a in NAMES}
    found = accuracies(measured)
    return [
        curves(
            "How much of the error reaches each hidden layer, before training",
            {name: dict(enumerate(layers, 1)) for name, layers in deltas.items()},
            "layer",
            "log10 of the length of δ",
            series="activation",
        ),
        curves(
            "Powers of ten that δ loses from the last hidden layer to the first",
            {NAMES[a]: {depth: shrinking(measured, a, depth) for depth in DEPTHS} for a in NAMES},
            "hidden layers",
            "decades lost",
            series="activation",
        ),
        curves(
            "Held-out accuracy by depth",
            {NAMES[a]: {depth: found[a, depth] for depth in DEPTHS} for a in NAMES},
            "hidden layers",
            series="activation",
            note="Each network at its own best learning rate.",
        ),
    ]


ABOUT = About(
    question="Does the gradient vanish on its way back?",
    claim="In deep sigmoid networks the gradient vanishes towards the first layers, which costs accuracy; ReLU helps.",
    source="Nielsen, chapter 5, “The vanishing gradient problem”; the original README, “Activation Functions”",
    choices={
        "A": "Through eight sigmoid layers the error shrinks less than tenfold.",
        "B": "It shrinks ten- to a thousandfold.",
        "C": "It shrinks a thousand- to a hundred-thousandfold.",
        "D": "It shrinks more than that.",
    },
    scales=scales(epochs=4, full=10, images=20_000),
    background="""
BP2 carries δ from one layer to the one before: it multiplies by the weights and by σ′(z). The slope of a sigmoid is at
most a quarter. Unless the weights make up for it, every layer keeps at most a quarter of δ, and almost nothing reaches
the first layers. The slope of a ReLU that is on is 1, but half of them are off.
""",
    method="""
Networks with one, two, four and eight hidden layers of 64 units start from weights of 1/√n. Before training, the mean
length of δ over 1,000 images is measured in every hidden layer. Then the networks train for {epochs} epochs. Networks
of ReLUs train at four rates from 0.03 to 1. The sigmoids tolerate larger rates and train at six, up to 10. For each
seed, the lesson uses the rate with the best mean accuracy of the *other* seeds.
""",
    take_home={
        "holds": """
The gradient vanishes, and that costs accuracy. No learning rate corrects it: one rate must serve layers whose gradients
differ by orders of magnitude. ReLU reduces the problem, but its δ shrinks, too.
""",
        "does not hold": "The table shows which part of the claim fails.",
        "cannot tell": "The table shows which part of the claim is open.",
    },
    results="""
Through eight sigmoid layers δ shrinks by a factor of {shrinks_sigmoid}, through eight ReLU layers by {shrinks_relu}.
With sigmoids, one hidden layer gets {sigmoid_1} % and eight get {sigmoid_8} %; with ReLUs {relu_1} % and {relu_8} %.
""",
    try_next="""
`jaxquard train --activation sigmoid --hidden 64 64 64 64 64 64 64 64`: look at `grad_norm` by layer in the journal.
Then add `--optimizer adam`, which gives every weight its own step length: how much of the accuracy comes back?
""",
)

"""Lesson: where should the weights start?"""

from typing import TYPE_CHECKING, Any

import numpy as np

from jaxquard.charts import Chart, lines
from jaxquard.config import Config
from jaxquard.lessons.experiment import Scale, final, scales
from jaxquard.lessons.figures import BAND, by_epoch, point, spread
from jaxquard.lessons.lesson import Finding, Lesson, Measured, train_all
from jaxquard.lessons.verdict import above, bracket

if TYPE_CHECKING:
    from jaxquard.lessons.lab import Lab

STARTS = {"standard_normal": "N(0, 1)", "scaled_normal": "1/√n", "glorot_normal": "Glorot", "he_normal": "He"}
INPUTS = 784
DEEP = (128,) * 7


def configs(scale: Scale) -> dict[str, Config]:
    """The original network from each start."""
    return {start: Config(initializer=start, seeds=scale.seeds, epochs=scale.epochs) for start in STARTS}  # type: ignore[arg-type]


def measure(lab: "Lab", configs: dict[str, Config]) -> Measured:
    import jax
    import jax.numpy as jnp

    from jaxquard.nn.activations import softmax
    from jaxquard.nn.losses import cross_entropy
    from jaxquard.nn.model import pre_activations

    def inspect(model: Any, params: Any, state: Any, images: jax.Array, labels: jax.Array) -> Any:
        def cost(params: Any) -> jax.Array:
            return jnp.mean(cross_entropy(model.apply(params, state, images)[0], labels))

        zs = list(pre_activations(model, params, state, images).values())
        gradient = [jnp.linalg.norm(layer["w"]) for layer in jax.grad(cost)(params)]
        surest = softmax(zs[-1]).max(axis=-1).mean()
        return {"variance": jnp.stack([z.var() for z in zs]), "gradient": jnp.stack(gradient), "surest": surest}

    looked = {start: lab.look(start, config, inspect) for start, config in configs.items()}
    deep = {start: lab.look(start, config.replace(hidden=DEEP), inspect) for start, config in configs.items()}
    return {"start": looked, "deep start": deep, **train_all(lab, configs)}


def judge(measured: Measured) -> Finding:
    start, accuracy = measured["start"], {name: final(measured[name]) for name in STARTS}
    variance = {name: np.array(start[name]["variance"]) for name in STARTS}
    kept = variance["scaled_normal"]
    parts = [
        above(
            "Var(z) of the first layer from N(0, 1), as a share of 784",
            variance["standard_normal"][:, 0] / INPUTS,
            0.8,
            "",
        ),
        above("accuracy from 1/√n less from N(0, 1)", accuracy["scaled_normal"] - accuracy["standard_normal"], 1),
        above("Var(z) of the first layer from 1/√n", kept[:, 0], 0.8, ""),
        above("Var(z) of the second layer from 1/√n", kept[:, 1], 0.8, ""),
        above("Var(z) of the third layer from 1/√n", kept[:, 2], 0.8, ""),
    ]
    facts = {f"accuracy_{name}": spread(values) for name, values in accuracy.items()}
    facts |= {f"deep_{name}": spread(np.array(measured["deep start"][name]["variance"])[:, -1], 2) for name in STARTS}
    facts |= {f"z{n}": spread(kept[:, n - 1], 2) for n in (1, 2, 3)}
    facts |= {f"surest_{name}": spread(100 * np.array(start[name]["surest"]), 0) for name in STARTS}
    facts |= {f"gradient_{name}": spread(np.array(start[name]["gradient"])[:, -1]) for name in STARTS}
    facts["exploded"] = spread(variance["standard_normal"][:, 0], 0)
    return Finding(parts, bracket(kept[:, 2], (0.4, 0.8, 1.25), "ABCD"), facts)


def draw(measured: Measured) -> list[Chart]:
    return [_variance_chart(measured), _accuracy_chart(measured)]


def _variance_chart(measured: Measured) -> Chart:
    y = "log10 of Var(z)"
    rows = [
        point(np.log10(values), y, layer=layer, start=name)
        for start, name in STARTS.items()
        for layer, values in enumerate(np.array(measured["deep start"][start]["variance"]).T, 1)
    ]
    title = "Variance of z, layer by layer, before training"
    said = f"Seven hidden layers of 128 ReLU units, then the output. {BAND}"
    return lines(rows, "layer", y, series="start", band=("low", "high"), title=title, subtitle=said)


def _accuracy_chart(measured: Measured) -> Chart:
    y = "accuracy (%)"
    rows = [row for start, name in STARTS.items() for row in by_epoch(measured[start], y, start=name)]
    title = "Held-out accuracy of the original network from each start"
    return lines(rows, "epoch", y, series="start", band=("low", "high"), title=title, subtitle=BAND)


LESSON = Lesson(
    question="Why not start from N(0, 1)?",
    claim=(
        "With 784 inputs and weights from N(0, 1), the variance of z explodes to 784, the softmax saturates and the "
        "network learns badly; dividing the weights by √n keeps the variance near 1 from layer to layer."
    ),
    source="the original README, “Weight Initialisation: Scaled Gaussian”; Nielsen, chapter 3, “Weight initialization”",
    choices={
        "A": "With 1/√n, Var(z) in the third layer is below 0.4.",
        "B": "It is between 0.4 and 0.8.",
        "C": "It is about 1, as in the first (0.8 to 1.25).",
        "D": "It is larger.",
    },
    scales=scales(epochs=10, full=20),
    configs=configs,
    measure=measure,
    judge=judge,
    draw=draw,
    background="""
A neuron adds up its inputs, each times a weight: z = w₁x₁ + … + wₙxₙ. If the inputs have mean 0 and
variance 1, and the weights mean 0 and variance v, then z has variance n·v. With v = 1 and 784 pixels that is 784. With
v = 1/n it is 1, whatever n.

That is the first layer. What the second one gets is not z but ReLU(z), and a ReLU sets half of its inputs to zero. He's
start doubles v to make up for that; Glorot's takes the average of the layer's inputs and outputs for n.
""",
    method="""
Before any training, {seeds} networks from each start look at 1,000 images: the variance of z over images and units,
layer by layer, in the original network (784–128–64–10) and in one with seven hidden layers; how sure the softmax is;
how long the gradient is. Then the original network trains for {epochs} epochs from each, all at the original rate of
0.01, which may suit one start better than another. “Near 1” is taken to mean above 0.8 in each of the three layers.
""",
    take_home={
        "does not hold": """
The table says which parts hold. From N(0, 1), Var(z) is {exploded} in the first layer; the untrained softmax is on
average {surest_standard_normal} % sure of whatever it says, and the gradient of the last layer has length
{gradient_standard_normal}, where from 1/√n it has {gradient_scaled_normal}. The original README expects a saturated
softmax to make gradients vanish; these figures say what it does at the output. After training, N(0, 1) is at
{accuracy_standard_normal} %, 1/√n at {accuracy_scaled_normal} %.

But 1/√n keeps the variance at 1 only where nothing is cut off. After the first layer comes the ReLU: {z1}, {z2} and
{z3} in the three layers; after seven hidden layers it is {deep_scaled_normal}. What the next layer's variance comes
from is the mean square of its inputs, and a ReLU leaves about half of it. He's √(2/n) makes up for that: Var(z) is
about 2 from the first layer on, and is meant to stay there ({deep_he_normal} at the end of the deep network). The
original network, which is shallow, reaches {accuracy_he_normal} % with it.
""",
        "holds": """
From N(0, 1), Var(z) is {exploded} in the first layer, and training ends at {accuracy_standard_normal} %. From 1/√n the
variances are {z1}, {z2} and {z3}, and it ends at {accuracy_scaled_normal} %.
""",
    },
    try_next="""
`jaxquard train --initializer zeros`: why does nothing at all happen in the hidden layers? And with `--activation tanh`,
which cuts nothing off, which start keeps the variance best?
""",
)

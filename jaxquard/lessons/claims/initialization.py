"""Lesson: which initial weights?"""

from typing import Any

import numpy as np

from jaxquard.charts import Chart
from jaxquard.config import Config
from jaxquard.lessons.experiment import Scale, final, scales
from jaxquard.lessons.figures import by_epoch, curves, spread
from jaxquard.lessons.lesson import About, Finding, Lab, Measured, train_all
from jaxquard.lessons.verdict import above, bracket

STARTS = {"standard_normal": "N(0, 1)", "scaled_normal": "1/√n", "glorot_normal": "Glorot", "he_normal": "He"}
INPUTS = 784
DEEP = (128,) * 7


def configs(scale: Scale) -> dict[str, Config]:
    """The original network with each initialisation."""
    return {start: Config(initializer=start, seeds=scale.seeds, epochs=scale.epochs) for start in STARTS}  # type: ignore[arg-type]


def measure(lab: Lab, configs: dict[str, Config]) -> Measured:
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


def conclude(measured: Measured) -> Finding:
    start, accuracy = measured["start"], {name: final(measured[name]) for name in STARTS}
    variance = {name: np.array(start[name]["variance"]) for name in STARTS}
    kept = variance["scaled_normal"]
    share = "Var(z) of the first layer from N(0, 1), as a share of 784"
    parts = [
        above(share, variance["standard_normal"][:, 0] / INPUTS, 0.8, ""),
        above(
            "accuracy from 1/√n minus accuracy from N(0, 1)", accuracy["scaled_normal"] - accuracy["standard_normal"], 1
        ),
        *(
            above(f"Var(z) of the {nth} layer from 1/√n", kept[:, layer], 0.8, "")
            for layer, nth in enumerate(("first", "second", "third"))
        ),
    ]
    facts = {f"accuracy_{name}": spread(values) for name, values in accuracy.items()}
    facts |= {f"deep_{name}": spread(np.array(measured["deep start"][name]["variance"])[:, -1], 2) for name in STARTS}
    facts |= {f"z{n}": spread(kept[:, n - 1], 2) for n in (1, 2, 3)}
    facts |= {f"surest_{name}": spread(100 * np.array(start[name]["surest"]), 0) for name in STARTS}
    facts |= {f"gradient_{name}": spread(np.array(start[name]["gradient"])[:, -1]) for name in STARTS}
    facts["exploded"] = spread(variance["standard_normal"][:, 0], 0)
    return Finding(parts, bracket(kept[:, 2], (0.4, 0.8, 1.25), "ABCD"), facts)


def draw(measured: Measured) -> list[Chart]:
    deep = {name: np.log10(measured["deep start"][start]["variance"]).T for start, name in STARTS.items()}
    return [
        curves(
            "Variance of z by layer, before training",
            {name: dict(enumerate(layers, 1)) for name, layers in deep.items()},
            "layer",
            "log10 of Var(z)",
            series="start",
            note="Seven hidden layers of 128 ReLU units, then the output.",
        ),
        curves(
            "Held-out accuracy of the original network, by initialisation",
            {name: by_epoch(measured[start]) for start, name in STARTS.items()},
            series="start",
        ),
    ]


ABOUT = About(
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
    background="""
A neuron adds its inputs, each times a weight: z = w₁x₁ + … + wₙxₙ. If the inputs have mean 0 and variance 1, and the
weights mean 0 and variance v, then z has variance n·v. With v = 1 and 784 pixels, Var(z) is 784. With v = 1/n (weights
from N(0, 1), divided by √n), Var(z) is 1 for every n.

That holds for the first layer. The second layer receives ReLU(z) instead of z, and a ReLU sets half of its inputs to
zero. He's initialisation doubles v to correct for that: v = 2/n. Glorot's initialisation takes v = 1/m, where m is the
mean of the number of inputs and the number of outputs of the layer.
""",
    method="""
Before training, {seeds} networks with each initialisation classify 1,000 images. We measure the variance of z in each
layer (over images and units), the confidence of the softmax (its largest probability), and the length of the gradient.
We do so for the original network (784–128–64–10) and for a deep network with seven hidden layers. Then the original
network trains for {epochs} epochs with each initialisation, always at the original learning rate of 0.01. That rate may
suit one initialisation better than another. Here, “near 1” means above 0.8 in each of the three layers.
""",
    take_home={"does not hold": "The table shows which parts hold.", "holds": "Every part of the claim holds."},
    results="""
With N(0, 1), Var(z) is {exploded} in the first layer, and the untrained softmax has a mean confidence of
{surest_standard_normal} %. The gradient of the last layer has length {gradient_standard_normal} with N(0, 1), and
{gradient_scaled_normal} with 1/√n. According to the original README, a saturated softmax makes gradients vanish. The
gradient of the last layer does not vanish here. After training, the held-out accuracy is {accuracy_standard_normal} %
with N(0, 1) and {accuracy_scaled_normal} % with 1/√n.

With 1/√n, Var(z) is 1 only in the first layer, because every other layer comes after a ReLU. Var(z) is {z1}, {z2} and
{z3} in the three layers of the original network, and {deep_scaled_normal} in the last layer of the deep network. Var(z)
of a layer depends on the mean square of its inputs, and a ReLU halves the mean square. He's √(2/n) corrects for that:
Var(z) is about 2 in the first layer, and in theory also in every later layer ({deep_he_normal} in the last layer of the
deep network). The original network, which has only two hidden layers, reaches {accuracy_he_normal} % with He's
initialisation.
""",
    try_next="""
Run `jaxquard train --initializer zeros`. Why do the hidden layers never change? Which initialisation keeps Var(z)
nearest to 1 with `--activation tanh`, which sets nothing to zero?
""",
)

"""Lesson: do the four equations give the gradient?"""

from typing import Any

import numpy as np

from jaxquard.charts import Chart
from jaxquard.config import Config
from jaxquard.lessons import bench
from jaxquard.lessons.experiment import Scale, scales
from jaxquard.lessons.figures import curves, dots, spread
from jaxquard.lessons.lesson import About, Finding, Lab, Measured
from jaxquard.lessons.verdict import above, bracket

IMAGES = 50  # for the gradients
SAMPLED = 8  # parameters of each layer for finite differences, which cost two forward passes each
STEPS = tuple(10.0**-k for k in range(11, 0, -1))  # h
PRECISIONS = {"64 bits": np.float64, "32 bits": np.float32}


def configs(scale: Scale) -> dict[str, Config]:
    """Nielsen's network of chapters 1 and 2, sigmoid neurons and squared error, with two hidden layers."""
    network = Config(hidden=(30, 20), activation="sigmoid", loss="squared_error_sigmoid")
    return {"network": network.replace(learning_rate=3.0, seeds=scale.seeds, epochs=scale.epochs)}


def measure(lab: Lab, configs: dict[str, Config]) -> Measured:
    import jax
    import jax.numpy as jnp

    from jaxquard.nn.losses import squared_error_sigmoid

    config, data = lab.prepare(configs["network"])

    def inspect(model: Any, params: Any, state: Any, images: jax.Array, labels: jax.Array) -> Any:
        def cost(params: Any) -> jax.Array:
            return jnp.mean(squared_error_sigmoid(model.apply(params, state, images)[0], labels))

        return params, jax.grad(cost)(params)

    every = lab.look("network", configs["network"], inspect, images=IMAGES, trained=True)
    pixels = np.asarray(data.images[:IMAGES], np.float64).reshape(IMAGES, -1) / 255
    x = (pixels - (config.pixel_mean or 0)) / (config.pixel_std or 1)
    y = np.eye(data.classes)[np.asarray(data.labels[:IMAGES])]
    compared = []
    for k in range(config.seeds):
        params, grads = jax.tree.map(lambda leaf, k=k: leaf[k], every)
        compared.append(_compare(params, grads, x, y))
    return {name: np.stack([found[name] for found in compared]) for name in compared[0]}


def _compare(params: Any, by_jax: Any, x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
    """Relative errors of one network: by layer against jax.grad, by layer and h against finite differences."""
    params = [{name: np.float64(leaf) for name, leaf in layer.items()} for layer in params]
    by_hand = bench.by_hand(params, x, y)
    pairs = zip(by_hand, by_jax, strict=True)
    found = {"jax": np.array([_error(np.vstack([g["w"], g["b"]]), np.vstack([j["w"], j["b"]])) for g, j in pairs])}
    for name, dtype in PRECISIONS.items():
        layers = range(len(params))
        found[name] = np.array([[_difference(params, by_hand, n, h, x, y, dtype) for h in STEPS] for n in layers])
    return found


def _difference(params: Any, grads: Any, number: int, h: float, x: np.ndarray, y: np.ndarray, dtype: Any) -> float:
    """How far (C(w + h) - C(w - h)) / 2h is from ∂C/∂w, over some weights of a layer, always the same."""
    params = [{name: leaf.astype(dtype) for name, leaf in layer.items()} for layer in params]
    x, y, w = x.astype(dtype), y.astype(dtype), params[number]["w"]

    def cost() -> np.floating:
        return dtype(0.5) * ((y - bench.forward(params, x)[-1]) ** 2).sum(axis=1).mean()

    # only weights with a gradient: those of always blank pixels have none
    alive = np.flatnonzero(np.abs(grads[number]["w"]).ravel() > np.abs(grads[number]["w"]).mean())
    chosen = np.random.default_rng(number).choice(alive, min(SAMPLED, len(alive)), replace=False)
    slopes = []
    for index in zip(*np.unravel_index(chosen, w.shape), strict=True):
        kept, w[index] = w[index], w[index] + dtype(h)
        high, w[index] = cost(), kept - dtype(h)
        low, w[index] = cost(), kept
        slopes.append(float(high - low) / (2 * h))
    return _error(np.array(slopes), grads[number]["w"].ravel()[chosen])


def _error(found: np.ndarray, right: np.ndarray) -> float:
    """‖found - right‖ / ‖right‖."""
    return float(np.linalg.norm(found - right) / np.linalg.norm(right))


def digits(errors: Any) -> np.ndarray:
    """How many decimal digits agree, from 0 to the 16 of 64-bit numbers."""
    return -np.log10(np.clip(np.array(errors, np.float64), 1e-16, 1))


def conclude(measured: Measured) -> Finding:
    worst = digits(measured["jax"]).min(axis=1)
    differences, half = (digits(measured[name]).max(axis=2).min(axis=1) for name in PRECISIONS)
    parts = [
        above("digits shared with jax.grad, in the worst layer", worst, 5, "digits"),
        above("digits shared with finite differences, in the worst layer", differences, 5, "digits"),
    ]
    facts = {"jax": spread(worst), "differences": spread(differences), "single": spread(half)}
    return Finding(parts, bracket(worst, (4, 9), "ABC"), facts)


def draw(measured: Measured) -> list[Chart]:
    agreed = {
        "jax.grad, 32 bits": digits(measured["jax"]),
        "differences, 64 bits": digits(measured["64 bits"]).max(axis=2),
    }
    return [
        dots(
            "Digits on which BP1–BP4 agree with other methods, by layer",
            {f"layer {n}: {name}": row for name, layers in agreed.items() for n, row in enumerate(layers.T, 1)},
            "decimal digits that agree",
            zero=True,
        ),
        curves(
            "Finite differences: rounding limits how small a step may be",
            {name: dict(zip(STEPS, digits(measured[name]).min(axis=1).T, strict=True)) for name in PRECISIONS},
            "step h",
            "decimal digits that agree",
            series="numbers",
            log_x=True,
            note="Against BP1–BP4, in the worst layer.",
        ),
    ]


ABOUT = About(
    question="Do four equations give the whole gradient?",
    claim="The four equations BP1–BP4 give the gradient of the cost with respect to every weight and bias, exactly.",
    source="Nielsen, chapter 2, “The four fundamental equations behind backpropagation”",
    choices={
        "A": "The equations and jax.grad (which computes in 32 bits) agree to fewer than four digits.",
        "B": "They agree to four to nine digits: up to rounding.",
        "C": "They agree to more than nine digits.",
    },
    scales=scales(epochs=5, quick=5),
    amount="""
The network trains on {train} images; the gradients are those of the first 50. {seeds} seeds, each with its own initial
weights and its own order of images.
""",
    background="""
A gradient has one entry for every weight. One entry can be estimated by moving its weight up and down and comparing the
costs. For a hundred thousand weights that takes two hundred thousand forward passes. Back-propagation takes one forward
and one backward pass for all of them. In the equations, z are the weighted inputs of a layer, a = σ(z) are its outputs,
and σ′ is the slope of σ. δˡ = ∂C/∂zˡ are the slopes of the cost C with respect to the z of layer l. L is the last
layer, and ∇ₐC are the slopes of C with respect to its outputs. ⊙ multiplies entry by entry.

BP1, at the output: δᴸ = ∇ₐC ⊙ σ′(zᴸ). BP2, from each layer to the one before: δˡ = ((wˡ⁺¹)ᵀ δˡ⁺¹) ⊙ σ′(zˡ). BP3, for
the biases: ∂C/∂bˡ = δˡ. BP4, for the weights: ∂C/∂wˡ = δˡ (aˡ⁻¹)ᵀ, each weight's input times its output's δ.
""",
    method="""
A network of sigmoid neurons, 784–30–20–10 with squared error, trains for {epochs} epochs. Then its gradient is computed
in three ways: by the four equations, in NumPy with 64 bits; by `jax.grad`, which training uses, with 32 bits; and by
finite differences. Finite differences are computed for eight weights of each layer, chosen among those with larger
gradients, with steps from large to tiny. The biases are compared with `jax.grad` alone. The claim holds if the
equations agree with each of the two other methods to more than five digits in the worst layer.
""",
    take_home={
        "holds": "The equations give the gradient, up to rounding.",
        "does not hold": "The methods disagree, so one of the three has an error. Please report it.",
    },
    results="""
In the worst layer, {jax} digits agree with `jax.grad`, which computes with about seven, and {differences} with finite
differences at their best step. With 32 bits, finite differences at their best step reach only {single} digits: a small
step is lost in rounding, and over a large step the cost is not a straight line. So check a hand-written gradient with
64 bits and a step in the middle. For training use `jax.grad`, which applies the same chain rule to any network.
""",
    try_next="""
Write the function yourself, in a file `my_backprop.py`:

```python
def backprop(params, x, y):  # params: [{{"w": (in, out), "b": (out,)}}, …], x: (batch, in), y: (batch, out)
    ...  # sigmoid everywhere; C is the mean over the batch of ½‖y - a‖²
    return grads  # shaped like params
```

`jaxquard lesson backprop --mine my_backprop.py` runs it and names the first equation, and the layer, that is wrong.
""",
)

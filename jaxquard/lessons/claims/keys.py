"""Lesson: what are keys for, and what happens when one is used twice?"""

from typing import Any

import numpy as np

from jaxquard.charts import Chart
from jaxquard.config import Config
from jaxquard.lessons.experiment import Scale, scales
from jaxquard.lessons.figures import dots, spread
from jaxquard.lessons.lesson import About, Finding, Lab, Measured
from jaxquard.lessons.verdict import above, bracket

SAME = {
    "same_key": "one key, two draws",
    "split": "a key split in two, a draw from each",
    "same_seed": "one seed, two trainings",
    "next_seed": "two seeds, two trainings",
}
TRAINED = {
    "fresh": "a key for everything",
    "epochs": "one key for all orders of images",
    "steps": "one key for all dropout masks",
    "units": "one key for all units of a layer",
}
CALLED = TRAINED | {"fresh": "a key of its own for each use"}  # in charts; the names above are labels of training
HARM = 0.5  # points
DRAWS = 1_000


def configs(scale: Scale) -> dict[str, Config]:
    """Dropout of a half, so that much depends on the key of the dropout masks."""
    return {"dropout": Config(dropout=0.5, learning_rate=0.1, seeds=scale.seeds, epochs=scale.epochs)}


def measure(lab: Lab, configs: dict[str, Config]) -> Measured:
    config = configs["dropout"]
    weights, fresh = train(lab, TRAINED["fresh"], config)
    again, _ = train(lab, SAME["same_seed"], config)
    return {
        **draws(lab.scale.seeds),
        "differing": (weights != again).sum(axis=1),
        "same_seed": share_equal(weights, again),
        "next_seed": share_equal(weights, np.roll(weights, 1, axis=0)),
        "fresh": fresh,
        **{name: train(lab, TRAINED[name], config, forgotten=name)[1] for name in ("epochs", "steps", "units")},
    }


def draws(seeds: int) -> dict[str, np.ndarray]:
    """Share of equal numbers, by seed: from one key used twice, and from the two halves of a split key."""
    import jax

    def numbers(key: jax.Array) -> np.ndarray:
        return np.asarray(jax.random.normal(key, (DRAWS,)))

    keys = [jax.random.key(seed) for seed in range(seeds)]
    halves = [jax.random.split(key) for key in keys]
    return {
        "same_key": np.array([np.mean(numbers(key) == numbers(key)) for key in keys]),
        "split": np.array([np.mean(numbers(left) == numbers(right)) for left, right in halves]),
    }


def share_equal(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The share of numbers in each row that are equal to the last bit."""
    return (first == second).mean(axis=1)


def train(lab: Lab, label: str, config: Config, forgotten: str = "") -> tuple[np.ndarray, np.ndarray]:
    """As `fit`, except that all of the `forgotten` share one key: "epochs", "steps", "units" or nothing.

    Returns every network's weights of the first layer, flat, (seeds, weights), and its held-out accuracy, (seeds,).
    """
    from jaxquard.training.evaluation import accuracy, all_logits
    from jaxquard.training.fit import make_run
    from jaxquard.training.program import start

    config, data = lab.prepare(config)
    task, program = make_run(config, data)
    ts = start(program, task, config.networks())
    if forgotten == "units":
        ts = ts._replace(params=alike(ts.params))
    run = forgetful(task) if forgotten == "steps" else program.run
    for epoch in range(config.epochs):
        lab.tick(label, epoch / config.epochs)
        order = program.orders(ts.key, 0 if forgotten == "epochs" else epoch)
        ts = run(ts, order, data.images, data.labels, 0, task.steps_per_epoch)
    logits = all_logits(lambda images: program.logits(ts.params, ts.state, images), data.val_images)
    return np.asarray(ts.params[0]["w"]).reshape(config.seeds, -1), accuracy(logits, data.val_labels)


def alike(params: Any) -> Any:
    """Every unit with the initial weights of the first unit of its layer, as if all used one key."""
    import jax.numpy as jnp

    return [layer | {"w": jnp.repeat(layer["w"][..., :1], layer["w"].shape[-1], axis=-1)} for layer in params]


def forgetful(task: Any) -> Any:
    """`Program.run`, but every step uses the random numbers of step 0."""
    import jax

    from jaxquard.training.steps import train_step

    def run_one(ts: Any, order: jax.Array, images: jax.Array, labels: jax.Array, start: int, stop: int) -> Any:
        def body(number: jax.Array, ts: Any) -> Any:
            rows = jax.lax.dynamic_slice(order, (number * task.config.batch_size,), (task.config.batch_size,))
            return train_step(task, ts, images[rows], labels[rows])._replace(step=ts.step)

        return jax.lax.fori_loop(start, stop, body, ts)

    return jax.jit(lambda ts, order, *rest: jax.lax.map(lambda one: run_one(*one, *rest), (ts, order)))


def conclude(measured: Measured) -> Finding:
    equal = {name: 100 * np.array(measured[name]) for name in SAME}
    found = {name: 100 * np.array(measured[name]) for name in TRAINED}
    costs = {name: found["fresh"] - values for name, values in found.items() if name != "fresh"}
    differing = np.array(measured["differing"])
    same = "1 minus the number of weights that differ in two trainings from one seed, for the worst seed"
    parts = [
        above(same, np.full(len(differing), 1 - differing.max()), 0.5, "weights"),
        *(above(f"accuracy lost with {CALLED[name]}", cost, HARM) for name, cost in costs.items()),
    ]
    facts = {"fresh": spread(found["fresh"])} | {name: spread(values, 0) for name, values in equal.items()}
    facts |= {f"{name}_cost": spread(cost) for name, cost in costs.items()}
    return Finding(parts, bracket(costs["units"], (HARM, 10), "ABC"), facts)


def draw(measured: Measured) -> list[Chart]:
    shares = {name: 100 * np.array(measured[name]) for name in (*SAME, *TRAINED)}
    return [
        dots("Share of equal numbers, to the last bit", {SAME[k]: shares[k] for k in SAME}, "%", zero=True),
        dots("What a key used twice costs", {CALLED[k]: shares[k] for k in CALLED}),
    ]


ABOUT = About(
    question="What are keys for?",
    claim="Explicit keys make training reproducible, to the bit; and a key that is used twice does harm.",
    source="the original README, “Functional Random Number Generation”",
    choices={
        "A": "If all units of a layer get their initial weights from one key, it costs less than half a point.",
        "B": "It costs half a point to ten points.",
        "C": "It costs more than ten points.",
    },
    scales=scales(epochs=10, quick=10),
    background="""
NumPy has one hidden stream of random numbers. Two calls return different numbers, and the numbers depend on all earlier
calls. JAX has keys instead. A key is a value: the same key always gives the same numbers. New numbers need a new key,
made by splitting a key (`left, right = jax.random.split(key)`) or by folding a counter into it
(`jax.random.fold_in(key, step)`).

So results do not depend on the order of the computations. But there is a new mistake: if a key is used twice, the same
random numbers appear twice. JAX gives no warning, and the loss still falls.
""",
    method="""
The original network, with half of the hidden units dropped, trains for {epochs} epochs by plain SGD at a rate of 0.1
with {seeds} seeds: first with correct keys, then with three mistakes, one at a time. First mistake: the epoch is not
folded into the key for the order of images, so every epoch has the same order. Second mistake: the step is not folded
into the key for dropout, so every batch has the same dropout masks. Third mistake: all units of a layer get their
initial weights from one key, so all have the same weights. We repeat the training with correct keys from the same
seeds. The claim holds if all weights of the first layer have the same bits in both trainings, and if each mistake costs
more than half a point of accuracy.
""",
    take_home={
        "holds": "Training is reproducible, and each mistake costs accuracy.",
        "does not hold": """
The table shows which part of the claim fails. If a mistake costs no accuracy, the accuracy does not show it; only a
test of the keys does.
""",
        "cannot tell": """
{seeds} seeds do not decide whether each mistake costs more than half a point. A mistake can hide in the noise.
""",
    },
    results="""
In two trainings from one seed, {same_seed} % of the first layer's weights have the same bits; from two seeds,
{next_seed} %. With correct keys the network has an accuracy of {fresh} %. The loss of accuracy is {epochs_cost} points
if every epoch has the same order (below zero: a gain), {steps_cost} points if every batch has the same dropout masks,
and {units_cost} points if all units of a layer start with the same weights. Units with the same initial weights get
nearly the same gradient; only dropout and the weights of the next layer make them different.
""",
    try_next="""
Run `jaxquard train --seed 7` twice, and compare the hashes of the two checkpoints in their `manifest.json`. Then in
Python: what do `jax.random.split(key)[0]` and `jax.random.fold_in(key, 0)` have in common? And why must `key` itself
not be used after a split?
""",
)

"""Lesson: what are keys for, and what goes wrong when one is used twice?"""

from typing import TYPE_CHECKING, Any

import numpy as np

from jaxquard.charts import Chart, dot_plot
from jaxquard.config import Config
from jaxquard.lessons.experiment import Scale, scales
from jaxquard.lessons.figures import BAR, dot, spread
from jaxquard.lessons.lesson import Finding, Lesson, Measured
from jaxquard.lessons.verdict import above, bracket

if TYPE_CHECKING:
    from jaxquard.lessons.lab import Lab

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
CALLED = TRAINED | {"fresh": "a key of its own for each use"}  # in figures; those above belong to what was measured
HARM = 0.5  # points
DRAWS = 1_000


def configs(scale: Scale) -> dict[str, Config]:
    """Dropout of a half, so that much depends on the key that decides who is dropped."""
    return {"dropout": Config(dropout=0.5, learning_rate=0.1, seeds=scale.seeds, epochs=scale.epochs)}


def measure(lab: "Lab", configs: dict[str, Config]) -> Measured:
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
    """Share of equal numbers, by seed: twice from one key, and from the two halves of a split one."""
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
    """Of each row, how many numbers are equal to the last bit."""
    return (first == second).mean(axis=1)


def train(lab: "Lab", label: str, config: Config, forgotten: str = "") -> tuple[np.ndarray, np.ndarray]:
    """What `fit` does, but that the `forgotten` may all have to live on one key: "epochs", "steps" or "units".

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
    """Every unit with the first weights that the first unit of its layer has, as when all draw from one key."""
    import jax.numpy as jnp

    return [layer | {"w": jnp.repeat(layer["w"][..., :1], layer["w"].shape[-1], axis=-1)} for layer in params]


def forgetful(task: Any) -> Any:
    """`Program.run` for which every step is step 0, as far as its random numbers go."""
    import jax

    from jaxquard.training.steps import train_step

    def run_one(ts: Any, order: jax.Array, images: jax.Array, labels: jax.Array, start: int, stop: int) -> Any:
        def body(number: jax.Array, ts: Any) -> Any:
            rows = jax.lax.dynamic_slice(order, (number * task.config.batch_size,), (task.config.batch_size,))
            return train_step(task, ts, images[rows], labels[rows])._replace(step=ts.step)

        return jax.lax.fori_loop(start, stop, body, ts)

    return jax.jit(lambda ts, order, *rest: jax.lax.map(lambda one: run_one(*one, *rest), (ts, order)))


def judge(measured: Measured) -> Finding:
    equal = {name: 100 * np.array(measured[name]) for name in SAME}
    found = {name: 100 * np.array(measured[name]) for name in TRAINED}
    costs = {name: found["fresh"] - values for name, values in found.items() if name != "fresh"}
    differing = np.array(measured["differing"])
    same = "1 less the number of weights that differ between two trainings from one seed, in the worst seed"
    parts = [
        above(same, np.full(len(differing), 1 - differing.max()), 0.5, "weights"),
        *(above(f"{CALLED['fresh']} less {CALLED[name]}", cost, HARM) for name, cost in costs.items()),
    ]
    facts = {"fresh": spread(found["fresh"])} | {name: spread(values, 0) for name, values in equal.items()}
    facts |= {f"{name}_cost": spread(cost) for name, cost in costs.items()}
    return Finding(parts, bracket(costs["units"], (HARM, 10), "ABC"), facts)


def draw(measured: Measured) -> list[Chart]:
    same = [dot(100 * np.array(measured[name]), said) for name, said in SAME.items()]
    trained = [dot(100 * np.array(measured[name]), said) for name, said in CALLED.items()]
    return [
        dot_plot(same, title="How many numbers are the same, to the last bit", x_title="%", interval=BAR, zero=True),
        dot_plot(trained, title="What a forgotten key costs", x_title="held-out accuracy (%)", interval=BAR),
    ]


LESSON = Lesson(
    question="What are keys for?",
    claim="Explicit keys make training reproducible, to the bit; and a key that is used twice does harm.",
    source="the original README, “Functional Random Number Generation”",
    choices={
        "A": "If all units of a layer draw their first weights from one key, it costs less than half a point.",
        "B": "It costs half a point to ten points.",
        "C": "It costs more than ten points.",
    },
    scales={**scales(epochs=10, quick=10), "full": Scale(train=50_000, validation=10_000, epochs=10, seeds=10)},
    configs=configs,
    measure=measure,
    judge=judge,
    draw=draw,
    background="""
NumPy has one hidden stream of random numbers: ask twice, get two answers, and what you get depends on who asked
before. JAX has keys, and a key is a value: the same key gives the same numbers, always. For new numbers one makes new
keys, by splitting a key (`left, right = jax.random.split(key)`) or by folding a counter into it
(`jax.random.fold_in(key, step)`).

So results no longer depend on the order in which things were computed. But the mistake changes sides: forgotten
randomness used to make runs differ, and now makes steps alike. Nothing warns, and the loss still falls.
""",
    method="""
The original network, with half of the hidden units dropped, trains for {epochs} epochs by plain SGD at a rate of 0.1
over {seeds} seeds: with keys as they should be, and then with three mistakes, one at a time. The epoch is not folded
into the key of the order, so that every epoch has the same order. The step is not folded into the key of dropout, so
that the first image of every batch always meets the same mask, and the second another, and so on. And all units of a
layer draw their first weights from one key. The first training is repeated from the same seeds. The claim holds if all
weights of the repetition are the same bits, and if each of the mistakes costs more than half a point.
""",
    take_home={
        "holds": """
Trained twice from one seed, {same_seed} % of the first layer's weights are the same bits; from another seed,
{next_seed} %. And each mistake costs: of the {fresh} % that the network gets with keys as they should be, it loses
{epochs_cost} points if every epoch has the same order, {steps_cost} if dropout forgets the step, and {units_cost} if
all units of a layer begin alike: what begins alike gets nearly the same gradient, and only dropout and the weights of
the next layer pull it apart.
""",
        "does not hold": """
Trained twice from one seed, {same_seed} % of the first layer's weights are the same bits; from another seed,
{next_seed} %. The table says which part of the claim fails. With keys as they should be the network gets {fresh} %; it
loses {epochs_cost} points (below zero: it gains) if every epoch has the same order, {steps_cost} if dropout forgets the
step, {units_cost} if all units of a layer begin alike: they get nearly the same gradient, and only dropout and the
weights of the next layer pull them apart. Which of these mistakes would you have found by looking at the accuracy? That
is why the keys themselves must be right, and tested: the result need not tell.
""",
        "cannot tell": """
Trained twice from one seed, {same_seed} % of the first layer's weights are the same bits. With keys as they should be
the network gets {fresh} %; it loses {epochs_cost} points (below zero: it gains) if every epoch has the same order,
{steps_cost} if dropout forgets the step, and {units_cost} if all units of a layer begin alike. {seeds} seeds do not
settle for each of the three whether that is more than half a point: a mistake can hide in the noise.
""",
    },
    try_next="""
`jaxquard train --seed 7` twice, and compare the two checkpoints' hashes in their `manifest.json`. Then in Python: what
do `jax.random.split(key)[0]` and `jax.random.fold_in(key, 0)` have in common, and why must one never use `key` itself
after splitting it?
""",
)

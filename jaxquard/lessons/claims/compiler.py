"""Lesson: how much faster is compiled code?"""

import functools
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from jaxquard.charts import Chart
from jaxquard.config import Config
from jaxquard.lessons.experiment import Scale, scales
from jaxquard.lessons.figures import curves, show, spread
from jaxquard.lessons.lesson import About, Finding, Lab, Measured
from jaxquard.lessons.verdict import above, bracket

ORIGINAL = 128  # its batch size
BATCHES = (16, 64, ORIGINAL, 512)
WAYS = ("interpreted", "jitted step", "compiled epoch", "many networks")
UPDATES = {"interpreted": 5, "jitted step": 40}  # timed together; the other ways run a whole epoch
Way = Callable[[], int]  # makes some updates and returns their number


def configs(scale: Scale) -> dict[str, Config]:
    """The original network in batches of four sizes; each seed is one repetition of every timing."""
    return {f"batch {size}": Config(batch_size=size, epochs=1, seeds=scale.seeds) for size in BATCHES}


def measure(lab: Lab, configs: dict[str, Config]) -> Measured:
    return {label: time_ways(lab, label, config) for label, config in configs.items()}


def time_ways(lab: Lab, label: str, config: Config) -> dict[str, Any]:
    """Milliseconds for one update of one network, by way and repetition; and the seconds of compiling.

    The ways take turns, so that other work on the machine affects them equally.
    """
    ways = make_ways(lab, config)
    first = {name: clock(prepare(0)) for name, prepare in ways.items()}  # the first call compiles, and is not counted
    found: dict[str, list[float]] = {name: [] for name in ways}
    for repetition in range(lab.scale.seeds):
        lab.tick(label, repetition / lab.scale.seeds)
        for name, prepare in ways.items():
            found[name].append(1000 * clock(prepare(repetition))[1])
    return found | {
        "compiling": first["compiled epoch"][0] - first["compiled epoch"][2] * found["compiled epoch"][0] / 1000
    }


def clock(way: Way) -> tuple[float, float, int]:
    """Seconds in all, seconds for one update, and the number of updates."""
    began = time.perf_counter()
    updates = way()
    seconds = time.perf_counter() - began
    return seconds, seconds / updates, updates


def make_ways(lab: Lab, config: Config) -> dict[str, Callable[[int], Way]]:
    """The same updates in four ways. Each is first prepared for a seed: initial weights and order are not timed."""
    import jax

    from jaxquard.training.fit import make_run
    from jaxquard.training.program import start
    from jaxquard.training.steps import train_step

    resolved, data = lab.prepare(config)
    alone = resolved.replace(seeds=1)
    task, program = make_run(alone, data)
    images, labels, size, per_epoch = data.images, data.labels, config.batch_size, task.steps_per_epoch

    def one_step(ts: Any, rows: jax.Array, images: jax.Array, labels: jax.Array) -> Any:
        return train_step(task, ts, images[rows], labels[rows])

    def step_by_step(step: Any, updates: int, seed: int) -> Way:
        first = start(program, task, [alone.replace(seed=seed)])
        order = program.orders(first.key, 0)[0, : per_epoch * size].reshape(per_epoch, size)
        first = jax.tree.map(lambda leaf: leaf[0], first)
        batches = [order[number % per_epoch] for number in range(updates)]
        jax.block_until_ready((first, batches))

        def way() -> int:
            ts = first
            for rows in batches:
                ts = step(ts, rows, images, labels)
            jax.block_until_ready(ts.params)
            return updates

        return way

    def whole_epoch(networks: int, seed: int) -> Way:
        first = start(program, task, [alone.replace(seed=seed + k) for k in range(networks)])
        order = program.orders(first.key, 0)
        jax.block_until_ready((first, order))

        def way() -> int:
            ts = program.run(first, order, images, labels, 0, per_epoch)
            jax.block_until_ready(ts.params)
            return networks * per_epoch

        return way

    return {
        "interpreted": functools.partial(step_by_step, one_step, UPDATES["interpreted"]),
        "jitted step": functools.partial(step_by_step, jax.jit(one_step), UPDATES["jitted step"]),
        "compiled epoch": functools.partial(whole_epoch, 1),
        "many networks": functools.partial(whole_epoch, config.seeds),
    }


def ratios(measured: Measured, slow: str, fast: str, size: int = ORIGINAL) -> np.ndarray:
    """The time of one way over that of another, by repetition."""
    found = measured[f"batch {size}"]
    return np.array(found[slow]) / np.array(found[fast])


def conclude(measured: Measured) -> Finding:
    gain = ratios(measured, "interpreted", "jitted step")
    parts = [
        above("time of an interpreted step over a jitted one, on this machine", gain, 10, "times"),
        above("100 minus that", 100 - gain, 0, "times"),
    ]
    found = measured[f"batch {ORIGINAL}"]
    facts = {name.replace(" ", "_"): spread(found[name], 2) for name in WAYS}
    facts |= {
        "gain": spread(gain),
        "gain_small": spread(ratios(measured, "interpreted", "jitted step", BATCHES[0])),
        "gain_large": spread(ratios(measured, "interpreted", "jitted step", BATCHES[-1])),
        "epoch_gain": spread(ratios(measured, "jitted step", "compiled epoch"), 2),
        "many_gain": spread(ratios(measured, "compiled epoch", "many networks"), 2),
        "all_gain": spread(ratios(measured, "interpreted", "compiled epoch")),
        "small": str(BATCHES[0]),
        "large": str(BATCHES[-1]),
        "compiling": show(found["compiling"], 1),
    }
    return Finding(parts, bracket(gain, (2, 10, 100), "ABCD"), facts)


def draw(measured: Measured) -> list[Chart]:
    titles = {
        "Time of one update of one network, on this machine": "milliseconds for an update",
        "Speed by batch size, on this machine": "times as fast as interpreted",
    }
    times = {name: {size: measured[f"batch {size}"][name] for size in BATCHES} for name in WAYS}
    speeds = {name: {size: ratios(measured, "interpreted", name, size) for size in BATCHES} for name in WAYS[1:]}
    axes = {"series": "way", "log_x": True, "log_y": True, "note": "Both axes are logarithmic.", "over": "repetitions"}
    return [
        curves(title, found, "batch size", y, **axes)
        for (title, y), found in zip(titles.items(), (times, speeds), strict=True)
    ]


ABOUT = About(
    question="How much does the compiler save?",
    claim="A jitted training step is 10 to 100 times as fast as the same step interpreted.",
    source="the original README, “JIT Compilation”",
    choices={
        "A": "On this machine, less than twice as fast.",
        "B": "2 to 10 times as fast.",
        "C": "10 to 100 times as fast.",
        "D": "More than 100 times as fast.",
    },
    scales=scales(epochs=1, quick=1, seeds=(5, 10, 20)),
    amount="{train} images, {seeds} repetitions; no accuracy is measured.",
    background="""
Without a compiler, Python runs a training step operation by operation: find the function, check the shapes, start a
kernel, wait for memory. `jax.jit` runs through the step once, records it, and hands the record to XLA, which fuses
operations and makes one program. That saves overhead, and the overhead is the same for a small batch as for a large
one. The multiplications take as long as before. So the gain depends on the amount of arithmetic in each operation.

More than a step can be compiled: the whole epoch, so that Python calls one program; or the steps of many networks.
""",
    method="""
The same update of the original network is timed in four ways, with batches from 16 to 512: every operation by itself;
the step compiled; the epoch compiled; and the epoch of {seeds} networks compiled, with the time divided by their
number. (On a CPU, each network runs in the program of one network.) The four ways take turns, {seeds} times each.
The times include neither compiling nor making the initial weights and the order of the images. The claim holds if, with
batches of 128, the ratio of the first two lies between 10 and 100.

*Most lessons compare networks, and you should get the same verdicts. This lesson compares times. Its verdict is about
one machine on one day, with all the programs that ran on it. (The lesson on batch sizes compares times, too.)*
""",
    take_home={
        "holds": "The claim holds on this machine.",
        "does not hold": "The claim does not hold on this machine.",
        "cannot tell": "{seeds} repetitions do not decide the claim. A quieter machine gives narrower intervals.",
    },
    results="""
With batches of 128 the jitted step is {gain} times as fast ({jitted_step} ms for an update, against {interpreted} ms).
It is {gain_small} times as fast with batches of {small}, and {gain_large} times with batches of {large}: the compiler
saves overhead, which is a smaller part of the time in a larger batch. Compiling the epoch instead of the step makes it
{epoch_gain} times as fast again, and training {seeds} networks at once makes each {many_gain} times as fast as one
alone. From interpreted step to compiled epoch it is {all_gain} times. Compiling took {compiling} s (less if a compiled
program was found on disk), too long for a training of a few steps.
""",
    try_next="""
`JAX_DISABLE_JIT=1 python mlp_fashion_mnist.py --epochs 1` compiles nothing but single operations. Without the variable
and with `--epochs 3`, why is the first epoch slower than the others? And how does the time change if the batch size
changes in every step?
""",
)

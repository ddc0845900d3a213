"""Lesson: what does the compiler buy?"""

import functools
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxquard.charts import Chart, lines
from jaxquard.config import Config
from jaxquard.lessons.experiment import Scale
from jaxquard.lessons.figures import BAND, point, show, spread
from jaxquard.lessons.lesson import Finding, Lesson, Measured
from jaxquard.lessons.verdict import above, bracket

if TYPE_CHECKING:
    from jaxquard.lessons.lab import Lab

ORIGINAL = 128  # its batch size
BATCHES = (16, 64, ORIGINAL, 512)
WAYS = ("interpreted", "jitted step", "compiled epoch", "many networks")
UPDATES = {"interpreted": 5, "jitted step": 40}  # timed at a time; the others run through the whole epoch
Way = Callable[[], int]  # makes some updates, and says how many
LOGARITHMIC = f"{BAND.replace('seeds', 'repetitions')} Both axes are logarithmic."


def configs(scale: Scale) -> dict[str, Config]:
    """The original network in batches of four sizes; each seed is one repetition of every timing."""
    return {f"batch {size}": Config(batch_size=size, epochs=1, seeds=scale.seeds) for size in BATCHES}


def measure(lab: "Lab", configs: dict[str, Config]) -> Measured:
    return {label: time_ways(lab, label, config) for label, config in configs.items()}


def time_ways(lab: "Lab", label: str, config: Config) -> dict[str, Any]:
    """Milliseconds for one update of one network, by way and repetition; and what compiling took, in seconds.

    The ways take turns, so that whatever else the machine is doing disturbs them alike.
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
    """Seconds in all, seconds for one update, and how many updates there were."""
    began = time.perf_counter()
    updates = way()
    seconds = time.perf_counter() - began
    return seconds, seconds / updates, updates


def make_ways(lab: "Lab", config: Config) -> dict[str, Callable[[int], Way]]:
    """The same updates in four ways. Each is first prepared for a seed: first weights and order are not to be timed."""
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
    """How many times as long one way takes as another, by repetition."""
    found = measured[f"batch {size}"]
    return np.array(found[slow]) / np.array(found[fast])


def judge(measured: Measured) -> Finding:
    gain = ratios(measured, "interpreted", "jitted step")
    parts = [
        above("time of an interpreted step over a jitted one, on this machine", gain, 10, "times"),
        above("100 less that", 100 - gain, 0, "times"),
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
    return [_times_chart(measured), _ratios_chart(measured)]


def _times_chart(measured: Measured) -> Chart:
    x, y = "batch size", "milliseconds for an update"
    rows = [point(measured[f"batch {size}"][name], y, **{x: size, "way": name}) for name in WAYS for size in BATCHES]
    title = "Time of one update of one network, on this machine"
    return lines(
        rows, x, y, series="way", band=("low", "high"), log_x=True, log_y=True, title=title, subtitle=LOGARITHMIC
    )


def _ratios_chart(measured: Measured) -> Chart:
    x, y = "batch size", "times as fast as interpreted"
    rows = [
        point(ratios(measured, "interpreted", name, size), y, **{x: size, "way": name})
        for name in WAYS[1:]
        for size in BATCHES
    ]
    title = "What compiling buys, by batch size, on this machine"
    return lines(
        rows, x, y, series="way", band=("low", "high"), log_x=True, log_y=True, title=title, subtitle=LOGARITHMIC
    )


LESSON = Lesson(
    question="What does the compiler buy?",
    claim="A jitted training step is 10 to 100 times as fast as the same step interpreted.",
    source="the original README, “JIT Compilation”",
    choices={
        "A": "On this machine, less than twice as fast.",
        "B": "2 to 10 times as fast.",
        "C": "10 to 100 times as fast.",
        "D": "More than 100 times as fast.",
    },
    scales={
        "quick": Scale(train=1_000, validation=1_000, epochs=1, seeds=5),
        "default": Scale(train=10_000, validation=5_000, epochs=1, seeds=10),
        "full": Scale(train=50_000, validation=10_000, epochs=1, seeds=20),
    },
    configs=configs,
    amount="{train} images, {seeds} repetitions; nothing is judged by accuracy.",
    measure=measure,
    judge=judge,
    draw=draw,
    background="""
Without a compiler, Python walks through a training step operation by operation: find the function, check the shapes,
start a kernel, wait for memory. `jax.jit` walks through it once, records it, and hands the record to XLA, which fuses
what can be fused and makes one program. What is saved is overhead, and overhead is the same for a small batch as for a
large one; the multiplications themselves take as long as they take. So how much a compiler buys is a question about
how much arithmetic hides behind each operation.

There is more to compile than a step: the whole epoch, so that Python is called once; or the steps of many networks.
""",
    method="""
The same update of the original network is timed in four ways, in turns, {seeds} times each, with batches from 16 to
512: every operation on its own; the step compiled; the epoch compiled; and {seeds} networks at once (on a CPU they take
turns, each by the program of one), the time counted for one. Compiling is not counted, nor is making the first weights
and the order of the images. The claim holds if, with batches of 128, the ratio of the first two lies between 10 and
100.

*Almost every other lesson's verdict is about networks (batch size has a part about times), and you should get the same
one. This one's is about times: it is a verdict on this machine, on this day, with whatever else was running.*
""",
    take_home={
        "holds": """
On this machine, yes: {gain} times as fast with batches of 128 ({interpreted} ms against {jitted_step} ms for an
update). It depends on how much arithmetic there is: with batches of {small} it is {gain_small} times, with batches of
{large} {gain_large}. Compiling the epoch instead of the step makes it {epoch_gain} times as fast again; each of
{seeds} networks trained at once goes {many_gain} times as fast as one alone. All this for {compiling} s of compiling
(less when a compiled program was found on disk), which a training of a few steps would not earn back.
""",
        "does not hold": """
Not on this machine: with batches of 128 the jitted step is {gain} times as fast ({jitted_step} ms for an update,
against {interpreted} ms). With batches of {small} it is {gain_small} times, with batches of {large} {gain_large}: what
the compiler saves is overhead, and the larger the batch, the less of the time is overhead. Compiling the epoch instead
of the step makes it {epoch_gain} times as fast again; each of {seeds} networks trained at once goes {many_gain} times
as fast as one alone. From interpreted to compiled epoch it is {all_gain} times.
""",
        "cannot tell": """
With batches of 128 the jitted step is {gain} times as fast on this machine: {seeds} repetitions do not settle on which
side of the claim's limits that is. With batches of {small} it is {gain_small} times, with batches of {large}
{gain_large}. From interpreted to compiled epoch it is {all_gain} times. A quieter machine gives narrower intervals.
""",
    },
    try_next="""
`JAX_DISABLE_JIT=1 python mlp_fashion_mnist.py --epochs 1` compiles nothing but single operations. Without the variable
and with `--epochs 3`, why is the first epoch slower than the others? And what happens to the time if the batch size
changes in every step?
""",
)

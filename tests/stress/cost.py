"""One checkpoint of every recipe's network, alone and with all its seeds, is written repeatedly, as training writes it.
Its time is compared with the time between two checkpoints.
"""

import statistics
import time
from functools import partial
from pathlib import Path

from common import HOME, Row, in_child

from jaxquard import recipes
from jaxquard.config import Config
from jaxquard.runs import directory
from jaxquard.runs.keeper import CHECKPOINT_SECONDS, Keeper
from jaxquard.training.fit import Event
from jaxquard.training.program import make_program, start
from jaxquard.training.task import make_task

IMAGES, SHAPE, CLASSES = 60_000, (28, 28, 1), 10
TIMES = 20


def measure(short: bool = False) -> list[Row]:
    """TIMES checkpoints of each (short: 3 of the original recipe)."""
    names, times = (["original"], 3) if short else (recipes.names(), TIMES)
    shares = {}
    for name in names:
        config = recipes.find(name).config
        for seeds in (1,) if short else (1, recipes.find(name).seeds):
            root = HOME / "cost" / f"{name}-{seeds}"
            took = in_child(partial(seconds, config.replace(seeds=seeds), root, times))
            shares[f"`{name}` × {seeds}"] = took / CHECKPOINT_SECONDS
    worst = max(shares, key=lambda name: shares[name])
    promise = f"A checkpoint every {CHECKPOINT_SECONDS:g} s costs at most 2 % of the time, whatever the recipe"
    figure = f"{100 * shares[worst]:.2f} %, the most expensive of {len(shares)}: {worst} networks"
    return [Row(promise, figure, "≤ 2 %", short or shares[worst] <= 0.02)]


def seconds(config: Config, root: Path, times: int) -> float:
    """The median time of a checkpoint."""
    task = make_task(config, SHAPE, CLASSES, IMAGES)
    state = start(make_program(task), task, config.networks())
    run = directory.create(root, "run", config, {}, state)
    keeper, took = Keeper(run), []
    for step in range(1, times + 1):
        began = time.perf_counter()
        keeper.save(Event("checkpoint", state, 0, step, 0.0))
        took.append(time.perf_counter() - began)
    return statistics.median(took)

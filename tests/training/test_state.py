"""TrainState: buffers that can be donated, and the selected weights."""

import jax
import jax.numpy as jnp
import pytest

from jaxquard.config import Config
from jaxquard.training.program import make_program, start
from jaxquard.training.state import TrainState
from jaxquard.training.stopping import Stopping
from jaxquard.training.task import make_task

FULL = Config(hidden=(5, 5), batch_size=50, optimizer="adamw", ema=0.9, patience=3, weight_decay=0.1, validation=50)


@pytest.mark.parametrize("seeds", [1, 2])
def test_no_two_leaves_share_a_buffer(seeds: int):
    config = FULL.replace(seeds=seeds)
    task = make_task(config, (8, 8, 1), 4, 253)
    ts = start(make_program(task), task, config.networks())
    leaves = jax.tree.leaves(ts._replace(key=jax.random.key_data(ts.key)))
    assert len({leaf.unsafe_buffer_pointer() for leaf in leaves}) == len(leaves) > 30


def state(**parts: object) -> TrainState:
    nothing = dict.fromkeys(TrainState._fields, ())
    return TrainState(**nothing | {"params": "newest", "state": "s"} | parts)


def test_the_selected_weights_are_the_best_else_the_average_else_the_newest():
    best = Stopping(*map(jnp.float32, (1, 1, -1)), params="best", state="b")
    assert state().selected == state().current == ("newest", "s")
    assert state(ema=("average", "a")).selected == state(ema=("average", "a")).current == ("average", "a")
    everything = state(ema=("average", "a"), stopping=best)
    assert everything.selected == ("best", "b")
    assert everything.current == ("average", "a")

"""TrainState: all there is to know about a training under way. What is not in here does not influence the next step."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxquard.nn.model import Params, State


class Totals(NamedTuple):
    """Running sums over the epoch under way, and the first step at which the loss was not finite (-1: none)."""

    loss: jax.Array
    correct: jax.Array
    examples: jax.Array
    bad_step: jax.Array

    @classmethod
    def zero(cls, bad_step: jax.Array | int = -1) -> "Totals":
        """Empty sums; a fault once seen is not forgotten."""
        return cls(jnp.float32(0), jnp.int32(0), jnp.int32(0), jnp.int32(bad_step))


class Stopping(NamedTuple):
    """Early stopping's memory: the best validation loss, when it was, the epochs waited since, and those weights."""

    best_loss: jax.Array
    best_epoch: jax.Array
    waited: jax.Array
    params: Params
    state: State


class TrainState(NamedTuple):
    """Parameters, model state, optimiser state, averaged weights, root key, updates done, scalars, totals, memory.

    The functions of `steps` see one network; everywhere else each leaf has a leading axis of networks, even of one.
    `ema` and `stopping` are `()` where unused.
    """

    params: Params
    state: State
    opt_state: Any
    ema: Any
    key: jax.Array
    step: jax.Array
    hyper: dict[str, jax.Array]
    totals: Totals
    stopping: Any

    @property
    def judged(self) -> tuple[Params, State]:
        """The weights to judge and to use: early stopping's best, else the average, else the newest."""
        if self.stopping != ():
            return self.stopping.params, self.stopping.state
        return self.current

    @property
    def current(self) -> tuple[Params, State]:
        """The weights as they are at this step, averaged where the run averages."""
        return self.ema if self.ema != () else (self.params, self.state)

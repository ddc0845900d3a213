"""TrainState: the whole state of a training. Together with the config and the data it determines the next step."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxquard.nn.model import Params, State


class Totals(NamedTuple):
    """Running sums over the current epoch, and the first step at which the loss was not finite (-1: none)."""

    loss: jax.Array
    correct: jax.Array
    examples: jax.Array
    bad_step: jax.Array

    @classmethod
    def zero(cls, bad_step: jax.Array | int = -1) -> "Totals":
        """Empty sums. A new epoch keeps `bad_step`."""
        return cls(jnp.float32(0), jnp.int32(0), jnp.int32(0), jnp.int32(bad_step))


class TrainState(NamedTuple):
    """Parameters, model state, optimiser state, averaged weights, root key, updates done, scalars, totals, and the
    memory of early stopping.

    In `steps` and `diagnosis` it is the state of one network. Everywhere else each leaf has a leading axis of networks,
    even for one network. `ema` and `stopping` are `()` if unused.
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
    def selected(self) -> tuple[Params, State]:
        """The weights to evaluate and to use: those of early stopping's best epoch, or the current ones without it."""
        return (self.stopping.params, self.stopping.state) if self.stopping else self.current

    @property
    def current(self) -> tuple[Params, State]:
        """The weights at this step: their average if the run keeps one, else the newest."""
        return self.ema if self.ema != () else (self.params, self.state)

    @property
    def stopped(self) -> np.ndarray:
        """Whether early stopping has ended each network: (networks,) bool."""
        return np.asarray(self.stopping.stopped_at) >= 0 if self.stopping else np.zeros(np.shape(self.step), bool)

    @property
    def safe(self) -> np.ndarray:
        """Whether each network has stopped with a best epoch before any loss that was not finite: (networks,) bool."""
        if not self.stopping:
            return self.stopped
        bad, stopped_at = np.asarray(self.totals.bad_step), np.asarray(self.stopping.stopped_at)
        return self.stopped & (np.asarray(self.stopping.best_epoch) > 0) & ((bad < 0) | (bad >= stopped_at))

    @property
    def lost(self) -> np.ndarray:
        """Whether each network's loss was not finite before it had stopped: (networks,) bool."""
        return (np.asarray(self.totals.bad_step) >= 0) & ~self.safe

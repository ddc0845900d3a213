"""Early stopping: each network keeps its weights from the epoch with the lowest validation loss.

A network stops after `patience` epochs in a row without a lower loss (Prechelt, 1998, "Early stopping – but when?").
It keeps training with the others until all have stopped, but its memory no longer changes. `end_epoch` is the whole
rule; other code only reads the memory.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxquard.nn.model import Params, State


class Stopping(NamedTuple):
    """The memory: the lowest validation loss, its epoch (-1: none yet), the step at which the network stopped (-1: not
    yet), and the weights of the best epoch.
    """

    best_loss: jax.Array
    best_epoch: jax.Array
    stopped_at: jax.Array
    params: Params
    state: State

    @classmethod
    def start(cls, params: Params, state: State) -> "Stopping":
        """The memory of one network before its first epoch."""
        return cls(jnp.float32(jnp.finfo(jnp.float32).max), jnp.int32(-1), jnp.int32(-1), params, state)

    def end_epoch(
        self, val_loss: jax.Array, epoch: jax.Array, step: jax.Array, weights: tuple[Params, State], patience: jax.Array
    ) -> "Stopping":
        """One network's memory after an epoch that ended at `step` with these weights and this validation loss."""
        training = self.stopped_at < 0
        better = training & (val_loss < self.best_loss)
        waited = epoch - jnp.maximum(self.best_epoch, 0)
        new = Stopping(val_loss, epoch, self.stopped_at, *weights)
        kept = self._replace(stopped_at=jnp.where(training & (waited >= patience), step, self.stopped_at))
        return jax.tree.map(lambda a, b: jnp.where(better, a, b), new, kept)

"""Writes a running training's journal lines, checkpoints and snapshots."""

import dataclasses
import time
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from jaxquard.files import write_atomically
from jaxquard.runs import checkpoint, journal, tensors
from jaxquard.runs.directory import Run
from jaxquard.strict_json import plain
from jaxquard.training.fit import Event
from jaxquard.training.state import TrainState

CHECKPOINT_SECONDS = 10.0  # a checkpoint of the original network takes about 5 ms: 0.05 % of the time


@dataclass
class Keeper:
    """Writes a run's files: journal lines first, then the checkpoint that includes their steps.

    Journal and snapshots depend only on the steps taken, not on when `fit` reports them; checkpoints also depend on the
    clock.
    """

    run: Run
    epoch_seconds: float = 0.0
    saved_at: float = dataclasses.field(default_factory=time.monotonic)

    def keep(self, event: Event) -> None:
        """Write what follows from an event."""
        self.epoch_seconds += event.seconds if event.kind != "compiled" else 0.0
        match event.kind:
            case "epoch":
                self._keep_epoch(event)
            case "diverged":
                record = event.record or {}
                self.lost(record["quantity"], dict(zip(record["networks"], record["steps"], strict=True)))
        due = event.kind in ("epoch", "progress") and time.monotonic() - self.saved_at > CHECKPOINT_SECONDS
        if due or event.kind == "checkpoint":
            self.save(event)

    def _keep_epoch(self, event: Event) -> None:
        line = (event.record or {}) | {"seconds": round(self.epoch_seconds, 6)}
        self.epoch_seconds = 0.0
        journal.append(self.run.journal_file, line)
        if event.state.stopped.all():
            best = plain(event.state.stopping.best_epoch)
            self.note("stopped", event.step, reason="patience", best_epoch=best)
        if is_snapshot_epoch(event.epoch):
            write_atomically(self.run.snapshot(event.epoch), tensors.to_bytes(event.state.current))

    def lost(self, quantity: str, bad_steps: dict[int, int]) -> None:
        """Record which networks diverged and at which step, unless already recorded."""
        known = self.run.diverged()
        for bad_step, network in sorted((bad_step, network) for network, bad_step in bad_steps.items()):
            if network not in known:
                self.note("diverged", bad_step + 1, network=network, quantity=quantity, bad_step=bad_step)

    def note(self, event: str, step: int, **facts: Any) -> None:
        """Add an event to the journal."""
        journal.append(self.run.journal_file, {"event": event, "step": step, **facts, "time": time.time()})

    def save(self, event: Event) -> None:
        """Write a checkpoint of the state if at least one of its networks is worth keeping."""
        if worth_keeping(event.state).any():
            checkpoint.write(self.run.checkpoints, event.step, event.state, self.epoch_seconds)
        self.saved_at = time.monotonic()


def worth_keeping(ts: TrainState) -> np.ndarray:
    """For each network, whether its weights, or the best ones kept by early stopping, are finite: (networks,)."""
    return finite_weights(ts) | ts.safe


def finite_weights(ts: TrainState) -> np.ndarray:
    """For each network, whether all its parameters are finite: (networks,) bool."""
    leaves = [np.isfinite(np.asarray(leaf)) for leaf in jax.tree.leaves(ts.params)]
    return np.all([leaf.reshape(len(ts.step), -1).all(axis=1) for leaf in leaves], axis=0)


def is_snapshot_epoch(epoch: int) -> bool:
    """Every epoch at first, then fewer: 1–8, 10, 12, 14, 16, 20, 24, 28, 32, 40, …"""
    return epoch % 2 ** max(0, (epoch - 1).bit_length() - 3) == 0

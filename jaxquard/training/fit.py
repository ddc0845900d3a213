"""The training loop as a generator of events. It prints nothing, writes nothing, and remembers nothing that is not in
the TrainState it yields: whoever consumes the events decides what to show, keep and stop.
"""

import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from jaxquard.config import Config
from jaxquard.errors import UsageError
from jaxquard.strict_json import plain
from jaxquard.training.data import TrainingData
from jaxquard.training.evaluation import accuracy, all_logits, mean_loss
from jaxquard.training.program import Program, make_program, start
from jaxquard.training.state import TrainState
from jaxquard.training.task import Task, check, make_model, make_task, phases, task_of_epoch

HEARTBEAT = 0.4  # seconds between events at most, roughly
LONG = 1.45  # the same of CNNs and of several networks; with a checkpoint it must fit into `runs.interrupts.PATIENCE`
AT_A_TURN = 8  # steps: where several networks' together take too long, each makes so many, or what fits into LONG
DIAGNOSED = 256  # training images looked at for gradient norms and dead units


@dataclass(frozen=True)
class Event:
    """Something worth knowing. `state` is valid until the next event: its buffers are then reused.

    `compiled`: ready to step. `progress`: still stepping. `turn`: one of several networks has taken its steps; step and
    state are still those before. `checkpoint`: a step that was asked for. `epoch`: an epoch ended, `record` is its
    journal line. `diverged`: a loss was not finite; `record` says which network and step. `stopped`: early stopping.
    `seconds` is the time that the steps since the last event took.
    """

    kind: Literal["compiled", "progress", "turn", "checkpoint", "epoch", "diverged", "stopped"]
    state: TrainState
    epoch: int
    step: int
    seconds: float
    record: dict[str, Any] | None = None


def make_run(config: Config, data: TrainingData) -> tuple[Task, Program]:
    """The task of a resolved config and its compiled program. UsageError if images of half the size are too small."""
    task = make_task(config, data.images.shape[1:], data.classes, len(data.images))
    check(task.model, config)
    return task, make_program(task)


def fit(
    config: Config,
    data: TrainingData,
    train_state: TrainState | None = None,
    *,
    until: int | None = None,
    checkpoint_every: int | None = None,
    diagnostics: bool = True,
) -> Iterator[Event]:
    """Train from `train_state` (None: from the start) to the end of the config's epochs, or of epoch `until`.

    The config must be resolved (`prepare`). The state passed in is used up. Stopping and starting again anywhere gives
    the same bits as never having stopped.
    """
    if config.teacher and data.teacher is None:
        raise UsageError("teacher: its answers are not in the data; jaxquard.runs.teacher.ask puts them there")
    stepper = _Stepper(config, data, checkpoint_every)
    task, program = stepper.task, stepper.program
    ts = start(program, task, config.networks()) if train_state is None else train_state
    first_epoch = int(ts.step[0]) // task.steps_per_epoch
    last_epoch = config.epochs if until is None else min(until, config.epochs)
    ts, seconds = stepper.compile(ts, first_epoch, last_epoch)
    yield Event("compiled", ts, first_epoch, int(ts.step[0]), seconds)

    for epoch in range(first_epoch, last_epoch):
        if ts.stopped.all():
            return
        ts, seconds = yield from stepper.run(ts, epoch)
        if ts.lost.all():
            return
        record, ts = _end_epoch(config, program, data, ts, epoch, diagnostics)
        step = int(ts.step[0])
        yield Event("epoch", ts, epoch + 1, step, seconds, record)
        if stepper.is_asked(step):
            yield Event("checkpoint", ts, epoch + 1, step, 0.0)
        if ts.stopped.all():
            record = {"reason": "patience", "best_epoch": plain(ts.stopping.best_epoch)}
            yield Event("stopped", ts, epoch + 1, step, 0.0, record)


class _Stepper:
    """Runs the steps of an epoch, so many at a time that an event comes about every heartbeat."""

    def __init__(self, config: Config, data: TrainingData, checkpoint_every: int | None) -> None:
        self.config, self.data, self.checkpoint_every = config, data, checkpoint_every
        self.task, self.program = make_run(config, data)
        slow = len(config.networks()) > 1 or make_model(self.task.model).convolutional
        self.heartbeat = LONG if slow else HEARTBEAT
        self.stepping, self.chunk = self.program, 1

    def program_of(self, epoch: int) -> Program:
        """The program of an epoch's steps."""
        return make_program(task_of_epoch(self.task, self.config, epoch))

    def is_asked(self, step: int) -> bool:
        """Whether a checkpoint was asked for at this step."""
        return self.checkpoint_every is not None and step % self.checkpoint_every == 0

    def compile(self, ts: TrainState, epoch: int, last_epoch: int) -> tuple[TrainState, float]:
        """The same state once all programs of the epochs to come are compiled, and the seconds that this took."""
        began = time.perf_counter()
        here, order = int(ts.step[0]) % self.task.steps_per_epoch, self.program.orders(ts.key, 0)
        to_come = {self.program_of(at) for at in (epoch, *phases(self.config)) if epoch <= at < last_epoch}
        for needed in to_come or {self.program_of(epoch)}:
            ts = needed.run(ts, order, self.data.images, self.data.labels, here, here, self.data.teacher)
        jax.block_until_ready(ts)
        return ts, time.perf_counter() - began

    def run(self, ts: TrainState, epoch: int) -> Generator[Event, None, tuple[TrainState, float]]:
        """The rest of an epoch: the state after it, or when all networks are lost; and the seconds not yet reported."""
        data, per_epoch = self.data, self.task.steps_per_epoch
        step, first, end = int(ts.step[0]), epoch * per_epoch, (epoch + 1) * per_epoch
        order = self.program.orders(ts.key, epoch)
        if (needed := self.program_of(epoch)) is not self.stepping:
            self.stepping, self.chunk = needed, 1  # how long its steps take is not known yet
        while True:
            stop = self._next_stop(step, end)
            turns = self.stepping.turns(ts, order, data.images, data.labels, step - first, stop - first, data.teacher)
            ts, took = yield from _take_turns(turns, Event("turn", ts, epoch, step, 0.0), self.heartbeat)
            seconds, self.chunk = sum(took), _chunk(self.heartbeat, stop - step, took)
            if record := _newly_lost(ts, step):
                yield Event("diverged", ts, epoch, stop, seconds, record)
                seconds = 0.0
            step = stop
            if step == end or ts.lost.all():
                return ts, seconds
            yield Event("checkpoint" if self.is_asked(step) else "progress", ts, epoch, step, seconds)

    def _next_stop(self, step: int, end: int) -> int:
        """The step to run to: not past the heartbeat, the next checkpoint asked for, or the end of the epoch."""
        every = self.checkpoint_every
        return min(step + self.chunk, end, (step // every + 1) * every if every else end)


def _newly_lost(ts: TrainState, since: int) -> dict[str, Any] | None:
    """The networks whose loss has broken since a step, and when; None if there is none."""
    bad_steps = plain(ts.totals.bad_step)
    networks = [k for k, bad_step in enumerate(bad_steps) if ts.lost[k] and bad_step >= since]
    record = {"quantity": "loss", "networks": networks, "steps": [bad_steps[k] for k in networks]}
    return record if networks else None


def _take_turns(
    turns: Iterator[TrainState | None], between: Event, heartbeat: float
) -> Generator[Event, None, tuple[TrainState, list[float]]]:
    """The state after all networks' turns, and the seconds of each; `between` two of them where it is time for it."""
    after, took, silent = between.state, list[float](), 0.0
    began = time.perf_counter()
    for done in turns:
        took.append(time.perf_counter() - began)
        silent += took[-1]
        if done is not None:
            after = done
        elif silent + took[-1] > heartbeat:
            yield between
            silent = 0.0
        began = time.perf_counter()
    return after, took


def _chunk(heartbeat: float, steps: int, took: list[float]) -> int:
    """How many steps to run next, from the seconds that each network's turn of the last `steps` `took`.

    As many as the networks together make within `heartbeat`, or AT_A_TURN if that is more and the slowest alone does.
    """
    together, alone = (int(heartbeat * steps / seconds) for seconds in (sum(took), max(took)))
    return max(1, together, min(alone, AT_A_TURN))


def _end_epoch(
    config: Config,
    program: Program,
    data: TrainingData,
    ts: TrainState,
    epoch: int,
    diagnostics: bool,
) -> tuple[dict[str, Any], TrainState]:
    """The journal's line for the epoch just run, and the state with early stopping's memory brought up to date."""
    record: dict[str, Any] = {"epoch": epoch + 1, "step": int(ts.step[0])}
    seen = np.asarray(ts.totals.examples, np.float64)
    record["train_loss"] = np.asarray(ts.totals.loss, np.float64) / seen
    lost = ~np.isfinite(record["train_loss"])
    record["train_accuracy"] = np.where(lost, 0.0, np.asarray(ts.totals.correct, np.float64) / seen)
    if len(data.val_labels):
        logits = all_logits(lambda images: program.logits(*ts.current, images), data.val_images)
        val_loss = mean_loss(logits, data.val_labels)
        record["val_loss"], record["val_accuracy"] = val_loss, accuracy(logits, data.val_labels)
        if config.patience:
            ts = program.end_epoch(ts, jnp.asarray(val_loss, jnp.float32), epoch + 1, config.patience)
            record["best_epoch"] = ts.stopping.best_epoch
    if diagnostics:
        record |= program.diagnose(ts, data.images[:DIAGNOSED], data.labels[:DIAGNOSED])._asdict()
    return plain(record), ts

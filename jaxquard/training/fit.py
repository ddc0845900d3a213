"""The training loop as a generator of events.

It prints nothing and writes nothing, and its whole memory is the TrainState in its events. The caller shows, saves and
stops.
"""

import contextlib
import functools
import itertools
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
from jaxquard.training.device import Groups, on_devices
from jaxquard.training.diagnosis import DIAGNOSED
from jaxquard.training.evaluation import accuracy, all_logits, mean_loss
from jaxquard.training.feeding import InParts, Whole
from jaxquard.training.processes import ALONE, Processes
from jaxquard.training.program import Program, make_program, start
from jaxquard.training.state import TrainState
from jaxquard.training.task import Task, check, make_model, make_task, phases, task_of_epoch

HEARTBEAT = 0.4  # most seconds between events, roughly
LONG = 1.45  # the same for CNNs and several networks; with a checkpoint it must fit into `runs.interrupts.PATIENCE`
AT_A_TURN = 8  # if one step of all networks takes too long, each makes this many at a turn, or what fits into LONG


@dataclass(frozen=True)
class Event:
    """A point in a training. `state` is valid until the next event, when its buffers are reused.

    `compiled`: ready to step. `progress`: still stepping. `turn`: some of several networks have made their steps;
    `step` and `state` are those before. `checkpoint`: a step that `checkpoint_every` names. `epoch`: an epoch ended,
    `record` is its journal line. `diverged`: a loss was not finite, `record` has the networks and steps. `stopped`:
    early stopping. `seconds`: the time of the steps since the last event.
    """

    kind: Literal["compiled", "progress", "turn", "checkpoint", "epoch", "diverged", "stopped"]
    state: TrainState
    epoch: int
    step: int
    seconds: float
    record: dict[str, Any] | None = None


def make_run(config: Config, data: TrainingData, groups: Groups = ()) -> tuple[Task, Program]:
    """The task of a resolved config and its compiled program. UsageError if the images are too small."""
    task = make_task(config, data.images.shape[1:], data.classes, len(data.images))
    check(task.model, config)
    return task, make_program(task, groups)


def examples(data: TrainingData) -> tuple[Any, jax.Array]:
    """The images and labels for `diagnose`, which takes the first of them. Images in main memory are cut here: only
    these go to the device.
    """
    return (data.images[:DIAGNOSED] if isinstance(data.images, np.ndarray) else data.images), data.labels


def fit(
    config: Config,
    data: TrainingData,
    train_state: TrainState | None = None,
    *,
    until: int | None = None,
    checkpoint_every: int | None = None,
    diagnostics: bool = True,
    groups: Groups = (),
    processes: Processes = ALONE,
) -> Iterator[Event]:
    """Train from `train_state` (None: from the start) to the end of the config's epochs, or of epoch `until`.

    The config must be resolved (`prepare`). The buffers of `train_state` are reused. A training that stops anywhere and
    continues ends with the same bits as one that does not stop. `groups`: the devices, from `device.share` (default:
    one). UsageError if the teacher's logits are missing.
    """
    if config.teacher and data.teacher is None:
        raise UsageError("teacher: the data have no logits of the teacher; jaxquard.runs.teacher.ask adds them")
    stepper = _Stepper(config, data, checkpoint_every, groups, processes)
    with contextlib.closing(stepper.feed):
        task, program = stepper.task, stepper.program
        ts = start(program, task, config.networks()) if train_state is None else train_state
        first_epoch = int(ts.step[0]) // task.steps_per_epoch
        last_epoch = config.epochs if until is None else min(until, config.epochs)
        processes.report("compiling", int(ts.step[0]))
        ts, seconds = stepper.compile(ts, first_epoch, last_epoch)
        yield Event("compiled", ts, first_epoch, int(ts.step[0]), seconds)

        for epoch in range(first_epoch, last_epoch):
            if ts.stopped.all():
                return
            before = int(ts.step[0])
            ts, seconds = yield from stepper.run(ts, epoch)
            if ts.lost.all() and _newly_lost(ts, before):
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
    """Runs the steps of an epoch, with an event about every heartbeat."""

    def __init__(
        self,
        config: Config,
        data: TrainingData,
        checkpoint_every: int | None,
        groups: Groups,
        processes: Processes,
    ) -> None:
        self.config, self.checkpoint_every, self.groups, self.processes = config, checkpoint_every, groups, processes
        self.task, self.program = make_run(config, data, groups)
        networks, arrays = len(config.networks()), (data.images, data.labels, data.teacher, data.weights)
        place = functools.partial(on_devices, tuple(itertools.chain(*groups))) if groups else jax.device_put
        if isinstance(data.images, np.ndarray):
            self.feed = InParts(jax.tree.map(np.asarray, arrays), self._orders, self.task, networks, place)
        else:
            self.feed = Whole(place(arrays) if groups else arrays, self._orders)
        slow = networks > 1 or make_model(self.task.model).convolutional
        self.heartbeat = LONG if slow and processes.count == 1 else HEARTBEAT
        self.stepping, self.chunk = self.program, 1

    def _orders(self, epoch: int) -> jax.Array:
        return self.program.orders(self.keys, epoch)

    def program_of(self, epoch: int) -> Program:
        """The program of an epoch's steps."""
        return make_program(task_of_epoch(self.task, self.config, epoch), self.groups)

    def is_asked(self, step: int) -> bool:
        """Whether `checkpoint_every` names this step."""
        return self.checkpoint_every is not None and step % self.checkpoint_every == 0

    def compile(self, ts: TrainState, epoch: int, last_epoch: int) -> tuple[TrainState, float]:
        """Compile the steps of the epochs to come. Returns the state (at an epoch's start with totals of zero) and the
        seconds.
        """
        began, here, self.keys = time.perf_counter(), int(ts.step[0]) % self.task.steps_per_epoch, jnp.copy(ts.key)
        orders, (images, labels, *of_some), _ = self.feed.at(epoch, here)
        to_come = {self.program_of(at) for at in (epoch, *phases(self.config)) if epoch <= at < last_epoch}
        for needed in to_come or {self.program_of(epoch)}:
            ts = needed.run(ts, orders, images, labels, here, here, *of_some)
        jax.block_until_ready(ts)
        return ts, time.perf_counter() - began

    def run(self, ts: TrainState, epoch: int) -> Generator[Event, None, tuple[TrainState, float]]:
        """Run the rest of an epoch, or until the last network is lost. Returns state and seconds not yet reported."""
        per_epoch = self.task.steps_per_epoch
        step, first, end = int(ts.step[0]), epoch * per_epoch, (epoch + 1) * per_epoch
        if (needed := self.program_of(epoch)) is not self.stepping:
            self.stepping, self.chunk = needed, 1  # one step first, to measure its time
        while True:
            orders, (images, labels, *of_some), last = self.feed.at(epoch, step - first)
            stop = step + self.processes.agree(self._next_stop(step, min(end, first + last)) - step)
            if self.processes.stopping:
                yield Event("progress", ts, epoch, step, 0.0)
            turns = self.stepping.turns(ts, orders, images, labels, step - first, stop - first, *of_some)
            ts, took = yield from _take_turns(turns, Event("turn", ts, epoch, step, 0.0), self.heartbeat)
            seconds, self.chunk = sum(took), _chunk(self.heartbeat, stop - step, took)
            record = _newly_lost(ts, step)
            if record:
                yield Event("diverged", ts, epoch, stop, seconds, record)
                seconds = 0.0
            step = stop
            self.processes.report("saving" if step < end else "ending an epoch", step)
            if step == end or (record and ts.lost.all()):
                return ts, seconds
            yield Event("checkpoint" if self.is_asked(step) else "progress", ts, epoch, step, seconds)

    def _next_stop(self, step: int, end: int) -> int:
        """The step to run to: the first of the heartbeat, the next checkpoint and the end of the epoch."""
        every = self.checkpoint_every
        return min(step + self.chunk, end, (step // every + 1) * every if every else end)


def _newly_lost(ts: TrainState, since: int) -> dict[str, Any] | None:
    """The networks whose loss became non-finite at step `since` or later, and their steps; None without any."""
    bad_steps = plain(ts.totals.bad_step)
    networks = [k for k, bad_step in enumerate(bad_steps) if ts.lost[k] and bad_step >= since]
    record = {"quantity": "loss", "networks": networks, "steps": [bad_steps[k] for k in networks]}
    return record if networks else None


def _take_turns(
    turns: Iterator[TrainState | None], between: Event, heartbeat: float
) -> Generator[Event, None, tuple[TrainState, list[float]]]:
    """The state after all turns, and the seconds of each. Yields `between` about once a heartbeat."""
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
    """The number of steps to run next; `took` has the seconds of each turn of the last `steps`.

    As many as all networks together make in `heartbeat` seconds. If that is less than AT_A_TURN, up to AT_A_TURN, as
    far as the slowest turn makes them in that time.
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
    """The journal's line for the finished epoch, and the state with early stopping's memory updated."""
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
        record |= program.diagnose(ts, *examples(data))._asdict()
    return plain(record), ts

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
from jaxquard.training import steps
from jaxquard.training.data import TrainingData
from jaxquard.training.evaluation import accuracy, all_logits, mean_loss, none_if_nan
from jaxquard.training.program import Program, make_program, start
from jaxquard.training.state import TrainState

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


def make_run(config: Config, data: TrainingData) -> tuple[steps.Task, Program]:
    """The task of a resolved config and its compiled program. UsageError if images of half the size are too small."""
    task = steps.make_task(config, data.images.shape[1:], data.classes, len(data.images))
    steps.check(task, config)
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
    task, program = make_run(config, data)
    networks = config.networks()
    ts = start(program, task, networks) if train_state is None else train_state
    step, per_epoch = int(ts.step[0]), task.steps_per_epoch

    def training(epoch: int) -> Program:
        return make_program(steps.task_of_epoch(task, config, epoch))

    def asked(step: int) -> bool:
        return checkpoint_every is not None and step % checkpoint_every == 0

    heartbeat = HEARTBEAT if config.model == "mlp" and len(networks) == 1 else LONG
    last_epoch = config.epochs if until is None else min(until, config.epochs)
    stepping, chunk, seconds = program, 1, 0.0

    began = time.perf_counter()
    epoch, here, order = step // per_epoch, step % per_epoch, program.orders(ts.key, 0)
    to_come = {training(at) for at in (epoch, *steps.phases(config)) if epoch <= at < last_epoch}
    for needed in to_come or {training(epoch)}:
        ts = needed.run(ts, order, data.images, data.labels, here, here, data.teacher)
    jax.block_until_ready(ts)
    yield Event("compiled", ts, epoch, step, time.perf_counter() - began)

    while step < last_epoch * per_epoch and not ts.stopped.all():
        epoch = step // per_epoch
        order = program.orders(ts.key, epoch)
        if (needed := training(epoch)) is not stepping:
            stepping, chunk = needed, 1  # how long its steps take is not known yet
        while step < (epoch + 1) * per_epoch:
            stop, here = _next_stop(step, chunk, per_epoch, checkpoint_every), step % per_epoch
            turns = stepping.turns(ts, order, data.images, data.labels, here, here + stop - step, data.teacher)
            ts, took = yield from _take_turns(turns, Event("turn", ts, epoch, step, 0.0), heartbeat)
            seconds, chunk = sum(took), _chunk(heartbeat, stop - step, took)
            bad_steps = np.asarray(ts.totals.bad_step)
            lost = (bad_steps >= 0) & ~ts.safe
            newly_bad = [(k, int(bad)) for k, bad in enumerate(bad_steps) if step <= bad < stop and lost[k]]
            step = stop
            if newly_bad:
                record = {"quantity": "loss", "networks": [k for k, _ in newly_bad], "steps": [s for _, s in newly_bad]}
                yield Event("diverged", ts, epoch, step, seconds, record)
                if lost.all():
                    return
                seconds = 0.0
            if step < (epoch + 1) * per_epoch:
                yield Event("checkpoint" if asked(step) else "progress", ts, epoch, step, seconds)
        record, ts = _end_epoch(config, program, data, ts, epoch, diagnostics)
        yield Event("epoch", ts, epoch + 1, step, seconds, record)
        if asked(step):
            yield Event("checkpoint", ts, epoch + 1, step, 0.0)
        if ts.stopped.all():
            record = {"reason": "patience", "best_epoch": plain(ts.stopping.best_epoch)}
            yield Event("stopped", ts, epoch + 1, step, 0.0, record)


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


def _next_stop(step: int, chunk: int, per_epoch: int, checkpoint_every: int | None) -> int:
    """The step to run to: not past the heartbeat, the next checkpoint asked for, or the end of the epoch."""
    ends = [step + chunk, (step // per_epoch + 1) * per_epoch]
    if checkpoint_every:
        ends.append((step // checkpoint_every + 1) * checkpoint_every)
    return min(ends)


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


def plain(value: Any) -> Any:
    """Arrays and dicts of them as numbers and lists for JSON; what is not finite becomes None."""
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    value = np.asarray(value).tolist()
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value if isinstance(value, int) else none_if_nan(value)

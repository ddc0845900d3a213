"""Training into a run directory: consumes `fit`'s events, keeps what must be kept, and can go on from anywhere."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxquard.config import Config
from jaxquard.data import Dataset
from jaxquard.errors import DivergedError, JaxquardError, RunError
from jaxquard.nn.model import count_parameters
from jaxquard.runs import checkpoint, directory, environment, journal, tensors
from jaxquard.runs.directory import Run
from jaxquard.runs.files import sweep, write_atomically
from jaxquard.runs.lock import locked
from jaxquard.training.data import TrainingData, prepare
from jaxquard.training.evaluation import accuracy, all_logits, mean_loss, none_if_nan
from jaxquard.training.fit import Event, fit, has_stopped, make_run, plain
from jaxquard.training.program import start
from jaxquard.training.state import TrainState

CHECKPOINT_SECONDS = 10.0  # a checkpoint takes some 20 ms, so this costs 0.2 % of the time


class Interrupted(JaxquardError):
    """Training was asked to stop, and did, after saving a checkpoint."""

    exit_code = 130


@dataclass
class Seconds:
    """Where the time went; `train` is stepping alone."""

    data: float = 0.0
    compile: float = 0.0
    train: float = 0.0
    evaluate: float = 0.0


@dataclass(frozen=True)
class TrainResult:
    """What a training came to. With several networks each figure is a list, and `diverged` the list of those that did.

    Test figures are None where the training did not come to its end.
    """

    run: Run
    parameters: int
    epochs: int
    train_loss: Any
    test_loss: Any
    test_accuracy: Any
    seconds: Seconds
    diverged: Any = False


class Diverged(DivergedError):
    """Every network's loss stopped being finite; `result` says how far the run came."""

    def __init__(self, message: str, result: TrainResult) -> None:
        super().__init__(message)
        self.result = result


@dataclass
class Observer:
    """What the caller wants to hear, and whether it wants to stop: all silent by default."""

    begin: Callable[[Run, int, int, int], None] = lambda run, parameters, first_step, total_steps: None
    event: Callable[[Event], None] = lambda event: None
    warn: Callable[[str], None] = lambda line: None
    should_stop: Callable[[], bool] = lambda: False


def train(
    config: Config,
    dataset: Dataset,
    *,
    runs: Path | None = None,
    name: str | None = None,
    until: int | None = None,
    checkpoint_every: int | None = None,
    observer: Observer | None = None,
    seconds: Seconds | None = None,
) -> TrainResult:
    """Train a new run to the end (or to the end of epoch `until`) and evaluate it on the test set once.

    Raises DivergedError when no network's loss is finite any more, Interrupted when the observer wants to stop.
    """
    observer, seconds = observer or Observer(), seconds or Seconds()
    began = time.perf_counter()
    config, data = prepare(config, dataset)
    task, program = make_run(config, data)
    ts = start(program, task, config.networks())
    run = directory.create(directory.runs_directory(runs), name, config, environment.describe(dataset), ts)
    seconds.data += time.perf_counter() - began
    with locked(run.path):
        return _continue(run, config, data, dataset, ts, until, checkpoint_every, observer, seconds)


def resume(
    run: Run,
    dataset: Dataset,
    *,
    until: int | None = None,
    checkpoint_every: int | None = None,
    observer: Observer | None = None,
    seconds: Seconds | None = None,
) -> TrainResult:
    """Go on with a run from its newest sound checkpoint. A finished run is left as it is: its result is returned."""
    observer, seconds = observer or Observer(), seconds or Seconds()
    finished = run.finished()
    if finished:
        return _result_of_finished(run, finished)
    with locked(run.path):
        for folder in (run.path, run.checkpoints, run.path / "snapshots"):
            sweep(folder)
        _check_same_data(run, dataset)
        config, data = prepare(run.config, dataset)
        ts = _restore(run, config, data, observer)
        changed = environment.differences(run.environment, environment.machine())
        for difference in changed:
            observer.warn(f"bits may differ from an uninterrupted run: {difference}")
        step = int(np.ravel(ts.step)[0])
        journal.append(run.journal_file, {"event": "resumed", "step": step, "time": time.time(), "changed": changed})
        return _continue(run, config, data, dataset, ts, until, checkpoint_every, observer, seconds)


def _check_same_data(run: Run, dataset: Dataset) -> None:
    then = run.environment["dataset"]
    if then["sha256"] != dict(dataset.sha256):
        raise RunError(f"{run.path}: was trained on other data than {dataset.name} as it is now; resume needs the same")


def _restore(run: Run, config: Config, data: TrainingData, observer: Observer) -> TrainState:
    task, program = make_run(config, data)
    like = jax.eval_shape(lambda: start(program, task, config.networks()))
    arrays, faults = checkpoint.newest(run.checkpoints)
    for fault in faults:
        observer.warn(f"{fault}; using the checkpoint before it")
    checkpoint.drop_newest(run.checkpoints, len(faults))
    return tensors.restore(arrays, like, str(run.checkpoints))


def _continue(
    run: Run,
    config: Config,
    data: TrainingData,
    dataset: Dataset,
    ts: TrainState,
    until: int | None,
    checkpoint_every: int | None,
    observer: Observer,
    seconds: Seconds,
) -> TrainResult:
    """Train from `ts` on, with the lock held: journal each epoch, then save; evaluate at the end."""
    parameters = count_parameters(ts.params) // len(config.networks())
    total_steps = config.epochs * (len(data.images) // config.batch_size)
    observer.begin(run, parameters, int(np.ravel(ts.step)[0]), total_steps)
    keeper = Keeper(run)
    event = None
    for event in fit(config, data, ts, until=until, checkpoint_every=checkpoint_every):
        _clock(seconds, event)
        keeper.keep(event)
        observer.event(event)
        if observer.should_stop() and event.kind not in ("compiled", "diverged"):
            keeper.save(event)
            raise Interrupted(f"interrupted at step {event.step}; go on with: jaxquard train --resume {run.id}")
    assert event is not None
    unfinished = TrainResult(run, parameters, event.epoch, _last_train_loss(run), None, None, seconds)
    if event.kind == "diverged":
        raise Diverged(_diverged(event, run), replace(unfinished, diverged=diverged_networks(event.state)))
    keeper.save(event)
    if event.epoch < config.epochs and not has_stopped(config, event.state):
        return unfinished
    return _finish(run, config, data, dataset, event.state, parameters, seconds)


def _clock(seconds: Seconds, event: Event) -> None:
    if event.kind == "compiled":
        seconds.compile += event.seconds
    else:
        seconds.train += event.seconds


def diverged_networks(ts: TrainState) -> Any:
    """Whether the network diverged; with several, the numbers of those that did."""
    bad = np.asarray(ts.totals.bad_step) >= 0
    return bool(bad) if bad.ndim == 0 else np.flatnonzero(bad).tolist()


def _diverged(event: Event, run: Run) -> str:
    record = event.record or {}
    return (
        f"the {record.get('quantity')} was not finite at step {record.get('steps', ['?'])[0]}; try a smaller learning"
        f" rate. The last good checkpoint is kept in {run.path}"
    )


@dataclass
class Keeper:
    """Writes down what a run must not lose: the journal line first, then the checkpoint it belongs to."""

    run: Run
    saved_at: float = 0.0
    epoch_seconds: float = 0.0
    val_loss: float | None = None

    def __post_init__(self) -> None:
        self.saved_at = time.monotonic()

    def keep(self, event: Event) -> None:
        """What an event asks to be kept."""
        self.epoch_seconds += event.seconds if event.kind != "compiled" else 0.0
        match event.kind:
            case "epoch":
                self._keep_epoch(event)
            case "checkpoint":
                self.save(event)
            case "diverged" | "stopped":
                line = {"event": event.kind, "step": event.step, **(event.record or {}), "time": time.time()}
                journal.append(self.run.journal_file, line)
            case "progress" if time.monotonic() - self.saved_at > CHECKPOINT_SECONDS:
                self.save(event)

    def _keep_epoch(self, event: Event) -> None:
        line = (event.record or {}) | {"seconds": round(self.epoch_seconds, 6)}
        self.epoch_seconds = 0.0
        self.val_loss = _single(line.get("val_loss"))
        journal.append(self.run.journal_file, line)
        if is_snapshot_epoch(event.epoch):
            file = self.run.path / "snapshots" / f"epoch-{event.epoch:06d}.safetensors"
            write_atomically(file, tensors.to_bytes(event.state.current))
        if time.monotonic() - self.saved_at > CHECKPOINT_SECONDS:
            self.save(event)

    def save(self, event: Event) -> None:
        """A checkpoint of the state as it is."""
        val_loss = self.val_loss if event.kind == "epoch" else None
        checkpoint.write(self.run.checkpoints, event.step, event.state, val_loss)
        self.saved_at = time.monotonic()


def is_snapshot_epoch(epoch: int) -> bool:
    """Every epoch at first, then ever fewer: 1–8, 10, 12, 14, 16, 20, 24, 28, 32, 40, …"""
    return epoch % max(1, 2 ** (epoch.bit_length() - 4) if epoch > 8 else 1) == 0


def _single(value: Any) -> float | None:
    return value if isinstance(value, float) else None


def _last_train_loss(run: Run) -> Any:
    lines = run.epochs()
    return lines[-1]["train_loss"] if lines else None


def _finish(
    run: Run,
    config: Config,
    data: TrainingData,
    dataset: Dataset,
    ts: TrainState,
    parameters: int,
    seconds: Seconds,
) -> TrainResult:
    """Evaluate on the test set, once, and close the journal."""
    began = time.perf_counter()
    _, program = make_run(config, data)
    logits = all_logits(lambda images: program.logits(*ts.judged, images), dataset.test_images)
    labels = np.asarray(dataset.test_labels)
    test = {"n": len(labels), "accuracy": plain(accuracy(logits, labels)), "loss": plain(mean_loss(logits, labels))}
    step = int(np.ravel(ts.step)[0])
    note = {"time": time.time(), "by": "train", "why": "end of training", "split": "test", "step": step}
    journal.append(run.evaluations_file, note | test)
    seconds.evaluate += time.perf_counter() - began
    epochs = len(run.epochs())
    diverged = diverged_networks(ts)
    finished = {"event": "finished", "step": step, "epochs": epochs, "parameters": parameters, "diverged": diverged}
    journal.append(run.journal_file, finished | {"seconds": vars(seconds), "time": time.time()})
    return TrainResult(
        run, parameters, epochs, _last_train_loss(run), test["loss"], test["accuracy"], seconds, diverged
    )


def _result_of_finished(run: Run, finished: dict[str, Any]) -> TrainResult:
    tests = [line for line in run.evaluations() if line.get("by") == "train"]
    if not tests:
        raise RunError(f"{run.evaluations_file}: lacks the evaluation that ended the training")
    seconds = Seconds(**finished.get("seconds", {}))
    figures = (_last_train_loss(run), tests[-1]["loss"], tests[-1]["accuracy"])
    return TrainResult(run, finished["parameters"], finished["epochs"], *figures, seconds, finished["diverged"])


def summary(values: Any) -> Any:
    """A figure for one network, `{"mean", "std", "values"}` (std with n - 1) for several; diverged ones are null."""
    if not isinstance(values, list):
        return values
    sound = [value for value in values if value is not None]
    mean = none_if_nan(float(np.mean(sound))) if sound else None
    std = none_if_nan(float(np.std(sound, ddof=1))) if len(sound) > 1 else None
    return {"mean": mean, "std": std, "values": values}


def events_of(run: Run) -> Iterator[dict[str, Any]]:
    """The journal's event lines: resumed, diverged, stopped, finished."""
    return (line for line in run.journal() if "event" in line)

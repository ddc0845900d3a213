"""Training into a run directory: consumes `fit`'s events, keeps what must be kept, and can go on from anywhere."""

import contextlib
import dataclasses
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxquard.arguments import check
from jaxquard.config import Config
from jaxquard.data import Dataset
from jaxquard.errors import DivergedError, JaxquardError, RunError
from jaxquard.files import sweep, write_atomically
from jaxquard.nn.model import count_parameters
from jaxquard.runs import checkpoint, directory, environment, journal, teacher, tensors
from jaxquard.runs.directory import Run
from jaxquard.runs.figures import Figure, train_loss
from jaxquard.runs.interrupts import INTERRUPTED
from jaxquard.runs.lock import check_locks, locked
from jaxquard.training.data import TrainingData, prepare
from jaxquard.training.evaluation import (
    accuracy,
    all_logits,
    commonest_confusion,
    mean_loss,
    mean_over_views,
)
from jaxquard.training.fit import Event, fit, make_run, plain
from jaxquard.training.program import shapes, start
from jaxquard.training.state import TrainState

CHECKPOINT_SECONDS = 10.0  # a checkpoint of the original network takes some 5 ms: 0.05 % of the time


class Interrupted(JaxquardError):
    """Training was asked to stop, and did, after saving a checkpoint."""

    exit_code = INTERRUPTED


@dataclass
class Seconds:
    """Where the time went; `train` is stepping alone."""

    data: float = 0.0
    compile: float = 0.0
    train: float = 0.0
    evaluate: float = 0.0


@dataclass(frozen=True)
class TrainResult:
    """What a training came to: each figure has a value for each network; `diverged` lists those that diverged.

    All are of the selected weights; under early stopping `train_loss`, too, is the best epoch's, not the last's. Test
    figures are None where the training did not come to its end. `tta`: `{"name", "accuracy"}` over the config's views.
    `already_finished`: the run to go on with had finished, and nothing was trained.
    """

    run: Run
    parameters: int
    epochs: int
    train_loss: Figure
    test_loss: Figure | None
    test_accuracy: Figure | None
    seconds: Seconds
    diverged: tuple[int, ...] = ()
    tta: dict[str, Any] | None = None
    already_finished: bool = False


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
    asking: teacher.Asking = lambda name, done, total: None

    def __post_init__(self) -> None:
        for name, function in vars(self).items():
            check(name, function, Callable[..., Any])


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
    where = directory.runs_directory(runs)
    for note in dataset.notes:
        observer.warn(f"note: {dataset.name}: {note}")
    config, data = prepare(config, dataset)
    data, taught_by = teacher.ask(config, data, dataset, where, observer.warn, observer.asking)
    seconds.data += time.perf_counter() - began
    began = time.perf_counter()
    task, program = make_run(config, data)
    ts = start(program, task, config.networks())
    check_locks(where)
    run = directory.create(where, name, config, environment.describe(dataset) | taught_by, ts)
    seconds.compile += time.perf_counter() - began
    with locked(run.path), _there(run):
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
    """Go on with a run from its newest sound checkpoint. A finished run is left as it is, and its result returned,
    unless its newest checkpoint is damaged: then what was lost is trained again.
    """
    observer, seconds = observer or Observer(), seconds or Seconds()
    with locked(run.path), _there(run):
        if finished := result_of_finished(run):
            return finished
        for folder in (run.path, run.checkpoints, run.snapshots):
            sweep(folder)
        run.check_config_is_its_own()
        check_same_data(run, dataset)
        began = time.perf_counter()
        config, data = prepare(run.config, dataset)
        data, taught_by = teacher.ask(config, data, dataset, run.path.parent, observer.warn, observer.asking)
        teacher.check_same(run, taught_by)
        ts = _restored(run, config, data, observer)
        seconds.data += time.perf_counter() - began
        changed = environment.differences(run.environment, environment.machine())
        for difference in changed:
            observer.warn(f"bits may differ from an uninterrupted run: {difference}")
        step = int(ts.step[0])
        journal.append(run.journal_file, {"event": "resumed", "step": step, "time": time.time(), "changed": changed})
        checkpoint.drop_newer(run.checkpoints, step)  # only now, lest the run be said to have finished without them
        return _continue(run, config, data, dataset, ts, until, checkpoint_every, observer, seconds)


@contextlib.contextmanager
def _there(run: Run) -> Iterator[None]:
    """RunError if the work ends because the run was removed meanwhile; nothing of it comes back."""
    try:
        yield
    except (JaxquardError, OSError) as error:
        if os.path.isfile(run.path / "config.toml"):
            raise
        raise RunError(f"{run.path}: was removed while it trained; the training ends here") from error


def check_same_data(run: Run, dataset: Dataset) -> None:
    """RunError unless a data set has the very arrays that a run was trained on."""
    if not environment.is_same_data(run.environment["dataset"], dataset):
        raise RunError(f"{run.path}: was trained on other data than {dataset.name} as it is now; resume needs the same")


def _restored(run: Run, config: Config, data: TrainingData, observer: Observer) -> TrainState:
    task, program = make_run(config, data)
    like = shapes(program, task, config.networks())
    arrays, faults = checkpoint.newest(run.checkpoints, run.last_step())
    for fault in faults:
        observer.warn(f"{fault}; using the checkpoint before it")
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
    per_epoch = len(data.images) // config.batch_size
    observer.begin(run, parameters, int(ts.step[0]), config.epochs * per_epoch)
    keeper = Keeper(run, checkpoint.seconds_into_epoch(run.checkpoints))
    event = None
    events = fit(config, data, ts, until=until, checkpoint_every=checkpoint_every)
    for event in _until_lost(events):
        _clock(seconds, event)
        keeper.keep(event)
        observer.event(event)
        if observer.should_stop() and event.kind != "diverged":
            keeper.save(event)
            again = run.command("train", "--resume", run.id)
            raise Interrupted(f"interrupted at step {event.step}; go on with: {again}")
    assert event is not None
    lines = run.epochs()
    unfinished = TrainResult(run, parameters, len(lines), Figure(tuple(train_loss(run, lines))), None, None, seconds)
    if event.kind != "diverged":
        keeper.save(event)
        if event.epoch < config.epochs and not event.state.stopped.all():
            return unfinished
        result = _finish(keeper, config, data, dataset, event.state, parameters, seconds)
        if len(run.diverged()) < len(config.networks()):
            return result
    raise Diverged(_diverged(run), replace(unfinished, diverged=tuple(range(len(config.networks())))))


def _clock(seconds: Seconds, event: Event) -> None:
    if event.kind == "compiled":
        seconds.compile += event.seconds
    else:
        seconds.train += event.seconds


def _until_lost(events: Iterator[Event]) -> Iterator[Event]:
    """The events, ended by a "diverged" one where an epoch leaves no network weights worth keeping.

    `fit` sees that by the next step's loss, but after the last step there is none.
    """
    for event in events:
        if event.kind == "epoch" and not worth_keeping(event.state).any():
            networks = list(range(len(event.state.step)))
            record = {"quantity": "weights", "networks": networks, "steps": [event.step - 1] * len(networks)}
            yield replace(event, kind="diverged", record=record)
            return
        yield event


def worth_keeping(ts: TrainState) -> np.ndarray:
    """For each network, whether its weights are good, or the best ones that early stopping put aside: (networks,)."""
    return finite_weights(ts) | ts.safe


def finite_weights(ts: TrainState) -> np.ndarray:
    """For each network, whether all its parameters are finite: (networks,) bool."""
    leaves = [np.isfinite(np.asarray(leaf)) for leaf in jax.tree.leaves(ts.params)]
    return np.all([leaf.reshape(len(ts.step), -1).all(axis=1) for leaf in leaves], axis=0)


def _diverged(run: Run) -> str:
    last = next(line for line in reversed(run.journal()) if line.get("event") == "diverged")
    return (
        f"diverged: {last.get('quantity', 'loss')} not finite at step {last.get('bad_step', last.get('step'))}; "
        "try a smaller learning rate\n"
        f"(the last good checkpoint is kept in {run.path})"
    )


@dataclass
class Keeper:
    """Writes down what a run must not lose: the journal's lines first, then the checkpoint that they belong to.

    Journal and snapshots depend on the steps taken alone, never on when `fit` happens to report them; checkpoints also
    on the clock.
    """

    run: Run
    epoch_seconds: float = 0.0
    saved_at: float = dataclasses.field(default_factory=time.monotonic)

    def keep(self, event: Event) -> None:
        """What an event asks to be kept."""
        self.epoch_seconds += event.seconds if event.kind != "compiled" else 0.0
        match event.kind:
            case "epoch":
                self._keep_epoch(event)
            case "diverged":
                self._keep_divergence(event)
        due = event.kind in ("epoch", "progress") and time.monotonic() - self.saved_at > CHECKPOINT_SECONDS
        if due or event.kind == "checkpoint":
            self.save(event)

    def _keep_epoch(self, event: Event) -> None:
        line = (event.record or {}) | {"seconds": round(self.epoch_seconds, 6)}
        self.epoch_seconds = 0.0
        journal.append(self.run.journal_file, line)
        if event.state.stopped.all():
            best = plain(event.state.stopping.best_epoch)
            self._note("stopped", event.step, reason="patience", best_epoch=best)
        if is_snapshot_epoch(event.epoch):
            write_atomically(self.run.snapshot(event.epoch), tensors.to_bytes(event.state.current))

    def _keep_divergence(self, event: Event) -> None:
        record = event.record or {}
        self.lost(record["quantity"], dict(zip(record["networks"], record["steps"], strict=True)))

    def lost(self, quantity: str, bad_steps: dict[int, int]) -> None:
        """Put on record which networks diverged, and when, but for those of which that was said before."""
        known = self.run.diverged()
        for bad_step, network in sorted((bad_step, network) for network, bad_step in bad_steps.items()):
            if network not in known:
                self._note("diverged", bad_step + 1, network=network, quantity=quantity, bad_step=bad_step)

    def _note(self, event: str, step: int, **facts: Any) -> None:
        journal.append(self.run.journal_file, {"event": event, "step": step, **facts, "time": time.time()})

    def save(self, event: Event) -> None:
        """A checkpoint of the state as it is, unless there is nothing good in it."""
        if worth_keeping(event.state).any():
            checkpoint.write(self.run.checkpoints, event.step, event.state, self.epoch_seconds)
        self.saved_at = time.monotonic()


def is_snapshot_epoch(epoch: int) -> bool:
    """Every epoch at first, then ever fewer: 1–8, 10, 12, 14, 16, 20, 24, 28, 32, 40, …"""
    return epoch % 2 ** max(0, (epoch - 1).bit_length() - 3) == 0


def _finish(
    keeper: Keeper,
    config: Config,
    data: TrainingData,
    dataset: Dataset,
    ts: TrainState,
    parameters: int,
    seconds: Seconds,
) -> TrainResult:
    """Evaluate on the test set, once, and close the journal, unless that shows that every network is lost."""
    began, step, run = time.perf_counter(), int(ts.step[0]), keeper.run
    _, program = make_run(config, data)

    def all_of(images: np.ndarray) -> np.ndarray:
        return all_logits(lambda chunk: program.logits(*ts.selected, chunk), images)

    logits = all_of(dataset.test_images)
    loss, right = mean_loss(logits, dataset.test_labels), accuracy(logits, dataset.test_labels)
    keeper.lost("test loss", dict.fromkeys(np.flatnonzero(~np.isfinite(loss)).tolist(), step - 1))
    if config.patience:  # no epoch was better than none: selected is the untrained start
        never = np.flatnonzero(np.asarray(ts.stopping.best_epoch) < 1).tolist()
        keeper.lost("validation loss", dict.fromkeys(never, step - 1))
    diverged = sorted(run.diverged())
    is_lost = np.isin(np.arange(len(loss)), diverged)

    def sound(figures: np.ndarray) -> Any:
        return plain(np.where(is_lost, np.nan, figures))

    test: dict[str, Any] = {"n": len(dataset.test_labels), "accuracy": sound(right), "loss": sound(loss)}
    kept = np.where(is_lost[:, None, None], np.nan, logits)
    test["confusion"] = [commonest_confusion(one, dataset.test_labels, dataset.class_names) for one in kept]
    if config.tta != "none":
        averaged = mean_over_views(all_of, dataset.test_images, config.tta)
        test["tta"] = {"name": config.tta, "accuracy": sound(accuracy(averaged, dataset.test_labels))}
    run.record_evaluation("train", "end of training", split="test", step=step, **test)
    seconds.evaluate += time.perf_counter() - began
    lines = run.epochs()
    epochs = len(lines)
    if not is_lost.all():
        finished = {"event": "finished", "step": step, "epochs": epochs, "parameters": parameters, "diverged": diverged}
        stepping = sum(line.get("seconds", 0.0) for line in lines)  # before it was resumed, too
        whole = vars(seconds) | {"train": round(stepping, 6)}
        journal.append(run.journal_file, finished | {"seconds": whole, "time": time.time()})
    figures = _figures(run, lines, test)
    return TrainResult(run, parameters, epochs, *figures, seconds, tuple(diverged), test.get("tta"))


def _figures(run: Run, lines: list[journal.Line], test: journal.Line) -> tuple[Figure, Figure, Figure]:
    """Training loss, test loss and test accuracy of a run that has ended."""
    return Figure(tuple(train_loss(run, lines))), Figure(tuple(test["loss"])), Figure(tuple(test["accuracy"]))


def result_of_finished(run: Run) -> TrainResult | None:
    """What a finished run came to; None for one that has not finished, or whose weights are lost. RunError where its
    journal does not say.
    """
    finished = run.finished()
    if not finished or checkpoint.newest(run.checkpoints, run.last_step())[1]:
        return None
    test = journal.own_evaluation(run.evaluations())
    try:
        figures = _figures(run, run.epochs(), test)
        seconds = Seconds(**{name: float(value) for name, value in finished["seconds"].items()})
        counts = (finished["parameters"], finished["epochs"])
        return TrainResult(run, *counts, *figures, seconds, tuple(finished["diverged"]), test.get("tta"), True)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise RunError(f"{run.path}: its journal says that it finished, but not how ({error!r})") from error

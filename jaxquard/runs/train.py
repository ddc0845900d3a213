"""Training into a run directory: saves the events of `fit`, and resumes from any checkpoint."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from jaxquard.arguments import check, shown
from jaxquard.compilation import compile_ahead
from jaxquard.config import Config
from jaxquard.data import Dataset, catalogue
from jaxquard.errors import DataError, DivergedError, JaxquardError, RunError, UsageError
from jaxquard.files import sweep
from jaxquard.nn.model import count_parameters
from jaxquard.runs import checkpoint, directory, environment, journal, teacher, tensors
from jaxquard.runs.directory import Run
from jaxquard.runs.figures import Figure, train_loss
from jaxquard.runs.interrupts import Interrupted
from jaxquard.runs.keeper import Keeper, worth_keeping
from jaxquard.runs.lock import check_locks, is_asked_to_stop, locked
from jaxquard.runs.results import Seconds, TrainResult, evaluated, finished_result
from jaxquard.strict_json import plain
from jaxquard.training.data import Place, TrainingData, prepare
from jaxquard.training.device import Asked, share
from jaxquard.training.evaluation import (
    accuracy,
    all_logits,
    average,
    commonest_confusion,
    confusion_matrix,
    evaluate_logits,
    mean_loss,
    mean_over_views,
)
from jaxquard.training.fit import Event, examples, fit, make_run
from jaxquard.training.processes import ALONE, Processes
from jaxquard.training.program import shapes, start
from jaxquard.training.state import TrainState

MISTAKES = 10  # of a result
# facts of environment.json that must be the same in all processes of a training
COMPARED = ("jaxquard", "jax", "jaxlib", "xla_flags", "partitionable_random_bits", "matmul_precision")


@dataclass
class Observer:
    """Callbacks for a training's events, and whether it should stop. By default they do nothing."""

    begin: Callable[[Run, int, int, int], None] = lambda run, parameters, first_step, total_steps: None
    event: Callable[[Event], None] = lambda event: None
    warn: Callable[[str], None] = lambda line: None
    should_stop: Callable[[], bool] = lambda: False
    asking: teacher.Asking = lambda name, done, total: None
    read: Callable[[str], None] = lambda line: None  # gets what the data set holds

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
    devices: Asked = None,
    data_on: Place | None = None,
    observer: Observer | None = None,
    seconds: Seconds | None = None,
    processes: Processes = ALONE,
) -> TrainResult:
    """Train a new run to the end (or to the end of epoch `until`), and at the end evaluate it once on the test set.

    `devices`: as for `device.share`. `data_on`: as for `prepare`. Raises UsageError without test images, DivergedError
    if every network diverged, Interrupted if the observer asked to stop.
    """
    if not len(dataset.test_labels):
        raise UsageError(f"{dataset.name}: has no test images; Dataset.from_arrays holds out a sixth for testing")
    observer, seconds = observer or Observer(), seconds or Seconds()
    began = time.perf_counter()
    where = directory.runs_directory(runs)
    config, data = prepare(config, dataset, data_on)
    observer.read(f"{dataset.name}: {dataset.summary(len(data.val_labels))}")
    for note in dataset.notes:
        observer.warn(f"note: {dataset.name}: {note}")
    data, taught_by = teacher.ask(config, data, dataset, where, observer.warn, observer.asking)
    limits = _limits(processes, config, dataset, taught_by, devices, until, checkpoint_every)
    seconds.data += time.perf_counter() - began
    began = time.perf_counter()
    task, program = make_run(config, data)
    with ThreadPoolExecutor() as pool:  # while the initialiser is compiled
        described = pool.submit(environment.describe, dataset)
        like = shapes(program, task, config.networks())
        calls = (program.orders, like.key, 0), (program.diagnose, like, *examples(data))
        pool.submit(compile_ahead, *calls)
        ts = start(program, task, config.networks())
    check_locks(where)
    facts = described.result() | taught_by | environment.used_devices(limits["groups"])
    run = directory.create(where, name, config, facts, ts)
    seconds.compile += time.perf_counter() - began
    with locked(run.path), _there(run):
        return _continue(run, data, dataset, ts, observer, seconds, processes, **limits)


def resume(
    run: Run,
    dataset: Dataset,
    *,
    until: int | None = None,
    checkpoint_every: int | None = None,
    devices: Asked = None,
    data_on: Place | None = None,
    observer: Observer | None = None,
    seconds: Seconds | None = None,
    processes: Processes = ALONE,
) -> TrainResult:
    """Continue a run from its newest sound checkpoint. A finished run is not changed and its result is returned, unless
    its newest checkpoint is damaged: then the lost part is trained again.
    """
    observer, seconds = observer or Observer(), seconds or Seconds()
    with locked(run.path), _there(run):
        for folder in (run.path, run.checkpoints, run.snapshots):
            sweep(folder, older_than=0)
        if finished := finished_result(run):
            return finished
        run.check_config_is_its_own()
        check_same_data(run, dataset)
        began = time.perf_counter()
        config, data = prepare(run.config, dataset, data_on)
        data, taught_by = teacher.ask(config, data, dataset, run.path.parent, observer.warn, observer.asking)
        teacher.check_same(run, taught_by)
        limits = _limits(processes, config, dataset, taught_by, devices, until, checkpoint_every)
        ts = _restored(run, config, data, observer)
        seconds.data += time.perf_counter() - began
        changed = environment.differences(run.environment, environment.machine())
        for difference in changed:
            observer.warn(f"bits may differ from an uninterrupted run: {difference}")
        step = int(ts.step[0])
        line = {"event": "resumed", "step": step, "time": time.time(), "changed": changed}
        journal.append(run.journal_file, line | environment.used_devices(limits["groups"]))
        checkpoint.drop_newer(
            run.checkpoints, step
        )  # after the line: until then the run counts as finished and needs them
        return _continue(run, data, dataset, ts, observer, seconds, processes, **limits)


def follow(
    config: Config,
    dataset: Dataset,
    processes: Processes,
    *,
    runs: Path,
    until: int | None = None,
    checkpoint_every: int | None = None,
    devices: Asked = None,
    data_on: Place | None = None,
    observer: Observer | None = None,
) -> None:
    """Train beside the first of several processes: make its steps, but write and evaluate nothing. Raises as `train`.

    The state comes from the first process, so a run to resume need not be readable here.
    """
    observer = observer or Observer()
    config, data = prepare(config, dataset, data_on)
    data, taught_by = teacher.ask(config, data, dataset, runs, observer.warn, observer.asking)
    limits = _limits(processes, config, dataset, taught_by, devices, until, checkpoint_every)
    task, program = make_run(config, data)
    like, name = shapes(program, task, config.networks()), "the first process's state"
    ts = tensors.restore(tensors.from_bytes(processes.share(b""), name), like, name)
    for event in _until_lost(fit(config, data, ts, processes=processes, **limits)):
        if processes.asked_to_stop(observer.should_stop()) and event.kind != "diverged":
            raise Interrupted(f"interrupted at step {event.step}")
        if event.kind == "diverged" and event.state.lost.all():
            raise DivergedError("diverged")


def _limits(
    processes: Processes,
    config: Config,
    dataset: Dataset,
    taught_by: dict[str, Any],
    devices: Asked,
    until: int | None,
    checkpoint_every: int | None,
) -> dict[str, Any]:
    """`until`, `checkpoint_every` and `groups` for `fit`. Raises as `_compare` and `device.share`."""
    limits = {"until": until, "checkpoint_every": checkpoint_every}
    _compare(processes, config, dataset, taught_by | limits | {"devices": devices})
    return limits | {"groups": share(devices, len(config.networks()), config.shards)}


def _compare(processes: Processes, config: Config, dataset: Dataset, others: dict[str, Any]) -> None:
    """UsageError or DataError unless all processes have the same settings, versions and data.

    The data and the teacher may be in different places.
    """
    if processes.count == 1:
        return
    settings = {name: value for name, value in config.to_dict().items() if name not in ("dataset", "teacher")}
    versions = {name: value for name, value in environment.machine().items() if name in COMPARED}
    data = {"data": [dict(dataset.sha256), dataset.scaled_from, dataset.by_class]}
    first, *rest = processes.exchange(data | settings | others | versions)
    for number, own in enumerate(rest, 1):
        for name in (name for name in first | own if first.get(name) != own.get(name)):
            if name == "data":
                raise DataError(f"{dataset.name}: rank {number} has other data than rank 0; all ranks need the same")
            values = f"{shown(own.get(name))}, rank 0 has {shown(first.get(name))}"
            raise UsageError(f"{name}: rank {number} has {values}; all ranks need the same command and versions")


def recorded(config: Config, dataset: Dataset, ts: TrainState, events: Iterator[Event], runs: Path) -> Iterator[Event]:
    """The events of a `fit` from `ts`, written to a new run. The data set has no test images: nothing is evaluated."""
    check_locks(runs)
    run = directory.create(runs, None, config, environment.describe(dataset), ts)
    with locked(run.path), _there(run):
        keeper, seconds, parameters, event = Keeper(run), Seconds(), count_parameters(ts.params), None
        for event in events:
            _clock(seconds, event)
            keeper.keep(event)
            yield event
        if event and event.kind != "diverged":
            keeper.save(event)
            facts = {"parameters": parameters, "diverged": [], "seconds": vars(seconds)}
            keeper.note("finished", event.step, epochs=len(run.epochs()), **facts)


@contextlib.contextmanager
def _there(run: Run) -> Iterator[None]:
    """Turn an error into a RunError if the run was removed meanwhile."""
    try:
        yield
    except (JaxquardError, OSError) as error:
        if os.path.isfile(run.path / "config.toml"):
            raise
        raise RunError(f"{run.path}: was removed during training; training stopped") from error


def check_same_data(run: Run, dataset: Dataset) -> None:
    """RunError unless a data set has the arrays that the run was trained on."""
    if not environment.is_same_data(run.environment["dataset"], dataset):
        raise RunError(f"{run.path}: was trained on other data than {dataset.name} now holds; resume needs the same")


def _restored(run: Run, config: Config, data: TrainingData, observer: Observer) -> TrainState:
    task, program = make_run(config, data)
    like = shapes(program, task, config.networks())
    arrays, faults = checkpoint.newest(run.checkpoints, run.last_step())
    for fault in faults:
        observer.warn(f"{fault}; using the checkpoint before it")
    return tensors.restore(arrays, like, str(run.checkpoints))


def _continue(
    run: Run,
    data: TrainingData,
    dataset: Dataset,
    ts: TrainState,
    observer: Observer,
    seconds: Seconds,
    processes: Processes,
    **limits: Any,
) -> TrainResult:
    """Train from `ts`, with the lock held: write each epoch to the journal, save, and evaluate at the end.

    `limits`: `until`, `checkpoint_every` and `groups`, as for `fit`.
    """
    config = run.config
    networks, per_epoch = len(config.networks()), len(data.images) // config.batch_size
    parameters = count_parameters(ts.params) // networks
    observer.begin(run, parameters, int(ts.step[0]), config.epochs * per_epoch)
    keeper = Keeper(run, checkpoint.seconds_into_epoch(run.checkpoints))
    event = None
    if processes.count > 1:
        processes.share(tensors.to_bytes(ts))
    for event in _until_lost(fit(config, data, ts, processes=processes, **limits)):
        _clock(seconds, event)
        keeper.keep(event)
        observer.event(event)
        asked = observer.should_stop() or is_asked_to_stop(run.path)
        if processes.asked_to_stop(asked) and event.kind != "diverged":
            keeper.save(event)
            in_python = f"jaxquard.train(resume={os.path.abspath(run.path)!r}, data=…)"
            is_arrays = config.dataset == catalogue.ARRAYS
            again = in_python if is_arrays else run.command("train", "--resume", run.id)
            raise Interrupted(f"interrupted at step {event.step}; resume with: {again}")
    assert event is not None
    processes.report("evaluating", event.step)
    lines = run.epochs()
    unfinished = TrainResult(run, parameters, len(lines), Figure(tuple(train_loss(run, lines))), None, None, seconds)
    if event.kind != "diverged":
        keeper.save(event)
        if event.epoch < config.epochs and not event.state.stopped.all():
            return unfinished
        result = _finish(keeper, data, dataset, event.state, parameters, seconds)
        if len(result.diverged) < networks:
            return result
    raise DivergedError(_diverged(run), replace(unfinished, diverged=tuple(range(networks))))


def _clock(seconds: Seconds, event: Event) -> None:
    if event.kind == "compiled":
        seconds.compile += event.seconds
    else:
        seconds.train += event.seconds


def _until_lost(events: Iterator[Event]) -> Iterator[Event]:
    """The events, with a "diverged" event as the last if an epoch leaves no weights worth keeping.

    `fit` detects this by the loss of the next step; after the last step there is none.
    """
    for event in events:
        if event.kind == "epoch" and not worth_keeping(event.state).any():
            networks = list(range(len(event.state.step)))
            record = {"quantity": "weights", "networks": networks, "steps": [event.step - 1] * len(networks)}
            yield replace(event, kind="diverged", record=record)
            return
        yield event


def _diverged(run: Run) -> str:
    last = next(line for line in reversed(run.journal()) if line.get("event") == "diverged")
    return (
        f"diverged: {last.get('quantity', 'loss')} not finite at step {last.get('bad_step', last.get('step'))}; "
        "try a smaller learning rate\n"
        f"(the last good checkpoint is kept in {run.path})"
    )


def _finish(
    keeper: Keeper, data: TrainingData, dataset: Dataset, ts: TrainState, parameters: int, seconds: Seconds
) -> TrainResult:
    """Evaluate once on the test set, and add the "finished" line unless every network diverged."""
    began, step, run = time.perf_counter(), int(ts.step[0]), keeper.run
    test, logits = _evaluation(keeper, data, dataset, ts)
    run.record_evaluation("train", "end of training", split="test", step=step, **test)
    seconds.evaluate += time.perf_counter() - began
    lines, diverged = run.epochs(), sorted(run.diverged())
    if len(diverged) < len(ts.step):
        training = sum(line.get("seconds", 0.0) for line in lines)  # also before it was resumed
        whole = vars(seconds) | {"train": round(training, 6)}
        facts = {"epochs": len(lines), "parameters": parameters, "diverged": diverged, "seconds": whole}
        keeper.note("finished", step, **facts)
    mistakes = _surest_mistakes(logits, dataset) if len(logits) else None
    return evaluated(run, test, parameters, seconds, diverged=tuple(diverged), mistakes=mistakes)


def _surest_mistakes(logits: np.ndarray, dataset: Dataset) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The images, labels and probabilities of the surest mistakes on the test set, of all networks' average."""
    found = evaluate_logits(average(logits), dataset.test_labels)
    rows = found.mistakes[:MISTAKES]
    return dataset.test_images[rows], dataset.test_labels[rows], found.probabilities[rows]


def _evaluation(
    keeper: Keeper, data: TrainingData, dataset: Dataset, ts: TrainState
) -> tuple[dict[str, Any], np.ndarray]:
    """Each network's results on the test set, None for one that diverged, which may be detected only here; and the
    logits of the others.
    """
    config, labels, last = keeper.run.config, dataset.test_labels, int(ts.step[0]) - 1
    _, program = make_run(config, data)

    def all_of(images: np.ndarray) -> np.ndarray:
        return all_logits(lambda chunk: program.logits(*ts.selected, chunk), images)

    logits = all_of(dataset.test_images)
    loss = mean_loss(logits, labels)
    keeper.lost("test loss", dict.fromkeys(np.flatnonzero(~np.isfinite(loss)).tolist(), last))
    if config.patience:  # no epoch improved the loss: the selected weights are the untrained ones
        never = np.flatnonzero(np.asarray(ts.stopping.best_epoch) < 1).tolist()
        keeper.lost("validation loss", dict.fromkeys(never, last))
    is_lost = np.isin(np.arange(len(loss)), sorted(keeper.run.diverged()))

    def sound(figures: np.ndarray) -> Any:
        return plain(np.where(is_lost, np.nan, figures))

    kept = np.where(is_lost[:, None, None], np.nan, logits)
    test = {"n": len(labels), "accuracy": sound(accuracy(logits, labels)), "loss": sound(loss)}
    test["confusion"] = [commonest_confusion(one, labels, dataset.class_names) for one in kept]
    if len(kept) * len(dataset.class_names) ** 2 <= journal.COUNTS:
        test["matrix"] = [confusion_matrix(one, labels).tolist() for one in kept]
    if config.tta != "none":
        averaged = mean_over_views(all_of, dataset.test_images, config.tta)
        test["tta"] = {"name": config.tta, "accuracy": sound(accuracy(averaged, labels))}
    return test, logits[~is_lost]

"""The verbs of the command line as functions: train, evaluate, predict, compare, export. None of them prints."""

import dataclasses
import os
import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

from jaxquard import data as data_sets
from jaxquard import recipes
from jaxquard.arguments import checked, checked_number
from jaxquard.config import Config
from jaxquard.data import Dataset, catalogue
from jaxquard.data.arrays import as_dataset, evaluated_on
from jaxquard.data.cache import Progress, Report
from jaxquard.errors import DataError, UsageError
from jaxquard.exporting import Exported
from jaxquard.exporting import export as _export
from jaxquard.files import expanded, is_writable
from jaxquard.runs import directory, evaluating, models, notebook, predicting
from jaxquard.runs import train as runs_train
from jaxquard.runs.comparing import compare as compare  # re-exported: it needs no JAX
from jaxquard.runs.directory import Run
from jaxquard.runs.environment import is_same_data, reading
from jaxquard.runs.evaluating import Evaluations, Split
from jaxquard.runs.interrupts import Interrupted, saving_first
from jaxquard.runs.models import TrainedModel
from jaxquard.runs.predicting import Predictions
from jaxquard.runs.results import Named, Seconds, TrainResult, finished_result, name_of
from jaxquard.runs.train import Observer
from jaxquard.training.processes import ALONE, Processes


@checked
def train(
    config: Config | str | None = None,
    *,
    resume: Named | None = None,
    runs: str | Path | None = None,
    name: str | None = None,
    until: int | None = None,
    checkpoint_every: int | None = None,
    devices: int | Literal["all"] | None = None,
    data_on: Literal["host", "device"] | None = None,
    data: object = None,
    dataset: str | Path | None = None,
    skip_damaged: bool = False,
    data_dir: str | Path | None = None,
    offline: bool | None = None,
    observer: Observer | None = None,
    report: Report | None = None,
    progress: Progress | None = None,
    processes: Processes = ALONE,
) -> TrainResult:
    """Train a new run, or continue one, and evaluate it once on the test set.

    config: the settings, or the name of a recipe (default: `Config()`).
    resume: the run to continue, instead of a config and a name. A finished run is not trained again.
    data: (X, y), (X_train, y_train, X_test, y_test) or a Dataset, instead of the config's data set; see
    `Dataset.from_arrays`. To resume such a run, give the same data again.
    dataset: the data of the run `resume`, if they were moved.
    runs: the folder of all runs (default: JAXQUARD_RUNS, else ./runs). name: of the new run (default: generated).
    until: stop after this epoch; resume the run to finish it. checkpoint_every: also save after this many steps.
    devices: how many of the devices that JAX shows, or "all" (default: one CPU, or all accelerators that have
    work). Several networks are spread over them first; one network needs the setting `shards`.
    data_on: where the images stay, "device" (the default, if they fit into half of its memory) or "host" (main memory).
    skip_damaged, data_dir, offline, report, progress: as for `load`. observer: called during the training; may stop it.
    processes: all processes of this training, for `jaxquard launch`; this one must be the first.
    Raises UsageError for wrong arguments, DataError for data that are missing or damaged, DivergedError if no network
    has a finite loss, and RunError for a run that is missing, in use, already there or damaged.
    Ctrl-C saves a checkpoint, then raises KeyboardInterrupt with the command that resumes; a second one stops at once.
    """
    if resume is not None and (config is not None or name is not None):
        raise UsageError("resume: continues a run with its own settings; give no config and no name")
    if resume is None and dataset is not None:
        raise UsageError(
            "dataset: only for `resume`, if the run's data were moved; for a new run, set it in the config"
        )
    _check_one(data, dataset)
    until, checkpoint_every = (
        None if value is None else checked_number(option, int, value, low=1)
        for option, value in (("until", until), ("checkpoint_every", checkpoint_every))
    )
    if devices is not None and devices != "all":
        devices = checked_number("devices", int, devices, low=1)
    began, root = time.perf_counter(), directory.runs_directory(runs)
    run = directory.wanted(root, name, None if resume is None else name_of(resume))
    source: dict[str, Any] = {"data_dir": data_dir, "offline": offline, "report": report, "progress": progress}
    if observer is None and notebook.is_running():
        bar = notebook.ProgressBar()
        observer = Observer(bar.begin, bar.event, print)
    observer = observer or Observer()
    if run:
        finished, writable = finished_result(run), is_writable(run.path)
        if finished and not writable:
            observer.warn(f"{run.path} is read-only: nothing was locked or changed")
        processes.exchange({} if finished else {"config": run.config.to_dict(), "data": run.environment["dataset"]})
        if finished and dataset is None and data is None:
            return finished
        if data is None:
            loaded = _load(dataset, run.config.dataset, run.environment["dataset"], skip_damaged, **source)
        else:
            loaded = as_dataset(data)
        runs_train.check_same_data(run, loaded)
        if dataset is not None and writable:
            run.record_place(_place(dataset))
        if finished:
            return finished
        training = partial(runs_train.resume, run, loaded)
    else:
        config = recipes.find(config).config if isinstance(config, str) else config or Config()
        processes.exchange({"config": None})
        if data is None:
            loaded = _load_for(config, skip_damaged, **source)
        else:
            loaded, config = as_dataset(data), config.replace(dataset=catalogue.ARRAYS)
        training = partial(runs_train.train, _from_anywhere(config, root), loaded, runs=root, name=name)
    seconds = Seconds(data=time.perf_counter() - began)
    how: dict[str, Any] = {"until": until, "checkpoint_every": checkpoint_every, "devices": devices, "data_on": data_on}
    return _saving_first(partial(training, **how, seconds=seconds, processes=processes), observer)


def follow(
    config: Config | None,
    processes: Processes,
    *,
    runs: str | Path | None = None,
    until: int | None = None,
    checkpoint_every: int | None = None,
    devices: int | Literal["all"] | None = None,
    data_on: Literal["host", "device"] | None = None,
    dataset: str | Path | None = None,
    skip_damaged: bool = False,
    observer: Observer | None = None,
    **source: Any,
) -> None:
    """Train beside the first of several processes, which calls `train`; write nothing. Arguments as for `train`.

    To resume a run, `config` is None: it comes from the first process.
    """
    root, (plan, *_) = directory.runs_directory(runs), processes.exchange(None)
    if not plan:  # the run to resume has finished
        return
    if config is None and plan["config"] is None:
        raise UsageError("resume: rank 0 begins a new run; all ranks need the same command")
    if config is None:
        config = Config.from_dict(plan["config"])
        loaded = _load(dataset, config.dataset, plan["data"], skip_damaged, **source)
    else:
        loaded = _load_for(config, skip_damaged, **source)
    limits: dict[str, Any] = {
        "until": until,
        "checkpoint_every": checkpoint_every,
        "devices": devices,
        "data_on": data_on,
    }
    runs_train.follow(_from_anywhere(config, root), loaded, processes, runs=root, observer=observer, **limits)


def _saving_first(training: Callable[..., TrainResult], observer: Observer) -> TrainResult:
    """The result of a training. Ctrl-C saves a checkpoint, then raises KeyboardInterrupt."""
    with saving_first() as interrupts:

        def begin(*facts: Any) -> None:
            interrupts.training = True
            observer.begin(*facts)

        def should_stop() -> bool:
            return interrupts.asked or observer.should_stop()

        try:
            result = training(observer=dataclasses.replace(observer, begin=begin, should_stop=should_stop))
        except Interrupted as error:
            if interrupts.asked:
                raise KeyboardInterrupt(str(error)) from None
            raise
    if interrupts.asked:
        raise KeyboardInterrupt(f"interrupted after {result.run.id} had finished")
    return result


def _load_for(config: Config, skip_damaged: bool, **options: Any) -> Dataset:
    """The data set of a new run."""
    options |= {"image_size": config.image_size, "color": config.color, "skip_damaged": skip_damaged}
    return data_sets.load(config.dataset, **options)


def _load(
    given: str | Path | None, own: str, facts: dict[str, Any], skip_damaged: bool = False, **options: Any
) -> Dataset:
    """The `given` data set, else the model's `own`; images are made from pictures as for the data with these `facts`.

    The DataError for a missing data set says what to do.
    """
    options |= reading(facts)
    options["skip_damaged"] |= skip_damaged
    try:
        return data_sets.load(own if given is None else given, **options)
    except DataError as error:
        if given is not None or catalogue.find(own) or os.path.exists(own):
            raise
        raise DataError(f"{error}\nif the data were moved, name their new place with --dataset") from error


def _check_one(data: object, dataset: str | Path | None) -> None:
    if data is not None and dataset is not None:
        raise UsageError("data: give either data or a dataset, not both")


def _place(dataset: str | Path) -> str:
    """The name of a known data set or of arrays, or the absolute path of another one."""
    if dataset == catalogue.ARRAYS:
        return catalogue.ARRAYS
    known = catalogue.find(str(dataset))
    return known.name if known else os.path.abspath(expanded(dataset))


def _from_anywhere(config: Config, root: Path) -> Config:
    """The config with absolute paths of its data set and teacher, unless these are names."""
    config = config.replace(dataset=_place(config.dataset))
    if not config.teacher:
        return config
    model = expanded(config.teacher)
    path, at, number = (model, "", "") if model.endswith(".safetensors") else directory.parted(model)
    named = path in directory.shipped() or (root / path / "config.toml").is_file()
    return config.replace(teacher=model if named or not Path(path).exists() else f"{os.path.abspath(path)}{at}{number}")


@checked
def evaluate(
    model: Named,
    *,
    data: object = None,
    dataset: str | Path | None = None,
    split: Split = "test",
    why: str = "asked for",
    runs: str | Path | None = None,
    data_dir: str | Path | None = None,
    offline: bool | None = None,
    report: Report | None = None,
) -> Evaluations:
    """Evaluate a model, or every network of a run, on one split. Returns a sequence with one Evaluation per network.

    model: the name, path or result of a run, RUN@k, RUN@all, a weights file, or a model that comes with Jaxquard.
    data: a Dataset, (X, y) or (X_train, y_train, X_test, y_test), as for `train`; of (X, y) that the model was not
    trained on, all images are evaluated. dataset: other data than those of its training.
    split: "test", "validation" (the images held out in its training) or "train". An evaluation on the test set is
    recorded in the run, with the reason `why`.
    runs: the folder of all runs. data_dir, offline, report: as for `load`. `report` also gets a note if the run is
    read-only (without `report`: it is printed in a notebook, and a Python warning elsewhere).
    Raises UsageError for wrong arguments or data that do not fit the model, DataError for data and RunError for a run
    that are missing or damaged.
    """
    _check_one(data, dataset)
    name = name_of(model)
    networks = models.load_models(name, directory.runs_directory(runs))
    options = {"data_dir": data_dir, "offline": offline, "report": report}
    own = networks[0]
    if data is None:
        loaded = _load(dataset, own.config.dataset, own.dataset, **options)
    else:
        loaded = evaluated_on(data, {"class_names": own.class_names} | own.like, partial(is_same_data, own.dataset))
    found = evaluating.evaluate(networks, loaded, split)
    if split == "test" and (fault := found.record(name, why)):
        (report or (print if notebook.is_running() else warnings.warn))(f"note: {fault}")
    return found


@checked
def list_runs(*, runs: str | Path | None = None) -> list[Run]:
    """All runs, newest first. runs: their folder, as for `train`."""
    return directory.newest_first(directory.runs_directory(runs))


@checked
def load_model(model: Named, *, runs: str | Path | None = None) -> TrainedModel:
    """One trained network. Its `logits` maps images (n, height, width, channels), uint8 or float32 with 1 for white,
    to float64 (n, classes).

    model: as for `evaluate`; for a run of several networks, RUN@k (network k) or RUN@all (their average).
    runs: the folder of all runs.
    Raises RunError if the run or file is missing or damaged, or if it has several networks and no @k or @all is given.
    """
    return models.load_model(name_of(model), directory.runs_directory(runs))


@checked
def predict(
    model: Named,
    pictures: Sequence[str | Path] = (),
    *,
    images: object = None,
    as_is: bool = False,
    background: Literal["auto", "light", "dark"] = "auto",
    keep_going: bool = False,
    runs: str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Predictions:
    """Classify pictures. Returns a sequence with one Prediction per picture, in order.

    model, runs: as for `load_model`. pictures: paths of files, or of folders for all pictures in them; at least one.
    images: instead of pictures, an array of images like those of the training; the other options do not matter then.
    background: of the pictures; "auto" detects it. as_is: do not search for an object and do not invert.
    progress: gets the number of pictures read so far, and the number of all.
    Raises DataError for a picture that cannot be read; with `keep_going`, its Prediction has an `error` instead.
    Also raises as `load_model`.
    """
    if images is not None and len(pictures):
        raise UsageError("predict: give either pictures or images, not both")
    if images is None and not len(pictures):
        raise UsageError("predict: no picture given; jaxquard predict MODEL IMAGE…")
    loaded = load_model(model, runs=runs)
    if images is not None:
        return predicting.predict_images(loaded, images)
    files, notes = predicting.find_pictures(pictures)
    found = []
    for one in predicting.predict(loaded, files, as_is=as_is, background=background, progress=progress):
        if one.error and not keep_going:
            raise DataError(one.error)
        found.append(one)
    return predicting.Predictions(loaded, found, notes)


@checked
def export(
    model: Named,
    *,
    to: str,
    out: str | Path | None = None,
    overwrite: bool = False,
    licence: str | None = None,
    with_images: bool = False,
    runs: str | Path | None = None,
    data_dir: str | Path | None = None,
    offline: bool | None = None,
    report: Report | None = None,
) -> Exported:
    """Write a network, or the journal of a run, for other programs.

    model, runs: as for `load_model`; of a journal, a run without @k stands for all of its networks.
    to: the format, a name in `exporting.FORMATS` such as "onnx".
    out: the file or folder (default: named like the model, in the current folder). overwrite: replace it if it exists;
    a folder, only if it holds no other file. licence: of the training data, for "huggingface" (default: as known).
    with_images: put images of the test set in, for "html"; data_dir, offline, report: as for `load`.
    Raises UsageError for an unknown format or a file that is already there, RunError for a network that diverged or
    a model without a journal, and JaxquardError if an extra is not installed or the file cannot be written. Also
    raises as `load_model`.
    """
    source: dict[str, Any] = {"runs": runs, "data_dir": data_dir, "offline": offline, "report": report}
    look = partial(evaluate, model, why="export --to html --with-images", **source) if with_images else None
    options = {"licence": licence, "with_images": look}
    return _export(name_of(model), directory.runs_directory(runs), to, out, overwrite, **options)

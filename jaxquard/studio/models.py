"""The models that the studio shows: looked up by id in a list, and cached."""

import functools
import json
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from anyio import to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from jaxquard import data
from jaxquard.config import Config
from jaxquard.data import Dataset, split
from jaxquard.data.dataset import shuffled, split_rows
from jaxquard.data.framing import Framing
from jaxquard.errors import DataError, JaxquardError, UsageError
from jaxquard.runs import checkpoint, directory
from jaxquard.runs.directory import ALL, Run
from jaxquard.runs.environment import is_same_data, reading
from jaxquard.runs.models import TrainedModel, load_model, spec_of
from jaxquard.studio.watch import Watch, modified
from jaxquard.training.data import held_out_of
from jaxquard.training.task import parameters

T = TypeVar("T")
PARTS = ("held_out", "learned", "test")  # of the data set
SAMPLE = 5_000  # images of the part `learned`
CAPACITY = 4  # models kept; one with all its results takes up to 50 MB


class Part(NamedTuple):
    """Images (n, h, w, c) of a data set, and their labels (n,). `name`: one of PARTS; `indices`: their numbers among
    the training images, None for others; `said`: a description."""

    name: str
    images: np.ndarray
    labels: np.ndarray
    indices: np.ndarray | None
    said: str


class Subject:
    """A model with the weights of one checkpoint, its data, and the results computed so far."""

    def __init__(
        self, model: TrainedModel, load: Callable[[TrainedModel], Dataset], tested: set[Any], stamp: Any = None
    ) -> None:
        """`load` loads its data. `tested` has (name, stamp) of each model whose use of the test set is recorded;
        `stamp` changes with the weights."""
        self.model, self.tested, self.stamp = model, tested, stamp
        self.unrecorded = False  # whether a use of the test set could not be written into the run
        self._load = load
        self._known: dict[Any, Any] = {}
        self._lock = threading.RLock()

    @property
    def dataset(self) -> Dataset:
        """The data that it was trained on. DataError if that is missing or has changed."""
        return self._load(self.model)

    @property
    def epoch(self) -> int | None:
        """The epoch of its weights; None if unknown."""
        model, stops = self.model, bool(self.model.config.patience)
        if stops and model.networks > 1:  # each network has another best epoch
            return None
        return model.config.epochs if model.run is None and not stops else model.epoch

    @functools.cached_property
    def when(self) -> str:
        """The epoch in words."""
        return "" if self.epoch is None else f", after epoch {self.epoch}"

    def part(self, name: str) -> Part:
        """The part of that name: see `part_of`."""
        return self.once(part_of, name)

    def once(self, function: Callable[..., T], *arguments: Any) -> T:
        """`function(self, *arguments)`, computed at the first call and then cached."""
        question = (function, *arguments)
        if question not in self._known:
            with self._lock:
                if question not in self._known:
                    self._known[question] = function(self, *arguments)
        return self._known[question]


def part_of(subject: Subject, name: str) -> Part:
    """The part of that name. "": held-out images or, if there are none, images that it learned from. UsageError."""
    dataset = subject.dataset
    held_out = held_out_of(subject.model.config, dataset)
    name = name or ("held_out" if held_out else "learned")
    if name not in PARTS:
        raise UsageError(f"on: must be one of {', '.join(PARTS)}")
    if name == "test":
        images, labels = dataset.test_images, dataset.test_labels
        return Part(name, images, labels, None, f"{len(labels):,} test images{subject.when}.")
    if name == "held_out" and not held_out:
        raise UsageError(f"on: {subject.model.name} has no held-out images; use on=learned or on=test")
    if name == "held_out" and len(dataset.val_labels):
        *_, images, labels = split(dataset, held_out)
        indices = None
    else:
        indices = numbers(subject)[1] if name == "held_out" else learned(subject, SAMPLE)
        images, labels = dataset.train_images[indices], dataset.train_labels[indices]
    what = "held-out images, not learned from" if name == "held_out" else "images that it learned from"
    return Part(name, images, labels, indices, f"{len(labels):,} {what}{subject.when}.")


def numbers(subject: Subject) -> tuple[np.ndarray, np.ndarray]:
    """The indices of the training images that the model learned from, and of those held out: the split of training."""
    dataset = subject.dataset
    count = 0 if len(dataset.val_labels) else held_out_of(subject.model.config, dataset)
    return split_rows(dataset, count) if count else (np.arange(len(dataset.train_labels)), np.arange(0))


def learned(subject: Subject, most: int) -> np.ndarray:
    """The indices of at most `most` images that the model learned from, at random, the same every time."""
    indices = numbers(subject)[0]
    return np.sort(indices[shuffled(len(indices))[: max(1, most)]])


class Shelf:
    """A cache of the CAPACITY models that were used last."""

    def __init__(self, watch: Watch, *, data_dir: Path | None = None, offline: bool = False) -> None:
        self._watch, self._lock = watch, threading.Lock()
        self._tested: set[Any] = set()
        self._read = functools.lru_cache(CAPACITY)(self._subject)

        @functools.lru_cache(maxsize=2)
        def load(name: str, hashes: str, **options: Any) -> Dataset:
            del hashes  # part of the cache key: the file of this name may change
            return data.load(name, **options, data_dir=data_dir, offline=offline or None)

        self._load = load

    def take(self, name: str) -> Subject:
        """The model of that id, with its newest checkpoint. HTTPException (404) if there is none."""
        sight = self._watch.find(directory.parted(name)[0])
        known = [line["model"] for line in _lines(sight.run)] if sight else directory.shipped()
        if name not in known:
            raise HTTPException(404, "there is no model of this name; GET /api/models lists all models")
        with self._lock:
            return self._read(name, sight and _stamp(sight.run))

    def _subject(self, name: str, stamp: Any) -> Subject:
        return Subject(load_model(name, self._watch.root), self._dataset, self._tested, stamp)

    def _dataset(self, model: TrainedModel) -> Dataset:
        hashes = json.dumps(model.dataset["sha256"])
        found = self._load(model.config.dataset, hashes, **reading(model.dataset))
        if not is_same_data(model.dataset, found):
            raise DataError(f"{found.name} is no longer the data that {model.name} was trained on")
        return found


def _stamp(run: Run) -> Any:
    """A value that changes with a run's weights, or if another run replaces it."""
    return _made(run), *[path.name for path in checkpoint.listed(run.checkpoints)][-1:]


def _made(run: Run) -> float:
    """When a run began."""
    return modified(run.path / "config.toml")


def list_models(runs: Path) -> list[dict[str, Any]]:
    """Each network of every run, and the average of a run's networks, newest run first; then the shipped models."""
    mine = [line for run in sorted(directory.every(runs), key=_made, reverse=True) for line in _lines(run)]
    models = (load_model(name, runs) for name in directory.shipped())
    return mine + [describe(one.name, one.config, one.dataset, shipped=True) for one in models]


def _lines(run: Run) -> list[dict[str, Any]]:
    """The list's lines for one run; none if it is damaged."""
    return _lines_of(run.path, _made(run), modified(run.journal_file))


@functools.lru_cache(maxsize=1024)
def _lines_of(path: Path, made: float, written: float) -> list[dict[str, Any]]:
    del made, written  # part of the cache key: another run may replace this one, and networks may diverge
    run = Run(path)
    try:
        networks, facts = run.config.networks(), run.environment["dataset"]
        swept, named = [name for name, _ in run.config.sweep], zip(run.network_names(), networks, strict=True)
        each = [describe(name, network, facts, swept=swept) for name, network in named]
        sound = len(networks) - len(run.diverged())
        return each + ([describe(f"{run.id}@{ALL}", run.config, facts, networks=sound)] if sound > 1 else [])
    except JaxquardError:
        return []


def describe(
    name: str,
    config: Config,
    facts: dict[str, Any],
    *,
    swept: Sequence[str] = (),
    shipped: bool = False,
    networks: int = 1,
) -> dict[str, Any]:
    """A line of the list. `facts`: its run's facts about the data set; `swept`: the settings of its sweep; `networks`:
    the number averaged."""
    run, at, number = directory.parted(name)
    own = ", ".join(f"{setting} {getattr(config, setting)}" for setting in ("seed", *swept))
    which = f"average of {networks} networks" if networks > 1 else f"network {number} ({own})"
    return {
        "model": name,
        "title": f"{run}, {which}" if at else name,
        "networks": networks,
        "dataset": facts["name"],
        "parameters": parameters(spec_of(config, facts)),
        "classes": facts["class_names"],
        "image": facts["image_shape"],
        "as_read": Framing.from_dict(facts.get("framing", {})).as_read,
        "shipped": shipped,
    }


def index_of(request: Request, what: str, count: int) -> int:
    """The number of the `what` in an address, 0 to count - 1. HTTPException (404) for anything else."""
    text = request.path_params[what]
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and int(text) < count):
        raise HTTPException(404, f"{what}: must be a number from 0 to {count - 1}")
    return int(text)


def route(path: str, find_out: Callable[[Subject, str, Request], dict[str, Any]]) -> Route:
    """GET /api/models/MODEL/`path`: the result of `find_out(subject, on, request)` for that model and the part `?on=`,
    computed in the thread for JAX."""

    def find(request: Request) -> dict[str, Any]:
        subject = request.app.state.shelf.take(request.path_params["model"])
        part = subject.part(request.query_params.get("on", ""))
        return {"on": part.name, "said": part.said, "epoch": subject.epoch} | find_out(subject, part.name, request)

    async def answer(request: Request) -> JSONResponse:
        return JSONResponse(await to_thread.run_sync(find, request, limiter=request.app.state.limiter))

    return Route(f"/api/models/{{model}}/{path}", answer)


async def models(request: Request) -> JSONResponse:
    """GET /api/models: every model."""
    state = request.app.state
    found = await to_thread.run_sync(list_models, state.studio.runs, limiter=state.limiter)
    return JSONResponse({"models": found})


routes = [Route("/api/models", models)]

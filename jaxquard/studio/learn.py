"""The Learn view: the settings for the form, the command line for them, and the weights as pictures."""

import contextlib
import dataclasses
import functools
import itertools
import math
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

import numpy as np
from anyio import to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from jaxquard import recipes
from jaxquard.arguments import image_size
from jaxquard.charts import pictures
from jaxquard.config import NEEDS, Config, flag
from jaxquard.data import catalogue
from jaxquard.errors import RunError, UsageError
from jaxquard.runs import directory
from jaxquard.runs.directory import Run
from jaxquard.studio.security import read_json
from jaxquard.studio.watch import Sight, Watch
from jaxquard.systems import cores

if TYPE_CHECKING:
    from jaxquard.nn.model import Model

MAX_LAYERS = 64  # before the last; more take minutes to compile
MAX_NUMBERS = 100_000_000  # parameters of all networks of a run: 1.6 GB with gradients and an optimiser's state
TYPES = get_type_hints(Config)
KINDS = {bool: "bool", int: "int", float: "float", str: "text"}
FIELDS = {field.name: field for field in dataclasses.fields(Config) if field.name not in ("recipe", "sweep")}


def described(name: str) -> dict[str, Any]:
    """One setting for the form: type, default, choices, bounds, help, and the setting that it needs."""
    kinds = [kind for kind in get_args(TYPES[name]) if kind is not type(None)] or [TYPES[name]]
    choices = list(get_args(TYPES[name])) if get_origin(TYPES[name]) is Literal else None
    kind = "choice" if choices else "ints" if get_origin(TYPES[name]) is tuple else KINDS[kinds[0]]
    facts = FIELDS[name].metadata
    bounds = facts["bounds"] | ({"choices": choices} if choices else {})
    shown = {"name": name, "group": facts["group"], "help": facts["help"], "type": kind, "first": facts["first"]}
    return shown | {"default": Config().to_dict().get(name), "needs": NEEDS.get(name, ())} | bounds


@functools.cache
def recipe(name: str) -> dict[str, Any]:
    """A recipe: the settings that it changes, and its measured accuracy."""
    found = recipes.find(name)
    result = found.result or {}
    plain, changed = Config().to_dict(), found.config.to_dict()
    accuracy = result.get("test_accuracy")
    return {
        "name": name,
        "summary": found.purpose,
        "config": {key: value for key, value in changed.items() if key != "recipe" and plain.get(key) != value},
        "parameters": result.get("parameters"),
        "test_accuracy": accuracy and accuracy["values"],
    }


def chosen(document: Mapping[str, Any], datasets: Mapping[str, str]) -> Config:
    """The config for `{"recipe", "settings"}`, as the command line makes it. Raises UsageError."""
    name, settings = document.get("recipe"), document.get("settings", {})
    if not isinstance(name, str | None) or not isinstance(settings, dict):
        raise UsageError("recipe must be a name, and settings an object")
    if "recipe" in settings:
        raise UsageError("recipe: must be beside settings, not inside")
    base = recipes.find(name[:100] if name else "original").config
    config = Config.from_dict(base.to_dict() | settings)
    if config.dataset == catalogue.ARRAYS:
        raise catalogue.only_in_python()
    if config.dataset not in datasets:
        raise UsageError(f"dataset: must be one of {', '.join(datasets)}, or the data of a run that is here")
    return config if name or config == base else config.replace(recipe=None)


def arguments(config: Config) -> list[str]:
    """The arguments of `jaxquard train` for this config: what differs from its recipe, or from the defaults."""
    base = recipes.find(config.recipe).config if config.recipe in recipes.names() else Config()
    differing = [name for name in FIELDS if getattr(config, name) != getattr(base, name)]
    if any(getattr(config, name) is None for name in differing if name != "teacher"):  # no other flag can say none
        base, differing = Config(), [name for name in FIELDS if getattr(config, name) != getattr(Config(), name)]
    words = ["--recipe", base.recipe] if base.recipe else []
    for name in differing:
        words += flag(name, getattr(config, name))
    for name, values in config.sweep:
        words += ["--sweep", f"{name}={','.join(map(repr, values))}"]
    return words


def parameters(config: Config, image_shape: tuple[int, ...], classes: int) -> int:
    """The number of parameters of each network, without computing anything. Raises UsageError."""
    from jaxquard.training import task

    spec = task.make_spec(config, image_shape, classes)
    task.check(spec, config)
    own = config.architecture()
    setting = next((name for name, value in own.items() if value != getattr(Config(), name)), next(iter(own), "model"))
    if len(task.make_model(spec).weighted) > MAX_LAYERS + 1:
        raise UsageError(f"{setting}: at most {MAX_LAYERS} layers in the studio")
    count = task.parameters(spec)
    if count * len(config.networks()) > MAX_NUMBERS:
        raise UsageError(f"{setting}: {count:,} parameters in each network are too many for the studio")
    return count


def datasets(state: Any) -> dict[str, str]:
    """The data sets for trainings, name to title: the catalogue's, and those of runs that are here."""
    known = {entry.name: entry.title for entry in catalogue.CATALOGUE.values()}
    used = {summary["dataset"] for summary in state.reader.summaries()} - {None, catalogue.ARRAYS}
    return known | {name: os.path.basename(name) for name in sorted(used - set(known))}


class Facts(NamedTuple):
    """What is known about a data set before it is read. `train`: the number of training images, if known; `notes`: what
    is unusual about it; `validation`: the number of its own validation images; `pictures`: whether its images are made
    from pictures, so that settings decide their shape."""

    image_shape: tuple[int, ...]
    classes: int
    train: int | None
    notes: Sequence[str] = ()
    validation: int = 0
    pictures: bool = False

    def shape_for(self, config: Config) -> tuple[int, ...]:
        """The shape of the images for this config, as far as it is known."""
        if not self.pictures:
            return self.image_shape
        *size, channels = self.image_shape
        size = image_size(config.image_size) if config.image_size else size
        return (*size, {"auto": channels, "grey": 1, "rgb": 3}[config.color])


DIGITS = Facts((8, 8, 1), 10, 1497)  # scikit-learn's 1,797 without the sixth for testing


def facts_of(state: Any, dataset: str) -> Facts:
    """The facts from a run with this data, else from the catalogue, else those of MNIST."""
    for summary in state.reader.summaries():
        if summary["dataset"] == dataset:
            with contextlib.suppress(RunError, HTTPException):  # damaged, or just deleted: try the next run
                facts = state.reader.find(summary["run"]).run.environment["dataset"]
                shape, classes = tuple(facts["image_shape"]), len(facts["class_names"])
                amounts, pictures = facts.get("validation", 0), facts.get("reading") is not None
                return Facts(shape, classes, facts["train"], facts.get("notes", ()), amounts, pictures)
    if dataset == "digits":
        return DIGITS
    entry = catalogue.find(dataset)
    counts = [file.count for file in entry.files if file.role == "train_images"] if entry else []
    return Facts(
        entry.image_shape if entry else (28, 28, 1),
        len(entry.class_names) if entry else 10,
        counts[0] if counts else None,
    )


def checked(state: Any, document: Mapping[str, Any]) -> tuple[Config, int]:
    """The config of a request, and its number of parameters. Raises UsageError."""
    config = chosen(document, datasets(state))
    if config.teacher is not None and not is_known(config.teacher, state.watch):
        raise UsageError("teacher: must be a run that is here or a shipped model")
    facts = facts_of(state, config.dataset)
    if facts.train is not None:
        check_amounts(config, facts.train, facts.validation)
    return config, parameters(config, facts.shape_for(config), facts.classes)


def check_amounts(config: Config, train: int, own: int = 0) -> None:
    """UsageError if `train` images, or a data set's `own` validation images, are too few for a config."""
    held_out, left = config.held_out(train, own), config.trained_on(train, own)
    if held_out > (most := own or train - 1):
        of = f"{own:,} validation" if own else f"{train:,} training"
        raise UsageError(f"validation: of the {of} images, at most {most:,} can be held out")
    if config.batch_size > left:
        raise UsageError(f"batch_size: {config.batch_size:,} is more than the {left:,} images left")


def is_known(model: str, watch: Watch) -> bool:
    """Whether this names a run, one network of a run (RUN@k), their average (RUN@all) or a shipped model."""
    run, at, number = directory.parted(model)
    network = number == directory.ALL or (number.isascii() and number.isdecimal())
    return model in directory.shipped() or ((not at or network) and watch.find(run) is not None)


def info(request: Request) -> JSONResponse:
    """GET /api/info: the data sets, recipes and settings to choose from."""
    state = request.app.state
    facts = {name: facts_of(state, name) for name in datasets(state)}
    return JSONResponse(
        {
            "datasets": [
                {"name": name, "title": title, "train": facts[name].train, "notes": list(facts[name].notes)}
                for name, title in datasets(state).items()
            ],
            "recipes": [recipe(name) for name in recipes.names()],
            "settings": [described(name) for name in FIELDS],
            "cores": cores(),
        }
    )


async def check(request: Request) -> JSONResponse:
    """POST /api/settings/check: the command, the config and the number of parameters for a choice, or an error."""
    document = await read_json(request)
    config, count = await to_thread.run_sync(checked, request.app.state, document)
    command = request.app.state.studio.command("train", *arguments(config))
    return JSONResponse({"command": command, "config": config.to_dict(), "parameters": count})


BINS, UNITS = 41, 64


def weights(sight: Sight, network: int) -> dict[str, Any]:
    """The newest snapshot of one network of a run beside its first. HTTPException (422) if there is no such network."""
    from jaxquard.runs.models import spec_of  # with JAX
    from jaxquard.training.task import make_model

    run = sight.run
    if not 0 <= network < len(run.config.networks()):
        raise HTTPException(422, "this run has no network with this number")
    epochs = run.snapshot_epochs()
    if not epochs:
        raise HTTPException(404, "this run has no snapshots")
    facts = run.environment["dataset"]
    model = make_model(spec_of(run.config, facts))
    start, now = snapshot(run, model, epochs[0], network), snapshot(run, model, epochs[-1], network)
    layers = [
        {"name": f"layer {k + 1}", "shape": list(w.shape), "histogram": histogram(before, w)}
        for k, (before, w) in enumerate(zip(start, now, strict=True))
    ]
    block = pixel_block(model)
    images = None if block is None else first_layer(as_pixels(now[0] - start[0], facts["image_shape"], block))
    return {"epoch": epochs[-1], "layers": layers, "first_layer": images}


def snapshot(run: Run, model: "Model", epoch: int, network: int) -> list[np.ndarray]:
    """One network's weights (no biases) after an epoch, first layer first. RunError if they are damaged."""
    from jaxquard.runs import tensors  # with JAX

    file = run.snapshot(epoch)
    try:
        arrays = tensors.from_bytes(file.read_bytes(), str(file))
    except OSError as error:
        raise RunError(f"{file}: cannot be read: {error.strerror}") from error
    try:
        return [arrays[layer.arrays["w"]][network] for layer in model.weighted]
    except (KeyError, IndexError) as error:
        raise RunError(f"{file}: damaged: weights of a layer are missing") from error


def histogram(start: np.ndarray, now: np.ndarray) -> dict[str, Any]:
    """Counts of both arrays in the same bins and their standard deviations, without values that are not finite."""
    arrays = {name: array[np.isfinite(array)] for name, array in (("start", start), ("now", now))}
    edges = np.histogram_bin_edges(np.concatenate(list(arrays.values())), BINS)
    counts = {name: np.histogram(array, edges)[0].tolist() for name, array in arrays.items()}
    stds = {name: float(array.std()) if array.size else 0.0 for name, array in arrays.items()}
    return {"edges": edges.tolist(), **counts, "std": stds}


def pixel_block(model: "Model") -> int | None:
    """The side of the pixel squares that are one input of the first weighted layer; None if these are no pixels."""
    before = list(itertools.takewhile(lambda layer: "w" not in layer.arrays, model.layers))
    if any(layer.kind not in ("standardize", "space_to_depth", "flatten") for layer in before):
        return None
    return math.prod(layer.attributes["block"] for layer in before if layer.kind == "space_to_depth")


def as_pixels(w: np.ndarray, image_shape: Sequence[int], block: int) -> np.ndarray:
    """First-layer weights in the layout of their pixels, (h, w, c, units): from a dense layer's (h·w·c, units), or from
    kernels (rows, columns, block²·c, units), whose inputs are block × block squares of pixels."""
    if w.ndim == 2:
        w = w.reshape(*(-(-size // block) for size in image_shape[:2]), -1, w.shape[-1])
    rows, columns, _, units = w.shape
    squares = w.reshape(rows, columns, block, block, -1, units).swapaxes(1, 2)
    return squares.reshape(rows * block, columns * block, -1, units)


def first_layer(change: np.ndarray) -> dict[str, Any]:
    """The change of each unit's weights by training (h, w, c, units), averaged over channels, as pictures."""
    units = np.moveaxis(change.mean(axis=2), -1, 0)[:UNITS]
    colors, limit = pictures.signed(units)
    said = f"The change of the weights by training, for {len(units)} of {change.shape[-1]} units. "
    return {
        "width": units.shape[2],
        "height": units.shape[1],
        "images": [pictures.data_uri(picture) for picture in colors],
        "sentence": said + pictures.scale_sentence(limit),
    }


def show_weights(request: Request) -> JSONResponse:
    """The weights of `?network=K`, by default of network 0."""
    asked = request.query_params.get("network", "0")
    network = int(asked) if asked.isdecimal() and len(asked) < 6 else -1
    return JSONResponse(weights(request.app.state.reader.find(request.path_params["run"]), network))


routes = [
    Route("/api/info", info),
    Route("/api/settings/check", check, methods=["POST"]),
    Route("/api/runs/{run}/weights", show_weights),
]

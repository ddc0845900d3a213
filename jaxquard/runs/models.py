"""Loads trained networks by name: a run, one network of a run, a weights file, or a model of the package."""

import functools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from importlib import resources
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxquard import strict_json
from jaxquard.config import Config
from jaxquard.data import arrays, oddities
from jaxquard.data.framing import Framing
from jaxquard.errors import RunError, UsageError
from jaxquard.files import expanded, write_atomically
from jaxquard.naming import counted
from jaxquard.nn.model import Params, State, named_arrays
from jaxquard.runs import checkpoint, directory, environment, tensors
from jaxquard.runs.directory import ALL, Run
from jaxquard.runs.in_numpy import FEW, Dense, dense_layers, logits_in_numpy
from jaxquard.training.evaluation import all_logits, average, log_probabilities
from jaxquard.training.program import make_logits, make_program, shapes, weight_shapes
from jaxquard.training.state import TrainState
from jaxquard.training.task import ModelSpec, Task, make_model, make_spec, make_task

FORMAT = "jaxquard-model-2"


@dataclass(frozen=True)
class TrainedModel:
    """A network, or the average of several. Each leaf of `weights` has a leading axis of networks.

    `dataset`: the facts of the training data, as in environment.json. `step` and `epoch`: the updates and completed
    epochs of the weights; these and `run` are None for a weights file.
    """

    name: str
    config: Config
    dataset: dict[str, Any]
    weights: Any
    run: Run | None
    step: int | None = None
    epoch: int | None = None

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes."""
        return tuple(self.dataset["class_names"])

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of the training images."""
        height, width, channels = self.dataset["image_shape"]
        return height, width, channels

    @property
    def framing(self) -> Framing:
        """The framing of the training images; Fashion-MNIST's for a run without a record of it."""
        return Framing.from_dict(self.dataset.get("framing", {}))

    @property
    def networks(self) -> int:
        """The number of networks that it averages; 1 for a single one."""
        return len(jax.tree.leaves(self.weights)[0])

    @property
    def network(self) -> tuple[Params, State]:
        """Parameters and state of a single network. RunError for an average."""
        if self.networks > 1:
            raise RunError(f"{self.name}: an average of several networks; name one of them to look inside")
        return jax.tree.map(lambda leaf: leaf[0], self.weights)

    def __getstate__(self) -> dict[str, Any]:
        """What pickle keeps: compiled programs cannot be pickled."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @functools.cached_property
    def spec(self) -> ModelSpec:
        """The network's description, without weights."""
        return spec_of(self.config, self.dataset)

    @functools.cached_property
    def _apply(self) -> Callable[[jax.Array], jax.Array]:
        return functools.partial(make_logits(self.spec), *jax.device_put(self.weights))

    @functools.cached_property
    def _few(self) -> list[list[Dense]]:
        """The networks as NumPy computes them for a few images; [] with other layers than dense and ReLU, or if JAX
        uses an accelerator.
        """
        layers = make_model(self.spec).layers if jax.default_backend() == "cpu" else ()
        stacked = {name: np.asarray(leaf) for name, leaf in named_arrays(*self.weights).items()}
        each = ({name: leaf[k] for name, leaf in stacked.items()} for k in range(self.networks))
        return [found for network in each if (found := dense_layers(layers, network))]

    def logits(self, images: np.ndarray, seen: Callable[[int], None] = lambda n: None) -> np.ndarray:
        """Logits, float64 (n, classes), of images (n, h, w, c), uint8 or float32 with 1 for white. Or UsageError.

        Bytes with the small range of the training set's file are scaled as the training set was.
        """
        oddities.check_images(images, self.image_shape, self.name)
        white = self.dataset.get("scaled_from", 255)
        if white < 255 and images.dtype == np.uint8 and images.max(initial=0) <= white:
            images = oddities.whitened(np.asarray(images), white)
        if len(images) > FEW or not self._few:
            return average(all_logits(self._apply, images, seen))
        logits = np.array([logits_in_numpy(network, np.asarray(images)) for network in self._few], np.float64)
        seen(len(images))
        return average(logits)

    @property
    def like(self) -> dict[str, Any]:
        """The form of arrays like those of the training: options of `Dataset.from_arrays`."""
        return {"image_shape": self.image_shape, "value_range": self.dataset.get("value_range")}

    def levels(self, images: object) -> np.ndarray:
        """An array of images like those of the training, as `logits` takes them. DataError for others."""
        return arrays.levels_for(images, "images", self.like)

    def answers(self, images: np.ndarray, seen: Callable[[int], None] = lambda n: None) -> np.ndarray:
        """`logits`; RunError for a network that diverged."""
        logits = self.logits(images, seen)
        if not np.isfinite(logits).all():
            raise RunError(f"{self.name}: diverged: its outputs are not finite")
        return logits

    def predict_proba(self, images: object) -> np.ndarray:
        """Probabilities (n, classes) of an array of images like those of the training, or of picture files by path.

        Raises DataError for images that do not fit, or a picture that cannot be read; RunError as `answers`.
        """
        from jaxquard.runs import predicting  # imports this module

        if predicting.are_paths(images):
            found = predicting.predict_files(self, images)
            return np.array([list(one.probabilities.values()) for one in found])
        return np.exp(log_probabilities(self.answers(self.levels(images))))

    def predict(self, images: object) -> np.ndarray:
        """The names of the most probable classes, (n,): see `predict_proba`."""
        return np.array(self.class_names)[self.predict_proba(images).argmax(axis=1)]


def spec_of(config: Config, dataset: dict[str, Any]) -> ModelSpec:
    """The network of a config, for a data set with these facts."""
    return make_spec(config, dataset["image_shape"], len(dataset["class_names"]))


def models_of_run(run: Run) -> list[TrainedModel]:
    """Every network of a run, from its newest checkpoint; RunError if that is damaged."""
    ts, task = _newest_state(run)
    named = zip(run.network_names(), run.config.networks(), strict=True)
    return [_model(name, network, run, ts, task, [k]) for k, (name, network) in enumerate(named)]


def average_of_run(run: Run) -> TrainedModel:
    """The average of a run's networks as one model, without those that diverged."""
    sound = [k for k in range(len(run.config.networks())) if k not in run.diverged()]
    if not sound:
        raise RunError(f"{run.id}: every network diverged")
    return _model(f"{run.id}@{ALL}", run.config, run, *_newest_state(run), sound)


def _model(name: str, config: Config, run: Run, ts: TrainState, task: Task, networks: Sequence[int]) -> TrainedModel:
    weights = jax.tree.map(lambda leaf: np.asarray(leaf)[np.array(networks)], ts.selected)  # JAX would compile this
    step = max(_steps(ts, task)[k] for k in networks)
    return TrainedModel(name, config, run.environment["dataset"], weights, run, step, step // task.steps_per_epoch)


def _newest_state(run: Run) -> tuple[TrainState, Task]:
    """The state in a run's newest checkpoint. RunError if that is damaged, or the run's config has changed."""
    config, facts = run.config, run.environment["dataset"]
    run.check_config_is_its_own()
    examples = environment.trained_on(config, facts)
    task = make_task(config, facts["image_shape"], len(facts["class_names"]), examples)
    if not task.steps_per_epoch:
        raise RunError(
            f"{run.path / 'config.toml'}: damaged (batch_size: more than the {task.examples} training images)"
        )
    like = shapes(make_program(task), task, config.networks())
    arrays, faults = checkpoint.newest(run.checkpoints, run.last_step())
    if faults:  # the one before it may have much older weights
        raise RunError(f"{faults[0]}; to train the lost part again: {run.command('train', '--resume', run.id)}")
    return tensors.restore(arrays, like, str(run.checkpoints)), task


def _steps(ts: TrainState, task: Task) -> list[int]:
    """The step of each network's selected weights: under early stopping, of its best epoch."""
    if ts.stopping != ():
        return [max(0, int(best)) * task.steps_per_epoch for best in np.asarray(ts.stopping.best_epoch)]
    return [int(step) for step in np.asarray(ts.step)]


def unfinished(models: Sequence[TrainedModel]) -> str | None:
    """A note on what these models lack: which weights they are if their run has not finished, and which networks an
    average leaves out. None if they lack nothing.
    """
    run, said = models[0].run, [one for one in map(_left_out, models) if one]
    if run and (why := run.shortfall()):
        came = len(run.epochs())
        further = f", but it reached epoch {came}" if any(came != model.epoch for model in models) else ""
        said.append(f"{why}: these are its weights {after(models)} of {run.config.epochs}{further}")
    return "; ".join(said) or None


def _left_out(model: TrainedModel) -> str | None:
    """A note on the networks that an average leaves out, or None."""
    if (n := len(model.config.networks()) - model.networks) < 1:
        return None
    names = model.run.network_names() if model.run else []
    those = [names[k] for k in sorted(model.run.diverged())] if model.run else [counted(n, "network")]
    return f"{model.name} is an average without {', '.join(those)}, which diverged"


def after(models: Sequence[TrainedModel]) -> str:
    """`after step 936, epoch 2`; a range if the networks differ."""
    taken = sorted((model.step or 0, model.epoch or 0) for model in models)
    steps, epochs = (list(dict.fromkeys((low, high))) for low, high in zip(taken[0], taken[-1], strict=True))
    return f"after step {' to '.join(f'{n:,}' for n in steps)}, epoch {' to '.join(map(str, epochs))}"


def load_models(name: str, root: Path) -> list[TrainedModel]:
    """The networks of a model of the package, a weights file, RUN (all of its networks), RUN@k (one network) or
    RUN@all (the average of its networks, as one model).
    """
    name = expanded(name)
    if name in directory.shipped():
        return [load_file(Path(str(resources.files("jaxquard") / "models" / f"{name}.safetensors")), name)]
    if name.endswith(".safetensors"):
        try:
            return [load_file(Path(name), Path(name).stem)]
        except RunError:
            directory.refuse_part_of_run(name, root)
            raise
    run, numbers = directory.find_networks(name, root)
    if directory.parted(name)[2] == ALL:
        return [average_of_run(run)]
    return [model for k, model in enumerate(models_of_run(run)) if k in numbers]


def load_model(name: str, root: Path) -> TrainedModel:
    """One model. RunError for a run of several networks without @k or @all."""
    models = load_models(name, root)
    if len(models) > 1:
        name = name.rstrip("/")
        raise RunError(
            f"{name} holds {len(models)} networks: name one, {name}@0 to {name}@{len(models) - 1}, "
            f"or their average, {name}@{ALL}"
        )
    return models[0]


def file_content(model: TrainedModel) -> bytes:
    """A model as one file: its weights, with config, data set facts and list of layers in the metadata.

    `load_file` makes the layers from the config; the list is for other programs.
    """
    facts = {"config": model.config.to_dict(), "dataset": model.dataset, "layers": make_model(model.spec).layers}
    return tensors.to_bytes(model.weights, {"format": FORMAT} | {name: json.dumps(facts[name]) for name in facts})


def save_file(model: TrainedModel, path: Path) -> None:
    """Write `file_content` to a file."""
    write_atomically(path, file_content(model))


def load_file(path: Path, name: str) -> TrainedModel:
    """The network or average in a weights file; RunError if it is missing, damaged, or of another program."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror}") from error
    arrays = tensors.from_bytes(data, str(path))
    try:
        facts = tensors.metadata(data)
        if facts["format"] != FORMAT:
            raise ValueError(f"its format is {facts['format'][:60]!r}, but this program reads {FORMAT!r}")
        config = Config.from_dict(strict_json.loads(facts["config"].encode()))
        dataset = strict_json.loads(facts["dataset"].encode())
        environment.check_facts(dataset)
        spec = spec_of(config, dataset)
        if {path for layer in make_model(spec).layers for path in layer.arrays.values()} != set(arrays):
            raise ValueError("its config and its weights have different layers")
        networks, most = max(map(len, arrays.values())), len(config.networks())
        if not 0 < networks <= most:  # fewer: an average has none that diverged
            raise ValueError(f"it has {networks} networks, its config describes {most}")
    except (KeyError, ValueError, TypeError, AttributeError, UsageError) as error:
        raise RunError(f"{path}: not a model file of this program ({str(error)[:200]})") from error
    weights = tensors.restore(arrays, weight_shapes(spec, networks), str(path))
    for leaf_name, array in arrays.items():
        if not np.isfinite(array).all():
            raise RunError(f"{path}: {leaf_name} holds values that are not finite")
    return TrainedModel(name, config, dataset, weights, None)

"""The model and the training task as the compiler knows them, and what is built from them.

Model, optimiser and schedule are built *inside* the compiled function from the scalars in `TrainState.hyper`. One
program therefore works for every learning rate, seed and length of run.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxquard.config import SCALARS, Config
from jaxquard.errors import UsageError
from jaxquard.nn.architectures import ARCHITECTURES
from jaxquard.nn.initializers import INITIALIZERS
from jaxquard.nn.model import Model, count_parameters
from jaxquard.optim import schedules
from jaxquard.optim.optimizers import optimizer
from jaxquard.optim.transforms import GradientTransformation, is_matrix

Hyper = dict[str, Any]  # scalars: arrays of JAX, or NumPy's before the training


class ModelSpec(NamedTuple):
    """Describes a network: its settings (all others are the defaults), the shape of its images, its classes."""

    config: Config
    image_shape: tuple[int, ...]
    classes: int


class Task(NamedTuple):
    """Describes a training: its settings without scalars, the names of the scalars in use, the network, the data."""

    config: Config
    active: frozenset[str]
    model: ModelSpec
    examples: int
    half_size: bool = False  # train on images of half the size

    @property
    def steps_per_epoch(self) -> int:
        """Updates in an epoch. A partial last batch is left out."""
        return self.examples // self.config.batch_size


def make_spec(config: Config, image_shape: tuple[int, ...], classes: int) -> ModelSpec:
    """The network that a config describes, for images (height, width, channels)."""
    return ModelSpec(config.network(), tuple(image_shape), classes)


def make_model(spec: ModelSpec, dropout_rate: jax.Array | None = None) -> Model:
    """The network of a spec. UsageError if its images are too small."""
    config = spec.config
    try:
        return ARCHITECTURES[config.model](
            **config.architecture(),
            image_shape=spec.image_shape,
            classes=spec.classes,
            activation=config.activation,
            initializer=INITIALIZERS[config.initializer],
            dropout_rate=dropout_rate,
            mean=config.pixel_mean or 0.0,
            std=config.pixel_std or 1.0,
        )
    except ValueError as error:
        raise UsageError(str(error)) from None


@functools.lru_cache(maxsize=256)
def parameters(spec: ModelSpec) -> int:
    """The number of parameters of a network, without making them."""
    return count_parameters(jax.eval_shape(make_model(spec).init, jax.random.key(0))[0])


def make_task(config: Config, image_shape: tuple[int, ...], classes: int, examples: int) -> Task:
    """The Task of a resolved config. A scalar is active if any network of the run uses it."""
    networks = config.networks()
    used = (name for name in SCALARS if any(getattr(one, name) and one.matters(name) for one in networks))
    active = frozenset(used)
    return Task(config.blank(active), active, make_spec(config, image_shape, classes), examples)


def phases(config: Config) -> tuple[int, int]:
    """The first epoch on whole images, and the first without augmentation. Shares are rounded, never to all epochs."""

    def part(name: str) -> int:
        return min(round(getattr(config, name) * config.epochs), config.epochs - 1) if config.matters(name) else 0

    return part("half_size_share"), config.epochs - part("unaugmented_share")


def task_of_epoch(task: Task, config: Config, epoch: int) -> Task:
    """The task of an epoch's steps: first epochs may use images of half the size, last epochs no augmentation.

    Progressive resizing (Howard's entry to DAWNBench, fast.ai, 2018; Tan & Le, 2021, arXiv 2104.00298, section 4). In
    the last epochs only flips remain: training images then look like test images (He et al., 2019, arXiv 1909.09148).
    """
    whole, plain = phases(config)
    if epoch < whole:
        task = task._replace(model=half_size(task.model), half_size=True)
    if plain <= epoch < config.epochs:
        task = task._replace(config=task.config.replace(shift=0, cutout=0), active=task.active - {"erasing", "mixup"})
    return task


def half_size(spec: ModelSpec) -> ModelSpec:
    """The same network for images of half the size."""
    height, width, channels = spec.image_shape
    return spec._replace(image_shape=(height // 2, width // 2, channels))


def check(spec: ModelSpec, config: Config) -> None:
    """UsageError if the images are too small for the network, whole or, if the config uses it, at half the size."""
    make_model(spec)
    try:
        if phases(config)[0]:
            make_model(half_size(spec))
    except UsageError as error:
        why = f"images of half the size are too small ({error}, or set half_size_share to 0)"
        raise UsageError(f"half_size_share: {why}") from None


def make_hyper(task: Task, config: Config) -> Hyper:
    """One network's scalars as traced values, and the number of steps of its training, for the schedules."""
    hyper = {name: np.float32(getattr(config, name)) for name in sorted(task.active)}
    return hyper | {"total_steps": np.float32(config.epochs * task.steps_per_epoch)}


def make_schedule(task: Task, hyper: Hyper) -> schedules.Schedule:
    """η over the steps of the whole run."""
    config, peak, total = task.config, hyper["learning_rate"], hyper["total_steps"]
    warmup = hyper["warmup"] * task.steps_per_epoch if "warmup" in hyper else 0.0
    match config.schedule:
        case "constant":
            schedule = schedules.constant(peak)
        case "step":
            schedule = schedules.step_decay(peak, hyper["decay_every"] * task.steps_per_epoch, hyper["decay_factor"])
        case "cosine":
            schedule = schedules.cosine(peak, total - warmup)
        case "one_cycle":
            schedule = schedules.one_cycle(peak, total)
    return schedules.linear_warmup(schedule, peak, warmup) if "warmup" in hyper else schedule


def make_optimizer(task: Task, hyper: Hyper) -> GradientTransformation:
    """The optimiser that the config describes, under its schedule; decay applies to weights only."""
    options: dict[str, Any] = {name: hyper.get(name, 0.0) for name in ("momentum", "beta1", "beta2")}
    options["epsilon"] = hyper.get("epsilon", 0.0)
    if "weight_decay" in hyper:
        options |= {"weight_decay": hyper["weight_decay"], "decayed": is_matrix}
    if "clip_norm" in hyper:  # 0, possible in a sweep, means no limit
        options["clip_norm"] = jnp.where(hyper["clip_norm"] > 0, hyper["clip_norm"], jnp.inf)
    return optimizer(task.config.optimizer, make_schedule(task, hyper), **options)

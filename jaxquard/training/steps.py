"""The compiled steps: what happens to a TrainState on one batch, and the one program that runs many of them.

Model, optimiser, schedule and loss are built *inside* the compiled function from the scalars in `TrainState.hyper`,
so that one program serves every learning rate, seed and length of run.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxquard.config import SCALARS, Config
from jaxquard.errors import UsageError
from jaxquard.nn import augmentation
from jaxquard.nn.activations import ACTIVATIONS, Activation
from jaxquard.nn.cnn import cnn
from jaxquard.nn.initializers import INITIALIZERS
from jaxquard.nn.losses import LOSSES, learn_from, one_hot, smooth_labels
from jaxquard.nn.mlp import mlp
from jaxquard.nn.model import Model, Params, State, pre_activations
from jaxquard.nn.pooling import avg_pool
from jaxquard.optim import schedules
from jaxquard.optim.optimizers import optimizer
from jaxquard.optim.transforms import GradientTransformation, Tree, apply_updates, as_float, is_matrix
from jaxquard.training.randomness import AUGMENT, DROPOUT, IMPLEMENTATION, INIT, stream
from jaxquard.training.state import Totals, TrainState
from jaxquard.training.stopping import Stopping

Hyper = dict[str, jax.Array]


class Task(NamedTuple):
    """What the compiler must know: the settings without their scalars, and the shape of the data."""

    config: Config
    active: frozenset[str]
    image_shape: tuple[int, ...]
    classes: int
    examples: int
    half_size: bool = False  # of the images while training

    @property
    def steps_per_epoch(self) -> int:
        """Updates in an epoch: the last, partial batch is left out."""
        return self.examples // self.config.batch_size


def make_task(config: Config, image_shape: tuple[int, ...], classes: int, examples: int) -> Task:
    """The Task of a resolved config; a scalar is active if any network of the run uses it."""
    networks = config.networks()
    used = (name for name in SCALARS if any(getattr(one, name) and one.matters(name) for one in networks))
    active = frozenset(used)
    return Task(config.blank(active), active, image_shape, classes, examples)


def phases(config: Config) -> tuple[int, int]:
    """The epochs from which on images are whole, and not augmented. Shares are rounded, but never to all epochs."""

    def part(name: str) -> int:
        return min(round(getattr(config, name) * config.epochs), config.epochs - 1) if config.matters(name) else 0

    return part("half_size_share"), config.epochs - part("unaugmented_share")


def task_of_epoch(task: Task, config: Config, epoch: int) -> Task:
    """What an epoch's steps are compiled for: at first images of half the size, at last images as they are.

    Progressive resizing (Howard's entry to DAWNBench, fast.ai, 2018; Tan & Le, 2021, arXiv 2104.00298, section 4), and
    no augmentation that puts a gap between training and test (He et al., 2019, arXiv 1909.09148): flips stay.
    """
    whole, plain = phases(config)
    if epoch < whole:
        task = task._replace(half_size=True)
    if plain <= epoch < config.epochs:
        task = task._replace(config=task.config.replace(shift=0, cutout=0), active=task.active - {"erasing", "mixup"})
    return task


def check(task: Task, config: Config) -> None:
    """UsageError if the images are too small for the network, whole or, where the config asks for it, half the size."""
    make_model(task, {})
    try:
        make_model(task_of_epoch(task, config, 0), {})
    except UsageError as error:
        raise UsageError(f"half_size_share: too small for the first epochs ({error}, or no half_size_share)") from None


def make_hyper(task: Task, config: Config) -> Hyper:
    """One network's scalars as traced values, and how long it will train, which schedules need."""
    hyper = {name: jnp.float32(getattr(config, name)) for name in sorted(task.active)}
    return hyper | {"total_steps": jnp.float32(config.epochs * task.steps_per_epoch)}


def make_model(task: Task, hyper: Hyper) -> Model:
    """The network that the config describes. UsageError where the images are too small for it."""
    config = task.config
    height, width, channels = task.image_shape
    shared = {
        "image_shape": (height // 2, width // 2, channels) if task.half_size else task.image_shape,
        "classes": task.classes,
        "activation": ACTIVATIONS[config.activation],
        "initializer": INITIALIZERS[config.initializer],
        "dropout_rate": hyper.get("dropout"),
        "mean": config.pixel_mean or 0.0,
        "std": config.pixel_std or 1.0,
    }
    if config.model == "mlp":
        return mlp(config.hidden, batch_norm=config.batch_norm, **shared)
    try:
        return cnn(config.widths, config.blocks, stem=config.stem, **shared)
    except ValueError as error:
        raise UsageError(str(error)) from None


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
    if "clip_norm" in hyper:  # in a sweep, 0 still means any length
        options["clip_norm"] = jnp.where(hyper["clip_norm"] > 0, hyper["clip_norm"], jnp.inf)
    return optimizer(task.config.optimizer, make_schedule(task, hyper), **options)


def l2_penalty(params: Params, rate: jax.Array) -> jax.Array:
    """½·rate·Σw² over the weights: Nielsen's L2 regularisation with rate = λ/n (chapter 3, eq. 85)."""
    squares = jax.tree.map(lambda p, yes: jnp.sum(p**2) if yes else 0.0, params, is_matrix(params))
    return 0.5 * rate * sum(jax.tree.leaves(squares))


def make_targets(task: Task, hyper: Hyper, labels: jax.Array, teacher: jax.Array | None = None) -> jax.Array:
    """Class numbers, or distributions where the labels are smoothed or mixed, or a teacher has a say."""
    if teacher is None and not {"label_smoothing", "mixup"} & task.active:
        return labels
    targets = one_hot(labels, task.classes)
    if "label_smoothing" in hyper:
        targets = smooth_labels(targets, hyper["label_smoothing"])
    if teacher is not None:
        targets = learn_from(teacher, targets, hyper.get("teacher_share", 0.0), hyper["temperature"])
    return targets


def augment(task: Task, hyper: Hyper, key: jax.Array, x: jax.Array, targets: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The batch as training sees it: mirrored, moved, cut, blended, each as the config asks."""
    config = task.config
    if not (config.flip or config.shift or config.cutout or {"erasing", "mixup"} & task.active):
        return x, targets
    flip, shift, cut, mix, erase = jax.random.split(key, 5)
    if config.flip:
        x = augmentation.random_flip(flip, x)
    if config.shift:
        x = augmentation.random_shift(shift, x, config.shift)
    if config.cutout:
        x = augmentation.cutout(cut, x, config.cutout)
    if "erasing" in task.active:
        x = augmentation.random_erasing(erase, x, hyper["erasing"])
    if "mixup" in task.active:
        x, targets = augmentation.mixup(mix, x, targets, hyper["mixup"])
    return x, targets


def init_state(task: Task, seed: jax.Array, hyper: Hyper) -> TrainState:
    """The TrainState of one network before its first step; all of it follows from the seed and the scalars."""
    key = jax.random.key(seed, impl=IMPLEMENTATION)
    params, state = make_model(task, hyper).init(stream(key, INIT))
    copy = functools.partial(jax.tree.map, jnp.copy)  # donated buffers must all be different ones
    return TrainState(
        params=params,
        state=state,
        opt_state=make_optimizer(task, hyper).init(params),
        ema=(copy(params), copy(state)) if "ema" in hyper else (),
        key=key,
        step=jnp.int32(0),
        hyper=hyper,
        totals=Totals.zero(),
        stopping=Stopping.start(copy(params), copy(state)) if task.config.patience else (),
    )


def train_step(
    task: Task, ts: TrainState, images: jax.Array, labels: jax.Array, teacher: jax.Array | None = None
) -> TrainState:
    """One update θ ← θ - η∇L on one batch: images (batch, h, w, c) uint8, labels (batch,), teacher's logits or None."""
    model, optimizer = make_model(task, ts.hyper), make_optimizer(task, ts.hyper)
    loss = LOSSES[task.config.loss]
    targets = make_targets(task, ts.hyper, labels, teacher)
    x, targets = augment(task, ts.hyper, stream(ts.key, AUGMENT, ts.step), images, targets)
    x = avg_pool(x) if task.half_size else x

    def loss_fn(params: Params) -> tuple[jax.Array, tuple[State, jax.Array, jax.Array]]:
        key = stream(ts.key, DROPOUT, ts.step)
        logits, state = model.apply(params, ts.state, x, key=key, train=True)
        value = jnp.mean(loss(logits, targets))
        penalty = l2_penalty(params, ts.hyper["l2"]) if "l2" in ts.hyper else 0.0
        return value + penalty, (state, logits, value)

    (_, (state, logits, value)), grads = jax.value_and_grad(loss_fn, has_aux=True)(ts.params)
    updates, opt_state = optimizer.update(grads, ts.opt_state, ts.params)
    params = apply_updates(ts.params, updates)
    return ts._replace(
        params=params,
        state=state,
        opt_state=opt_state,
        ema=average(ts, params, state),
        step=ts.step + 1,
        totals=add_to_totals(ts, value, logits, labels),
    )


def average(ts: TrainState, params: Params, state: State) -> Tree:
    """The exponential moving average of weights and model state: ē ← d·ē + (1 - d)·e.

    A cousin of the plain average of all steps (Polyak & Juditsky, 1992). d grows as (1 + step)/(10 + step) up to `ema`,
    as in TensorFlow's ExponentialMovingAverage, so that the start is soon forgotten.
    """
    if ts.ema == ():
        return ()
    decay = jnp.minimum(ts.hyper["ema"], (1 + ts.step) / (10 + ts.step))
    return jax.tree.map(lambda old, new: decay * old + (1 - decay) * new, ts.ema, (params, state))


def add_to_totals(ts: TrainState, loss: jax.Array, logits: jax.Array, labels: jax.Array) -> Totals:
    """The epoch's sums with one more batch in them."""
    totals, batch = ts.totals, labels.shape[0]
    first_bad = (totals.bad_step < 0) & ~jnp.isfinite(loss)
    return Totals(
        loss=totals.loss + loss * batch,
        correct=totals.correct + jnp.sum(jnp.argmax(logits, axis=-1) == labels, dtype=jnp.int32),
        examples=totals.examples + batch,
        bad_step=jnp.where(first_bad, ts.step, totals.bad_step),
    )


def run_steps(
    task: Task,
    ts: TrainState,
    images: jax.Array,
    labels: jax.Array,
    order: jax.Array,
    start: jax.Array,
    stop: jax.Array,
    teacher: jax.Array | None = None,
) -> TrainState:
    """Steps [start, stop) of the epoch that visits the examples in `order`; start = 0 empties the totals first."""
    batch = task.config.batch_size
    fresh = Totals.zero(ts.totals.bad_step)
    ts = ts._replace(totals=jax.tree.map(lambda zero, sofar: jnp.where(start == 0, zero, sofar), fresh, ts.totals))

    def body(number: jax.Array, ts: TrainState) -> TrainState:
        rows = jax.lax.dynamic_slice(order, (number * batch,), (batch,))
        return train_step(task, ts, images[rows], labels[rows], None if teacher is None else teacher[rows])

    return jax.lax.fori_loop(start, stop, body, ts)


def end_epoch(ts: TrainState, val_loss: jax.Array, epoch: jax.Array, patience: jax.Array) -> TrainState:
    """The state with early stopping's memory of an epoch that has ended."""
    return ts._replace(stopping=ts.stopping.end_epoch(val_loss, epoch, ts.step, ts.current, patience))


class Diagnosis(NamedTuple):
    """η of the last update; and by layer name: the norm of the gradient, of the update it would cause with that η, and
    the share of dead hidden units. The gradient is that of the plain loss: no penalty, no smoothing, no teacher, no
    dropout; batch normalisation by its running statistics; images of their whole size.
    """

    learning_rate: jax.Array
    grad_norm: dict[str, jax.Array]
    update_norm: dict[str, jax.Array]
    dead: dict[str, jax.Array]


def diagnose(task: Task, ts: TrainState, images: jax.Array, labels: jax.Array) -> Diagnosis:
    """Look at the network being trained (not its average) on one fixed batch, unaugmented; changes nothing."""
    model, optimizer = make_model(task, ts.hyper), make_optimizer(task, ts.hyper)
    loss = LOSSES[task.config.loss]

    def loss_fn(params: Params) -> jax.Array:
        return jnp.mean(loss(model.apply(params, ts.state, images)[0], labels))

    grads = jax.grad(loss_fn)(ts.params)
    *memory, step = ts.opt_state  # every optimiser ends with its schedule, which counts
    updates, _ = optimizer.update(grads, (*memory, step - 1), ts.params)
    zs = list(pre_activations(model, ts.params, ts.state, images).items())[:-1]
    activation = ACTIVATIONS[task.config.activation]
    return Diagnosis(
        learning_rate=jnp.float32(make_schedule(task, ts.hyper)(as_float(ts.step - 1))),
        grad_norm=layer_norms(grads),
        update_norm=layer_norms(updates),
        dead={name: dead_share(activation, z) for name, z in zs},
    )


def layer_norms(tree: Tree) -> dict[str, jax.Array]:
    """√Σ‖leaf‖² of each layer, a layer being the leaves that share all of their path but its end."""
    squares: dict[str, jax.Array] = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        name = jax.tree_util.keystr(path[:-1], simple=True, separator="/")
        squares[name] = squares.get(name, 0.0) + jnp.sum(leaf**2)
    return {name: jnp.sqrt(square) for name, square in squares.items()}


def dead_share(activation: Activation, z: jax.Array, slope: float = 1e-3) -> jax.Array:
    """Share of units (channels) whose σ′(z) is below `slope` for every example: they cannot learn from any of them."""
    slopes = jax.grad(lambda z: jnp.sum(activation(z)))(z)
    return jnp.mean(jnp.all(jnp.abs(slopes) < slope, axis=tuple(range(z.ndim - 1))), dtype=jnp.float32)

"""The steps of one network, to be compiled: one batch, and a part of an epoch. They map a TrainState to the next."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxquard.nn import augmentation
from jaxquard.nn.layers import grey_levels
from jaxquard.nn.losses import LOSSES, learn_from, one_hot, smooth_labels
from jaxquard.nn.model import Params, State
from jaxquard.nn.pooling import avg_pool
from jaxquard.optim.transforms import Tree, apply_updates, is_matrix
from jaxquard.training.randomness import AUGMENT, DROPOUT, IMPLEMENTATION, INIT, stream
from jaxquard.training.shards import sum_over_shards, take_shard, without_division
from jaxquard.training.state import Totals, TrainState
from jaxquard.training.stopping import Stopping
from jaxquard.training.task import Hyper, Task, make_model, make_optimizer

Batch = tuple[jax.Array, jax.Array, jax.Array | None, jax.Array | None]  # images, labels, teacher's logits, weights


def l2_penalty(params: Params, rate: jax.Array) -> jax.Array:
    """½·rate·Σw² over the weights: Nielsen's L2 regularisation with rate = λ/n (chapter 3, eq. 85)."""
    squares = jax.tree.map(lambda p, yes: jnp.sum(p**2) if yes else 0.0, params, is_matrix(params))
    return 0.5 * rate * sum(jax.tree.leaves(squares))


def make_targets(task: Task, hyper: Hyper, labels: jax.Array, teacher: jax.Array | None = None) -> jax.Array:
    """Class numbers (batch,), or distributions (batch, classes) if labels are smoothed or mixed or have a teacher."""
    if teacher is None and not {"label_smoothing", "mixup"} & task.active:
        return labels
    targets = one_hot(labels, task.model.classes)
    if "label_smoothing" in hyper:
        targets = smooth_labels(targets, hyper["label_smoothing"])
    if teacher is not None:
        targets = learn_from(teacher, targets, hyper.get("teacher_share", 0.0), hyper["temperature"])
    return targets


def augment(task: Task, hyper: Hyper, key: jax.Array, x: jax.Array, targets: Any) -> tuple[jax.Array, Any]:
    """The augmented batch: mirrored, shifted, cut, erased and, with its targets, blended, as the config says."""
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
    """The TrainState of one network before its first step."""
    key = jax.random.key(seed, impl=IMPLEMENTATION)
    params, state = make_model(task.model).init(stream(key, INIT))
    copy = functools.partial(jax.tree.map, jnp.copy)  # each donated leaf needs a buffer of its own
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


class Learned(NamedTuple):
    """What a step learns from a batch, or from a shard of it: ∇L, the new model state, L without its penalty, how many
    answers are right, and the sum of the weights (1 without weights).
    """

    grads: Params
    state: State
    loss: jax.Array
    correct: jax.Array
    weight: jax.Array


def train_step(
    task: Task,
    ts: TrainState,
    images: jax.Array,
    labels: jax.Array,
    teacher: jax.Array | None = None,
    weights: jax.Array | None = None,
) -> TrainState:
    """One update θ ← θ - η∇L on one batch: images (batch, h, w, c), uint8 or floats with 1 for white, labels (batch,),
    teacher's logits or None. L is the mean loss, weighted by `weights` (batch,) if there are any."""
    batch = (images, labels, teacher, weights)
    update = make_optimizer(task, ts.hyper).update
    if task.config.shards == 1:
        learned = learn(task, ts, batch)
    else:
        learned, update = learn_in_shards(task, ts, batch), without_division(update)
    updates, opt_state = update(learned.grads, ts.opt_state, ts.params)
    params = apply_updates(ts.params, updates)
    return ts._replace(
        params=params,
        state=learned.state,
        opt_state=opt_state,
        ema=average(ts, params, learned.state),
        step=ts.step + 1,
        totals=add_to_totals(ts, learned, len(labels)),
    )


def learn(task: Task, ts: TrainState, batch: Batch, shard: jax.Array | None = None) -> Learned:
    """The forward and backward pass of a batch, or of a shard of it. Each shard has random numbers of its own."""
    images, labels, teacher, weights = batch
    model, loss = make_model(task.model, ts.hyper.get("dropout")), LOSSES[task.config.loss]
    targets = make_targets(task, ts.hyper, labels, teacher)
    keys = (stream(ts.key, use, ts.step) for use in (AUGMENT, DROPOUT))
    augmenting, dropping = keys if shard is None else (jax.random.fold_in(key, shard) for key in keys)
    x, (targets, weights) = augment(task, ts.hyper, augmenting, grey_levels(images), (targets, weights))
    x = avg_pool(x) if task.half_size else x

    def loss_fn(params: Params) -> tuple[jax.Array, tuple[State, jax.Array, jax.Array]]:
        logits, state = model.apply(params, ts.state, x, key=dropping, train=True)
        value = jnp.average(loss(logits, targets), weights=weights)
        penalty = l2_penalty(params, ts.hyper["l2"]) if "l2" in ts.hyper else 0.0
        return value + penalty, (state, logits, value)

    (_, (state, logits, value)), grads = jax.value_and_grad(loss_fn, has_aux=True)(ts.params)
    correct = jnp.sum(jnp.argmax(logits, axis=-1) == labels, dtype=jnp.int32)
    return Learned(grads, state, value, correct, jnp.float32(1) if weights is None else jnp.sum(weights))


def learn_in_shards(task: Task, ts: TrainState, batch: Batch) -> Learned:
    """As `learn`, but the batch is in shards, and the result is the mean over the shards. Batch normalisation takes
    each shard's own mean and variance (Hoffer et al., 2017, arXiv 1705.08741).
    """
    shards = task.config.shards

    def of_shard(shard: jax.Array) -> Learned:
        one = learn(task, ts, jax.tree.map(lambda values: take_shard(values, shard, shards), batch), shard)
        grads = jax.tree.map(lambda g: one.weight * g, one.grads)
        return one._replace(grads=grads, loss=one.weight * one.loss, correct=one.correct.astype(jnp.float32))

    total = sum_over_shards(without_division(of_shard), shards, ts.step)
    scale = 1 / total.weight
    grads = jax.tree.map(lambda g: scale * g, total.grads)
    state = jax.tree.map(lambda s: s / shards, total.state)
    return Learned(grads, state, scale * total.loss, total.correct.astype(jnp.int32), total.weight)


def average(ts: TrainState, params: Params, state: State) -> Tree:
    """The exponential moving average of weights and model state: ē ← d·ē + (1 - d)·e.

    Like the plain average of all steps (Polyak & Juditsky, 1992), but d grows as (1 + step)/(10 + step) up to `ema`, as
    in TensorFlow's ExponentialMovingAverage, so that the first steps soon lose their weight.
    """
    if ts.ema == ():
        return ()
    decay = jnp.minimum(ts.hyper["ema"], (1 + ts.step) / (10 + ts.step))
    return jax.tree.map(lambda old, new: decay * old + (1 - decay) * new, ts.ema, (params, state))


def add_to_totals(ts: TrainState, learned: Learned, batch: int) -> Totals:
    """The epoch's sums after one more batch."""
    totals = ts.totals
    first_bad = (totals.bad_step < 0) & ~jnp.isfinite(learned.loss)
    return Totals(
        loss=totals.loss + learned.loss * batch,
        correct=totals.correct + learned.correct,
        examples=totals.examples + batch,
        bad_step=jnp.where(first_bad, ts.step, totals.bad_step),
    )


def run_steps(
    task: Task,
    ts: TrainState,
    order: jax.Array,
    images: jax.Array,
    labels: jax.Array,
    start: jax.Array,
    stop: jax.Array,
    teacher: jax.Array | None = None,
    weights: jax.Array | None = None,
) -> TrainState:
    """Steps [start, stop) of the epoch with the examples in `order`. With start = 0, the totals start from zero."""
    batch = task.config.batch_size
    fresh = Totals.zero(ts.totals.bad_step)
    ts = ts._replace(totals=jax.tree.map(lambda zero, sofar: jnp.where(start == 0, zero, sofar), fresh, ts.totals))

    def body(number: jax.Array, ts: TrainState) -> TrainState:
        rows = jax.lax.dynamic_slice(order, (number * batch,), (batch,))
        of_some = (None if values is None else values[rows] for values in (teacher, weights))
        return train_step(task, ts, images[rows], labels[rows], *of_some)

    return jax.lax.fori_loop(start, stop, body, ts)


def end_epoch(ts: TrainState, val_loss: jax.Array, epoch: jax.Array, patience: jax.Array) -> TrainState:
    """The state with early stopping's memory after the epoch."""
    return ts._replace(stopping=ts.stopping.end_epoch(val_loss, epoch, ts.step, ts.current, patience))

"""The steps, compiled: once per task, shared by every run that fits.

Every function here takes stacked TrainStates: each leaf has a leading axis of networks, even of a single one. One
network runs the functions of `steps` as they are. On an accelerator several are mapped by `vmap`, all at once. On a CPU
they take turns, each by the program of one network, so that each has the caches to itself; a map inside a program would
be a tenth slower.
"""

import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxquard.config import Config
from jaxquard.nn.model import Params, State
from jaxquard.training import diagnosis, steps
from jaxquard.training.device import check_jax
from jaxquard.training.randomness import epoch_order
from jaxquard.training.state import TrainState
from jaxquard.training.task import Hyper, ModelSpec, Task, make_hyper, make_model

# Random numbers for every layer make a large program, which runs once: compiling it carelessly saves seconds.
FOR_ONE_USE: Any = {"xla_backend_optimization_level": 0}


class Program(NamedTuple):
    """Compiled functions of stacked TrainStates; the shapes are those of `steps`, with an axis of networks in front.

    `turns` is `run`, with a pause (None) after each network that others wait for; the new state comes last. In a pause
    the old state is unchanged, so stopping there loses this round and nothing else.
    """

    init: Callable[[jax.Array, Any], TrainState]
    orders: Callable[[jax.Array, int], jax.Array]
    run: Callable[..., TrainState]
    turns: Callable[..., Iterator[TrainState | None]]
    end_epoch: Callable[[TrainState, jax.Array, int, int], TrainState]
    diagnose: Callable[[TrainState, jax.Array, jax.Array], diagnosis.Diagnosis]
    logits: Callable[[Params, State, jax.Array], jax.Array]


def make_program(task: Task) -> Program:
    """Every function a training needs, compiled when first called. An error where JAX cannot be used (`check_jax`)."""
    check_jax()
    return _program(task)


@functools.lru_cache(maxsize=128)
def _program(task: Task) -> Program:
    def run_steps(pair: tuple[TrainState, jax.Array], images: jax.Array, labels: jax.Array, *rest: Any) -> TrainState:
        ts, order = pair
        return steps.run_steps(task, ts, images, labels, order, *rest)

    init = over_networks(lambda start: steps.init_state(task, *start))
    orders = over_networks(lambda key, epoch: epoch_order(key, epoch, task.examples))
    mapped_run = over_networks(run_steps)
    run = jax.jit(
        lambda ts, order, images, labels, start, stop, teacher=None: mapped_run(
            (ts, order), images, labels, start, stop, teacher
        ),
        donate_argnums=0,
    )
    turns = functools.partial(_one_after_the_other if jax.default_backend() == "cpu" else _at_once, run)
    end_epoch = over_networks(lambda pair, *rest: steps.end_epoch(*pair, *rest))
    return Program(
        init=jax.jit(lambda seed, hyper: init((seed, hyper)), compiler_options=FOR_ONE_USE),
        orders=jax.jit(orders),
        run=functools.partial(_to_the_end, turns),
        turns=turns,
        end_epoch=jax.jit(lambda ts, val_loss, *rest: end_epoch((ts, val_loss), *rest), donate_argnums=0),
        diagnose=jax.jit(over_networks(functools.partial(diagnosis.diagnose, task))),
        logits=make_logits(task.model),
    )


def make_logits(spec: ModelSpec) -> Callable[[Params, State, jax.Array], jax.Array]:
    """The forward pass, compiled when first called: uint8 images (n, h, w, c) to logits (networks, n, classes)."""
    check_jax()
    return _logits(spec)


@functools.lru_cache(maxsize=128)
def _logits(spec: ModelSpec) -> Callable[[Params, State, jax.Array], jax.Array]:
    def of_one(weights: tuple[Params, State], images: jax.Array) -> jax.Array:
        return make_model(spec).apply(*weights, images)[0]

    apply = over_networks(of_one)
    return jax.jit(lambda params, state, images: apply((params, state), images))


def over_networks(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` mapped over the networks of its first argument; the others are the same for every network."""

    def mapped(stacked: Any, *rest: Any) -> Any:
        def of_one(one: Any) -> Any:
            return function(one, *rest)

        if len(jax.tree.leaves(stacked)[0]) == 1:  # no loop around it: it is the very program of one network
            return jax.tree.map(lambda leaf: leaf[None], of_one(jax.tree.map(lambda leaf: leaf[0], stacked)))
        return jax.lax.map(of_one, stacked) if jax.default_backend() == "cpu" else jax.vmap(of_one)(stacked)

    return mapped


def _at_once(run: Callable[..., TrainState], *arguments: Any) -> Iterator[TrainState | None]:
    yield jax.block_until_ready(run(*arguments))


def _to_the_end(turns: Callable[..., Iterator[TrainState | None]], *arguments: Any) -> TrainState:
    *_, trained = turns(*arguments)
    assert trained is not None
    return trained


def _one_after_the_other(
    run: Callable[..., TrainState], ts: TrainState, orders: jax.Array, *rest: Any
) -> Iterator[TrainState | None]:
    """Each network by the program of one, its state copied out and, when all have had their turn, back."""
    if len(orders) == 1:
        yield from _at_once(run, ts, orders, *rest)
        return
    trained = list[TrainState]()
    for k in range(len(orders)):
        if trained:
            yield None
        trained.append(jax.block_until_ready(run(*_take((ts, orders), k), *rest)))
    for k, one in enumerate(trained):
        ts = _put(ts, k, one)
    yield ts


@jax.jit
def _take(stacked: Any, k: int) -> Any:
    return jax.tree.map(lambda leaf: leaf[k][None], stacked)


@functools.partial(jax.jit, donate_argnums=0)
def _put(stacked: TrainState, k: int, one: TrainState) -> TrainState:
    return jax.tree.map(lambda all, own: all.at[k].set(own[0]), stacked, one)


def start(program: Program, task: Task, networks: list[Config]) -> TrainState:
    """The TrainState of every network before its first step."""
    return program.init(*_beginning(task, networks))


def shapes(program: Program, task: Task, networks: list[Config]) -> TrainState:
    """The shapes and types of what `start` returns, at no cost: what is restored from a file must have them."""
    return program.init.eval_shape(*_beginning(task, networks))  # pyright: ignore[reportFunctionMemberAccess]


def weight_shapes(spec: ModelSpec, networks: int) -> tuple[Params, State]:
    """The shapes and types of the parameters and state of so many networks."""
    shapes = jax.eval_shape(make_model(spec).init, jax.random.key(0))
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((networks, *leaf.shape), leaf.dtype), shapes)


def _beginning(task: Task, networks: list[Config]) -> tuple[jax.Array, Hyper]:
    """Seeds and scalars, stacked."""
    hypers = [make_hyper(task, network) for network in networks]
    stacked = jax.tree.map(lambda *scalars: jnp.stack(scalars), *hypers)
    return jnp.array([network.seed for network in networks], jnp.uint32), stacked

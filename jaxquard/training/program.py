"""The steps, compiled: once per task and number of networks, shared by every run that fits.

Several networks are the single-network functions mapped over a stacked TrainState. On an accelerator that is `vmap`,
all at once. On a CPU the networks take turns, so that each has the caches to itself; their steps are then the very
program that trains one network alone, which a map inside a program would slow down by a tenth.
"""

import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxquard.config import Config
from jaxquard.nn.model import Params, State
from jaxquard.training import steps
from jaxquard.training.device import check_jax
from jaxquard.training.randomness import epoch_order
from jaxquard.training.state import TrainState
from jaxquard.training.steps import Task

# Random numbers for every layer make a large program, which runs once: compiling it carelessly saves seconds.
FOR_ONE_USE: Any = {"xla_backend_optimization_level": 0}


class Program(NamedTuple):
    """Compiled functions of stacked (many networks) or plain (one) TrainStates; the shapes are those of `steps`.

    `turns` is `run`, with a pause (None) after each network that others wait for; the new state comes last. In a pause
    the old one is still what it was, so whoever stops there has lost this round, and nothing else.
    """

    init: Callable[[jax.Array, Any], TrainState]
    orders: Callable[[jax.Array, int], jax.Array]
    run: Callable[..., TrainState]
    turns: Callable[..., Iterator[TrainState | None]]
    end_epoch: Callable[[TrainState, jax.Array, int, int], TrainState]
    diagnose: Callable[[TrainState, jax.Array, jax.Array], steps.Diagnosis]
    logits: Callable[[Params, State, jax.Array], jax.Array]


def make_program(task: Task, many: bool) -> Program:
    """Every function a training needs, compiled when first called. An error where JAX cannot be used (`check_jax`)."""
    check_jax()
    return _program(task, many)


@functools.lru_cache(maxsize=128)
def _program(task: Task, many: bool) -> Program:
    def run_steps(pair: tuple[TrainState, jax.Array], images: jax.Array, labels: jax.Array, *rest: Any) -> TrainState:
        ts, order = pair
        return steps.run_steps(task, ts, images, labels, order, *rest)

    def logits(model: tuple[Params, State], images: jax.Array) -> jax.Array:
        # scalars only matter in training, so any will do
        hyper = {name: jnp.float32(0.5) for name in task.active}
        return steps.make_model(task, hyper).apply(*model, images)[0]

    over = _over_networks if many else _alone
    init = over(lambda start: steps.init_state(task, *start))
    orders = over(lambda key, epoch: epoch_order(key, epoch, task.examples))
    mapped_run = over(run_steps)
    run = jax.jit(
        lambda ts, order, images, labels, start, stop, teacher=None: mapped_run(
            (ts, order), images, labels, start, stop, teacher
        ),
        donate_argnums=0,
    )

    turns = functools.partial(_at_once, run)
    if many and jax.default_backend() == "cpu":
        turns = functools.partial(_one_after_the_other, make_program(task, many=False).run)
        run = functools.partial(_to_the_end, turns)
    end_epoch = over(lambda pair, *rest: steps.end_epoch(*pair, *rest))
    judge = over(logits)
    return Program(
        init=jax.jit(lambda seed, hyper: init((seed, hyper)), compiler_options=FOR_ONE_USE),
        orders=jax.jit(orders),
        run=run,
        turns=turns,
        end_epoch=jax.jit(lambda ts, val_loss, *rest: end_epoch((ts, val_loss), *rest), donate_argnums=0),
        diagnose=jax.jit(over(functools.partial(steps.diagnose, task))),
        logits=jax.jit(lambda params, state, images: judge((params, state), images)),
    )


def _alone(function: Callable[..., Any]) -> Callable[..., Any]:
    return function


def _over_networks(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` mapped over its first argument; the others are the same for every network."""

    def mapped(stacked: Any, *rest: Any) -> Any:
        def of_one(one: Any) -> Any:
            return function(one, *rest)

        return jax.lax.map(of_one, stacked) if jax.default_backend() == "cpu" else jax.vmap(of_one)(stacked)

    return mapped


def _at_once(run: Callable[..., TrainState], *arguments: Any) -> Iterator[TrainState | None]:
    yield jax.block_until_ready(run(*arguments))


def _to_the_end(turns: Callable[..., Iterator[TrainState | None]], *arguments: Any) -> TrainState:
    *_, trained = turns(*arguments)
    assert trained is not None
    return trained


def _one_after_the_other(
    alone: Callable[..., TrainState], ts: TrainState, orders: jax.Array, *rest: Any
) -> Iterator[TrainState | None]:
    """Each network by the program of one, its state copied out and, when all have had their turn, back."""
    trained = list[TrainState]()
    for k in range(len(orders)):
        if trained:
            yield None
        trained.append(jax.block_until_ready(alone(*_take((ts, orders), k), *rest)))
    for k, one in enumerate(trained):
        ts = _put(ts, k, one)
    yield ts


@jax.jit
def _take(stacked: Any, k: int) -> Any:
    return jax.tree.map(lambda leaf: leaf[k], stacked)


@functools.partial(jax.jit, donate_argnums=0)
def _put(stacked: TrainState, k: int, one: TrainState) -> TrainState:
    return jax.tree.map(lambda all, own: all.at[k].set(own), stacked, one)


def start(program: Program, task: Task, networks: list[Config]) -> TrainState:
    """The TrainState of every network before its first step."""
    return program.init(*_beginning(task, networks))


def shapes(program: Program, task: Task, networks: list[Config]) -> TrainState:
    """The shapes and types of what `start` returns, at no cost: what is restored from a file must have them."""
    return program.init.eval_shape(*_beginning(task, networks))  # pyright: ignore[reportFunctionMemberAccess]


def _beginning(task: Task, networks: list[Config]) -> tuple[jax.Array, steps.Hyper]:
    """Seeds and scalars, stacked where there are several networks."""
    hypers = [steps.make_hyper(task, network) for network in networks]
    if len(networks) == 1:
        return jnp.uint32(networks[0].seed), hypers[0]
    stacked = jax.tree.map(lambda *scalars: jnp.stack(scalars), *hypers)
    return jnp.array([network.seed for network in networks], jnp.uint32), stacked

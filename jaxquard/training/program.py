"""The steps, compiled: once per task and number of networks, shared by every run that fits.

Several networks are the single-network functions mapped over a stacked TrainState. On an accelerator that is `vmap`,
all at once. On a CPU the networks take turns (CNNs in pairs), so that each has the caches to itself; their steps are
then the very program that trains one network alone, which a map inside a program would slow down by a tenth.
"""

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxquard.config import Config
from jaxquard.errors import UsageError
from jaxquard.nn.model import Params, State
from jaxquard.training import steps
from jaxquard.training.randomness import epoch_order
from jaxquard.training.state import TrainState
from jaxquard.training.steps import Task

# Random numbers for every layer make a large program, which runs once: compiling it carelessly saves seconds.
FOR_ONE_USE: Any = {"xla_backend_optimization_level": 0}


class Program(NamedTuple):
    """Compiled functions of stacked (many networks) or plain (one) TrainStates; the shapes are those of `steps`."""

    init: Callable[[jax.Array, Any], TrainState]
    orders: Callable[[jax.Array, int], jax.Array]
    run: Callable[..., TrainState]
    end_epoch: Callable[[TrainState, jax.Array, int, int], TrainState]
    diagnose: Callable[[TrainState, jax.Array, jax.Array], steps.Diagnosis]
    logits: Callable[[Params, State, jax.Array], jax.Array]


def make_program(task: Task, many: bool) -> Program:
    """Every function a training needs, compiled when first called. UsageError where JAX has double precision on."""
    if jnp.zeros(()).dtype != jnp.float32:
        raise UsageError("JAX computes in double precision here (jax_enable_x64), Jaxquard in single: turn it off")
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
    end_epoch = over(lambda pair, *rest: steps.end_epoch(*pair, *rest))
    judge = over(logits)
    return Program(
        init=jax.jit(lambda seed, hyper: init((seed, hyper)), compiler_options=FOR_ONE_USE),
        orders=jax.jit(orders),
        run=_taking_turns(task) if many and jax.default_backend() == "cpu" else run,
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


def _taking_turns(task: Task) -> Callable[..., TrainState]:
    """`run` for several networks on a CPU: each in turn by the program of one, its state copied out and back.

    Convolutions leave a core idle half of the time, so two CNNs run side by side; MLPs would only slow each other down.
    """
    alone = make_program(task, many=False).run
    at_once = 2 if task.config.model == "cnn" else 1
    take = jax.jit(lambda stacked, k: jax.tree.map(lambda leaf: leaf[k], stacked))
    put = jax.jit(lambda stacked, k, one: jax.tree.map(lambda s, o: s.at[k].set(o), stacked, one), donate_argnums=0)

    def run(
        ts: TrainState, orders: jax.Array, images: jax.Array, labels: jax.Array, start: int, stop: int, *rest: Any
    ) -> TrainState:
        def trained(k: int) -> TrainState:
            return jax.block_until_ready(alone(*take((ts, orders), k), images, labels, start, stop, *rest))

        with ThreadPoolExecutor(at_once) as threads:  # what one thread dispatches runs in order
            # In this thread where one is enough, as JAX's settings may be its own; and where there is no step to run:
            # then the program is only compiled, which two threads would both do.
            each = threads.map if at_once > 1 and start < stop else map
            for first in range(0, len(orders), at_once):
                numbers = range(first, min(first + at_once, len(orders)))
                for k, one in zip(numbers, list(each(trained, numbers)), strict=True):
                    ts = put(ts, k, one)
        return ts

    return run


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

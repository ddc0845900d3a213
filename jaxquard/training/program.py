"""The steps, compiled once for each task. Runs of the same task share the program.

All functions here take stacked TrainStates: each leaf has a leading axis of networks, even for one network. One network
runs the functions of `steps` as they are. On an accelerator, `vmap` runs several networks at once. On a CPU, several
threads run the program of one network, each with a network of its own: as many threads as the process may use cores.
One core has no second thread, so there the networks take turns. Several groups of devices run different networks at the
same time, too.
"""

import functools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxquard.config import Config
from jaxquard.nn.layers import grey_levels
from jaxquard.nn.model import Params, State
from jaxquard.systems import cores
from jaxquard.training import diagnosis, steps
from jaxquard.training.device import Groups, Run, check_jax
from jaxquard.training.randomness import epoch_order
from jaxquard.training.state import TrainState
from jaxquard.training.task import Hyper, ModelSpec, Task, make_hyper, make_model

# Random numbers for every layer make a large program that runs once. Compiling it without optimisation saves seconds.
# XLA has this option for CPUs and for GPUs.
FOR_ONE_USE: Any = {"xla_backend_optimization_level": 0}


class Program(NamedTuple):
    """Compiled functions of stacked TrainStates. Shapes are those of `steps` after a leading axis of networks.

    `turns` does the same as `run`, but yields None after each turn except the last, then the new state. A turn is that
    of all networks that run at once. Until the last turn has ended the old state is unchanged, so stopping between two
    turns loses only the steps of this call.
    """

    init: Callable[[jax.Array, Any], TrainState]
    orders: Callable[[jax.Array, int], jax.Array]
    run: Callable[..., TrainState]
    turns: Callable[..., Iterator[TrainState | None]]
    end_epoch: Callable[[TrainState, jax.Array, int, int], TrainState]
    diagnose: Callable[[TrainState, jax.Array, jax.Array], diagnosis.Diagnosis]
    logits: Callable[[Params, State, jax.Array], jax.Array]


def make_program(task: Task, groups: Groups = ()) -> Program:
    """Every function of a training, compiled at its first call. Errors as `check_jax`.

    `groups`: the devices of the steps, see `device.share` (default: one device). All else runs on the default device.
    """
    check_jax()
    return _program(task, groups)


@functools.lru_cache(maxsize=128)
def _program(task: Task, groups: Groups = ()) -> Program:
    run_steps, on_cpu = over_networks(functools.partial(steps.run_steps, task), 2), jax.default_backend() == "cpu"
    if task.config.shards == 1 and len(groups) < 2:
        runs = (Run(run_steps),)
    else:
        runs = tuple(Run(run_steps, devices) for devices in groups or ((jax.local_devices()[0],),))
    turns = functools.partial(_turns, runs, one_by_one=on_cpu, in_threads=on_cpu and not groups)
    return Program(
        init=jax.jit(over_networks(functools.partial(steps.init_state, task), 2), compiler_options=FOR_ONE_USE),
        orders=jax.jit(over_networks(lambda key, epoch: epoch_order(key, epoch, task.examples))),
        run=functools.partial(_to_the_end, turns),
        turns=turns,
        end_epoch=jax.jit(over_networks(steps.end_epoch, 2), donate_argnums=0),
        diagnose=jax.jit(over_networks(functools.partial(diagnosis.diagnose, task))),
        logits=make_logits(task.model),
    )


def make_logits(spec: ModelSpec) -> Callable[[Params, State, jax.Array], jax.Array]:
    """The forward pass, compiled at its first call: images (n, h, w, c), uint8 or float32 with 1 for white, to logits
    (networks, n, classes)."""
    check_jax()
    return _logits(spec)


@functools.lru_cache(maxsize=128)
def _logits(spec: ModelSpec) -> Callable[[Params, State, jax.Array], jax.Array]:
    def logits(params: Params, state: State, images: jax.Array) -> jax.Array:
        return make_model(spec).apply(params, state, grey_levels(images))[0]

    return jax.jit(over_networks(logits, 2))


def over_networks(function: Callable[..., Any], stacked: int = 1) -> Callable[..., Any]:
    """`function` mapped over the networks of its first `stacked` arguments; all networks share the others."""

    def mapped(*arguments: Any) -> Any:
        def of_one(own: tuple[Any, ...]) -> Any:
            return function(*own, *arguments[stacked:])

        networks = arguments[:stacked]
        if len(jax.tree.leaves(networks)[0]) == 1:  # without a loop, the program is exactly that of one network
            return jax.tree.map(lambda leaf: leaf[None], of_one(jax.tree.map(lambda leaf: leaf[0], networks)))
        return jax.lax.map(of_one, networks) if jax.default_backend() == "cpu" else jax.vmap(of_one)(networks)

    return mapped


def _to_the_end(turns: Callable[..., Iterator[TrainState | None]], *arguments: Any) -> TrainState:
    *_, trained = turns(*arguments)
    assert trained is not None
    return trained


def _turns(
    runs: tuple[Run, ...], ts: TrainState, orders: jax.Array, *rest: Any, one_by_one: bool, in_threads: bool
) -> Iterator[TrainState | None]:
    """Run the networks in parts, one for each of `runs` at a time: copy each part's state out and, at last, back.

    Each part has a thread, because what a single thread starts on a device runs in order. `in_threads`: the only one of
    `runs` runs as many parts at a time as there are cores.
    """
    runs *= cores() if in_threads else 1
    networks, size = len(orders), 1 if one_by_one else -(-len(orders) // len(runs))
    if networks == size:
        yield jax.block_until_ready(runs[0](ts, orders, *rest))
        return
    compiled = functools.cache(lambda run, size: run.for_threads(*_take((ts, orders), 0, size), *rest))
    trained, firsts = list[TrainState](), list(range(0, networks, size))
    with ThreadPoolExecutor(len(runs)) as threads:  # also after an error or Ctrl-C, it waits until every call has ended
        while len(trained) < len(firsts):
            if trained:
                yield None
            parts = [_take((ts, orders), k, min(size, networks - k)) for k in firsts[len(trained) :][: len(runs)]]
            calls = [(compiled(run, len(part[1])), part) for run, part in zip(runs, parts, strict=False)]
            trained += threads.map(lambda call: jax.block_until_ready(call[0](*call[1], *rest)), calls)
    for k, part in zip(firsts, trained, strict=True):
        ts = _put(ts, k, part)
    yield ts


@functools.partial(jax.jit, static_argnums=2)
def _take(stacked: Any, k: int, size: int) -> Any:
    return jax.tree.map(lambda leaf: jax.lax.dynamic_slice_in_dim(leaf, k, size), stacked)


@functools.partial(jax.jit, donate_argnums=0)
def _put(stacked: TrainState, k: int, part: TrainState) -> TrainState:
    return jax.tree.map(lambda all, own: jax.lax.dynamic_update_slice_in_dim(all, own, k, 0), stacked, part)


def start(program: Program, task: Task, networks: list[Config]) -> TrainState:
    """The TrainState of every network before its first step."""
    return program.init(*_beginning(task, networks))


def shapes(program: Program, task: Task, networks: list[Config]) -> TrainState:
    """The shapes and types of what `start` returns, without computing it. A restored state must have the same."""
    return program.init.eval_shape(*_beginning(task, networks))  # pyright: ignore[reportFunctionMemberAccess]


def weight_shapes(spec: ModelSpec, networks: int) -> tuple[Params, State]:
    """The shapes and types of the stacked parameters and states of `networks` networks. Errors as `check_jax`."""
    check_jax()
    shapes = jax.eval_shape(make_model(spec).init, jax.random.key(0))
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((networks, *leaf.shape), leaf.dtype), shapes)


def _beginning(task: Task, networks: list[Config]) -> tuple[Any, Hyper]:
    """The networks' seeds and scalars, stacked."""
    hypers = [make_hyper(task, network) for network in networks]
    stacked = jax.tree.map(lambda *scalars: np.stack(scalars), *hypers)
    return np.array([network.seed for network in networks], np.uint32), stacked

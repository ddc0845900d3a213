"""One program for all runs of a task; several networks map the program of one."""

import functools
import itertools
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxquard.errors import UsageError
from jaxquard.training import program as programs
from jaxquard.training import steps
from jaxquard.training.data import prepare
from jaxquard.training.device import Run
from jaxquard.training.evaluation import all_logits
from jaxquard.training.program import make_program, start
from jaxquard.training.task import make_task

from .configs import MOMENTUM

CONFIG = MOMENTUM.replace(seeds=3)
MLP = {"optimizer": "muon"}
CNN = {"model": "cnn", "widths": (2,), "blocks": 0, "flip": True, "shift": 1, "ema": 0.9}


@pytest.fixture(autouse=True)
def cores(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """`cores(count)`: so many networks run at once; one without this call."""

    def give(count: int) -> None:
        monkeypatch.setattr(programs, "cores", lambda: count)

    give(1)
    return give


@pytest.fixture(scope="module")
def prepared(dataset: Any) -> Any:
    config, data = prepare(CONFIG, dataset)
    return config, data, make_task(config, (8, 8, 1), data.classes, len(data.images))


def test_double_precision_is_refused(prepared: Any):
    make_program(prepared[2])  # a cached program is refused as well
    with jax.enable_x64(True), pytest.raises(UsageError, match="single precision"):
        make_program(prepared[2])


@pytest.mark.parametrize("changes", [MLP, CNN], ids=["mlp", "cnn"])
def test_networks_at_once_equal_networks_in_turn(dataset: Any, monkeypatch: pytest.MonkeyPatch, changes: Any):
    """`vmap` and autodiff of convolutions, as on an accelerator, against turns and our own gradients, as on a CPU."""

    def choose(*arguments: Any, default: Any, **_: Any) -> Any:
        chosen.append(default)
        return default(*arguments)

    config, data = prepare(CONFIG.replace(**changes), dataset)
    task, chosen = make_task(config, (8, 8, 1), data.classes, len(data.images)), []
    one_by_one = make_program(task)
    monkeypatch.setattr(programs.jax, "default_backend", lambda: "gpu")
    side_by_side = programs._program.__wrapped__(task)
    found = []
    for program in (one_by_one, side_by_side):
        ts = start(one_by_one, task, config.networks())
        *pauses, ts = program.turns(ts, one_by_one.orders(ts.key, 0), data.images, data.labels, 0, 5)
        assert pauses == ([None] * 2 if program is one_by_one else [])
        found.append((ts.params, ts.totals))
        monkeypatch.setattr(jax.lax, "platform_dependent", choose)
    assert bool(chosen) == (changes is CNN)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5), *found)


@pytest.mark.parametrize("changes", [MLP, CNN], ids=["mlp", "cnn"])
def test_every_function_of_a_program_has_a_form_for_cuda(monkeypatch: pytest.MonkeyPatch, changes: Any):
    """It shows that JAX can lower all operations, not what they cost there."""
    config = CONFIG.replace(**changes, patience=2)
    task = make_task(config, (8, 8, 1), 4, 100)
    monkeypatch.setattr(programs.jax, "default_backend", lambda: "gpu")
    program = programs._program.__wrapped__(task)
    ts = programs.shapes(program, task, config.networks())
    images, labels = jax.ShapeDtypeStruct((100, 8, 8, 1), "uint8"), jax.ShapeDtypeStruct((100,), "int32")
    orders, losses = jax.eval_shape(program.orders, ts.key, 0), jax.ShapeDtypeStruct((3,), "float32")
    calls = {
        jax.jit(programs.over_networks(functools.partial(steps.run_steps, task), 2)): (
            ts,
            orders,
            images,
            labels,
            0,
            2,
        ),
        program.init: programs._beginning(task, config.networks()),
        program.orders: (ts.key, 0),
        program.end_epoch: (ts, losses, 1, 2),
        program.diagnose: (ts, images, labels),
        program.logits: (*ts.current, images),
    }
    for function, arguments in calls.items():
        assert function.trace(*arguments).lower(lowering_platforms=("cuda",)).as_text()


@pytest.mark.parametrize("changes", [MLP, CNN, {"shards": 2}], ids=["mlp", "cnn", "shards"])
def test_networks_in_threads_have_the_bits_of_networks_in_turn(
    dataset: Any, cores: Callable, assert_same_bits: Callable, changes: Any
):
    config, data = prepare(CONFIG.replace(**changes), dataset)
    task, found = make_task(config, (8, 8, 1), data.classes, len(data.images)), []
    program = make_program(task)
    for count in (1, 2, 3, 8):
        cores(count)
        ts = start(program, task, config.networks())
        *pauses, ts = program.turns(ts, program.orders(ts.key, 0), data.images, data.labels, 0, 5)
        assert len(pauses) == (2 if count == 1 else 1 if count == 2 else 0)
        found.append(ts)
    for other in found[1:]:
        assert_same_bits(other, found[0])
    first, second, third = np.asarray(found[0].totals.loss)
    assert first != second != third != first  # so the test would notice if networks were exchanged


@pytest.fixture
def watched(prepared: Any, cores: Callable, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Any]]:
    """`watched(during)`: the turns of three networks, two at a time; the n-th calls `during(n)` first."""

    def turns(during: Callable[[int], None]) -> list[Any]:
        config, data, task = prepared
        plain, numbers, program = Run.for_threads, itertools.count(1), make_program(task)

        def for_threads(*arguments: Any) -> Callable[..., Any]:
            run = plain(*arguments)
            return lambda *arguments: (during(next(numbers)), run(*arguments))[1]

        monkeypatch.setattr(Run, "for_threads", for_threads)
        cores(2)
        ts = start(program, task, config.networks())
        return list(program.turns(ts, program.orders(ts.key, 0), data.images, data.labels, 0, 5))

    return turns


def test_as_many_networks_run_at_once_as_there_are_cores(watched: Callable):
    both = threading.Barrier(2, timeout=60)
    pause, trained = watched(lambda number: both.wait() if number < 3 else None)
    assert pause is None
    assert trained.step.tolist() == [5, 5, 5]


def test_an_error_in_a_thread_is_raised_once_after_all_threads_have_ended(watched: Callable):
    ended, before, both = [], threading.active_count(), threading.Barrier(2, timeout=60)

    def fails(number: int) -> None:
        both.wait()
        time.sleep(0.2 * (number - 1))
        ended.append(number)
        raise MemoryError(f"network {number}")

    with pytest.raises(MemoryError, match="network"):
        watched(fails)
    assert ended == [1, 2]
    assert threading.active_count() == before


@pytest.mark.posix
def test_ctrl_c_waits_for_the_threads(watched: Callable):
    ended, main = [], threading.get_ident()
    usual = signal.signal(signal.SIGINT, signal.default_int_handler)

    def interrupts(number: int) -> None:
        time.sleep(0.2)  # until both threads have started
        if number == 1:
            signal.pthread_kill(main, signal.SIGINT)
        time.sleep(0.2)
        ended.append(number)

    try:
        with pytest.raises(KeyboardInterrupt):
            watched(interrupts)
    finally:
        signal.signal(signal.SIGINT, usual)
    assert sorted(ended) == [1, 2]


def test_between_turns_the_state_does_not_change(prepared: Any):
    config, data, task = prepared
    program = make_program(task)
    ts, same = (start(program, task, config.networks()) for _ in range(2))
    rest = (program.orders(ts.key, 0), data.images, data.labels, 0, 5)
    turns = program.turns(ts, *rest)
    for _ in range(2):
        assert next(turns) is None
        jax.tree.map(np.testing.assert_array_equal, ts.params, same.params)
    (trained,) = turns
    assert trained
    jax.tree.map(np.testing.assert_array_equal, trained.params, program.run(same, *rest).params)


@pytest.mark.parametrize("count", [1, 3])
def test_logits_are_those_of_numpy(prepared: Any, count: int):
    config, data, task = prepared
    program = make_program(task)
    ts = start(program, task, config.networks()[:count])
    logits = all_logits(lambda x: program.logits(*ts.current, x), data.images)
    x = (np.asarray(data.images, np.float64).reshape(253, 64) / 255 - config.pixel_mean) / config.pixel_std
    for number, layer in enumerate(ts.params):
        z = x @ np.float64(layer["w"]) + np.float64(layer["b"])[:, None]
        x = np.maximum(z, 0) if number < 2 else z
    np.testing.assert_allclose(logits, x, atol=1e-5)


def test_thread_local_settings_apply_to_several_networks(prepared: Any, cores: Callable):
    """Dropout depends on this setting; each of three networks equals the same network alone."""
    cores(2)
    _, data, task = prepared
    with jax.threefry_partitionable(False):
        program, networks, found = make_program(task), prepared[0].networks(), []
        for chosen in (networks[:1], networks):
            ts = start(program, task, chosen)
            found.append(program.run(ts, program.orders(ts.key, 0), data.images, data.labels, 0, 3).params)
    jax.tree.map(lambda one, all: np.testing.assert_array_equal(one, all[:1]), *found)


def test_networks_that_take_turns_are_compiled_once(dataset: Any, monkeypatch: pytest.MonkeyPatch):
    config, data = prepare(CONFIG.replace(model="cnn", widths=(2,), dropout=0.0, seeds=2), dataset)
    task, traced = make_task(config, (8, 8, 1), data.classes, len(data.images)), []
    plain = steps.run_steps
    monkeypatch.setattr(steps, "run_steps", lambda *args: traced.append(True) or plain(*args))
    monkeypatch.setattr(programs, "_program", functools.lru_cache(programs._program.__wrapped__))
    program = make_program(task)
    ts = start(program, task, config.networks())
    for stop in (0, 2):
        ts = program.run(ts, program.orders(ts.key, 0), data.images, data.labels, 0, stop)
    assert traced == [True]


def test_a_donated_state_is_deleted(prepared: Any):
    config, data, task = prepared
    program = make_program(task)
    ts = start(program, task, config.networks()[:1])
    program.run(ts, program.orders(ts.key, 0), data.images, data.labels, 0, 1)
    with pytest.raises(RuntimeError, match="deleted"):
        jnp.sum(ts.params[0]["w"])

"""The compiled steps against a plain Python loop and against formulas in NumPy."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxquard.config import Config
from jaxquard.training import diagnosis, steps
from jaxquard.training.data import TrainingData, prepare
from jaxquard.training.fit import make_run
from jaxquard.training.program import Program, start
from jaxquard.training.state import TrainState
from jaxquard.training.task import Task, make_hyper, make_optimizer, make_task

from .configs import MOMENTUM


class Case:
    """A task with its program and data."""

    task: Task
    program: Program
    data: TrainingData

    def __init__(self, config: Config, dataset: Any) -> None:
        self.dataset = dataset
        self.config, self.data = prepare(config, dataset)
        self.task, self.program = make_run(self.config, self.data)

    def start(self) -> TrainState:
        return start(self.program, self.task, self.config.networks())

    def run(self, ts: TrainState, first: int, stop: int, epoch: int = 0) -> TrainState:
        order = self.program.orders(ts.key, epoch)
        return self.program.run(ts, order, self.data.images, self.data.labels, first, stop)


def single(stacked: Any) -> Any:
    """The only network of a state or a diagnosis, without its axis."""
    return jax.tree.map(lambda leaf: leaf[0], stacked)


@pytest.fixture(scope="module")
def case(dataset: Any) -> Case:
    return Case(MOMENTUM, dataset)


def test_an_epoch_starts_with_empty_totals_and_keeps_the_bad_step(case: Case):
    ts = case.run(case.start(), 0, 5)
    ts = ts._replace(totals=ts.totals._replace(bad_step=jnp.array([4], jnp.int32)))
    ts = single(case.run(ts, 0, 1, epoch=1))
    assert int(ts.totals.examples) == 50
    assert int(ts.totals.correct) <= 50
    assert int(ts.totals.bad_step) == 4


def test_the_last_partial_batch_is_left_out():
    task = make_task(Config(batch_size=128), (28, 28, 1), 10, 60_000)
    assert task.steps_per_epoch == 468


def weights_and_biases(params: Any) -> tuple[list[np.ndarray], list[np.ndarray]]:
    return [np.asarray(layer["w"]) for layer in params], [np.asarray(layer["b"]) for layer in params]


@pytest.mark.parametrize(("clip_norm", "scale"), [(0.0, 1.0), (1.0, 0.2), (5.0, 1.0), (9.0, 1.0)])
def test_a_gradient_is_clipped_to_the_norm_and_0_means_no_limit(clip_norm: float, scale: float):
    config = Config(sweep=(("clip_norm", (0.0, 1.0)),))  # both in one program
    task = make_task(config, (8, 8, 1), 4, 303)
    hyper = make_hyper(task, config) | {"clip_norm": jnp.float32(clip_norm)}
    optimizer = make_optimizer(task, hyper)
    grads = {"w": jnp.array([3.0, 4.0])}
    updates, _ = optimizer.update(grads, optimizer.init(grads), grads)
    np.testing.assert_allclose(updates["w"], [-0.01 * scale * 3, -0.01 * scale * 4], rtol=1e-6)


def losses_of_a_batch(case: Case, **settings: Any) -> list[float]:
    """The loss of one batch at three steps with a learning rate of almost 0."""
    still = Case(MOMENTUM.replace(optimizer="sgd", learning_rate=1e-30, dropout=0.0, **settings), case.dataset)
    ts, batch, found = single(still.start()), (still.data.images[:50], still.data.labels[:50]), []
    for _ in range(3):
        before = float(ts.totals.loss)
        ts = steps.train_step(still.task, ts, *batch)
        found.append((float(ts.totals.loss) - before) / 50)
    return found


def test_weights_are_those_of_a_weighted_mean(case: Case):
    plain = Case(Config(hidden=(6,), batch_size=4), case.dataset)
    images, labels = plain.data.images[:4], plain.data.labels[:4]
    ts, weights, rows = single(plain.start()), jnp.array([2.0, 1.0, 0.0, 1.0]), jnp.array([0, 0, 1, 3])
    weighted = steps.train_step(plain.task, ts, images, labels, weights=10 * weights)
    repeated = steps.train_step(plain.task, ts, images[rows], labels[rows])
    for one, other in zip(jax.tree.leaves(weighted.params), jax.tree.leaves(repeated.params), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("setting", ["flip", "shift", "cutout", "erasing", "mixup"])
def test_augmentation_differs_at_every_step(case: Case, setting: str):
    plain = losses_of_a_batch(case)
    assert np.ptp(plain) < 1e-5
    moved = losses_of_a_batch(case, **{setting: {"flip": True, "shift": 1, "cutout": 3}.get(setting, 0.5)})
    assert min(abs(a - b) for a, b in ((moved[0], moved[1]), (moved[1], moved[2]), (moved[0], plain[0]))) > 1e-4


def test_only_what_a_network_uses_is_active():
    task = make_task(Config(), (8, 8, 1), 4, 303)
    always = {"learning_rate"}  # plain SGD has no momentum, and a constant schedule no drops
    assert task.active == always
    adam = make_task(Config(optimizer="adam", schedule="step", teacher="cnn-small"), (8, 8, 1), 4, 303)
    assert adam.active == always | {
        "beta1",
        "beta2",
        "epsilon",
        "decay_every",
        "decay_factor",
        "teacher_share",
        "temperature",
    }
    swept = Config(sweep=(("dropout", (0.0, 0.5)),))
    assert make_task(swept, (8, 8, 1), 4, 303).active == always | {"dropout"}
    hyper = make_hyper(task, Config(epochs=7))
    assert set(hyper) == always | {"total_steps"}
    assert float(hyper["total_steps"]) == 7 * (303 // 128)


def test_norms_are_by_layer():
    tree = {"a": {"w": jnp.array([3.0, 0.0]), "b": jnp.array([4.0])}, "c": [{"w": jnp.array([2.0])}]}
    assert {name: float(norm) for name, norm in diagnosis.layer_norms(tree).items()} == {"a": 5.0, "c/0": 2.0}


def test_a_unit_is_dead_when_it_cannot_learn_from_any_example():
    z = jnp.array([[-1.0, 1.0, -1.0, -2.0], [-2.0, -1.0, -3.0, 5.0]])
    assert float(diagnosis.dead_share(lambda z: jnp.maximum(z, 0), z)) == 0.5
    assert float(diagnosis.dead_share(jnp.tanh, 20 * jnp.ones((3, 4)))) == 1.0
    assert float(diagnosis.dead_share(lambda z: z, z)) == 0.0


def test_a_diagnosis_is_that_of_the_whole_batch(case: Case):
    ts = case.run(case.start(), 0, 5)
    images, labels = case.data.images[:40], case.data.labels[:40]
    found = single(case.program.diagnose(ts, images, labels))
    assert case.config.pixel_mean is not None
    assert case.config.pixel_std is not None
    x = (np.asarray(images, np.float64).reshape(40, 64) / 255 - case.config.pixel_mean) / case.config.pixel_std
    (w0, w1, w2), (b0, b1, b2) = weights_and_biases(single(ts).params)
    zs = [x @ w0 + b0]
    zs.append(np.maximum(zs[0], 0) @ w1 + b1)
    a = np.maximum(zs[1], 0)
    logits = a @ w2 + b2
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    delta = (p - np.eye(4)[np.asarray(labels)]) / 40
    norm = np.sqrt(np.sum((a.T @ delta) ** 2) + np.sum(delta.sum(axis=0) ** 2))
    assert float(found.grad_norm["2"]) == pytest.approx(norm, rel=1e-5)
    assert [float(found.dead[name]) for name in "01"] == pytest.approx([np.mean((z <= 0).all(axis=0)) for z in zs])
    assert float(found.learning_rate) == pytest.approx(0.05)


@pytest.mark.parametrize("schedule", ["cosine", "one_cycle", "step"])
def test_a_diagnosed_update_has_the_learning_rate_of_its_record(schedule: Any, train: Callable):
    """With plain SGD it is η times the gradient. The schedule has another η for the next step."""
    config = Config(hidden=(6,), batch_size=50, epochs=3, schedule=schedule, decay_every=1.0)
    for record in train(config).records:
        (rate,) = record["learning_rate"]
        for name, (norm,) in record["grad_norm"].items():
            assert record["update_norm"][name] == pytest.approx([rate * norm], rel=1e-4)

"""Runs experiments: trains what a Config describes, inspects the networks, and returns plain data.

No lesson uses the test set, because a comparison is a choice. Networks are evaluated on held-out training images.
"""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from jaxquard.config import Config
from jaxquard.data import Dataset
from jaxquard.lessons.experiment import Arm, Scale, make_arms
from jaxquard.nn.model import Model, Params, State
from jaxquard.strict_json import plain
from jaxquard.training.data import TrainingData, prepare
from jaxquard.training.evaluation import accuracy, all_logits, mean_loss
from jaxquard.training.fit import Event, fit, make_run
from jaxquard.training.program import start
from jaxquard.training.state import TrainState
from jaxquard.training.task import make_model

Tick = Callable[[str, float], None]  # a label, and the fraction that is done
Inspect = Callable[[Model, Params, State, jax.Array, jax.Array], Any]


class Lab:
    """A data set, a scale, and a function to report progress to."""

    def __init__(self, dataset: Dataset, scale: Scale, tick: Tick = lambda label, done: None) -> None:
        self.dataset, self.scale, self.tick = dataset, scale, tick

    @functools.cached_property
    def _split(self) -> tuple[Config, TrainingData]:
        return prepare(Config(validation=self.scale.validation), self.dataset)

    def prepare(self, config: Config, images: int | None = None) -> tuple[Config, TrainingData]:
        """The resolved config, and the first `images` (None: the scale's number) of the shuffled training set.

        Smaller parts lie inside larger ones. Held-out images, and the pixels' mean and deviation, are always the same.
        """
        whole, data = self._split
        count = images or self.scale.train
        resolved = config.replace(validation=whole.validation, pixel_mean=whole.pixel_mean, pixel_std=whole.pixel_std)
        return resolved, data._replace(images=data.images[:count], labels=data.labels[:count])

    def train(
        self, label: str, config: Config, *, images: int | None = None, diagnostics: bool = False, watch: bool = True
    ) -> dict[str, Arm]:
        """Train all of a config's networks in one batched run: an arm for each swept combination, named by `arm_names`.

        An arm holds `accuracy`, `loss` (on held-out images), `train_accuracy`, `train_loss`: (seeds, epochs) each,
        fractions or nats; with `diagnostics`, `dead` and `grad_norm` by layer; `diverged` (seeds,); and `seconds`,
        (epochs,), of training steps for one network. Without `watch`, held-out images are evaluated only at the end.
        """
        config, data = self.prepare(config, images)
        watched = data if watch else data._replace(val_images=data.val_images[:0], val_labels=data.val_labels[:0])
        records, seconds, state = [], 0.0, None
        for event in self._events(label, config, watched, diagnostics):
            seconds += event.seconds if event.kind != "compiled" else 0.0
            state = event.state
            if event.kind == "epoch":
                records.append((event.record or {}) | {"seconds": seconds})
                seconds = 0.0
        assert state is not None
        if not watch:
            records[-1:] = [(records or [{}])[-1] | self._evaluate(config, data, state)]
        diverged = (np.asarray(state.totals.bad_step) >= 0).tolist()
        return make_arms(label, config, records, diverged)

    def look(self, label: str, config: Config, inspect: Inspect, *, images: int = 1_000, trained: bool = False) -> Any:
        """What `inspect(model, params, state, images, labels)` returns for each network: NumPy arrays with a leading
        axis for the networks. Networks are inspected before their first step or, if `trained`, after their last.
        """
        config, data = self.prepare(config)
        task, program = make_run(config, data)
        networks = config.networks()
        ts = self._last_state(label, config, data) if trained else start(program, task, networks)
        model = make_model(task.model)
        x, y = data.images[:images], data.labels[:images]
        looked = jax.jit(lambda params, state: inspect(model, params, state, x, y))
        selected = jax.device_get(ts.selected)
        found = [looked(*jax.tree.map(lambda leaf, k=k: leaf[k], selected)) for k in range(len(networks))]
        return jax.tree.map(lambda *each: np.stack(each), *found)

    def _events(self, label: str, config: Config, data: TrainingData, diagnostics: bool) -> Iterator[Event]:
        steps = config.epochs * (len(data.images) // config.batch_size)
        self.tick(label, 0.0)
        for event in fit(config, data, diagnostics=diagnostics):
            self.tick(label, event.step / steps)
            yield event

    def _last_state(self, label: str, config: Config, data: TrainingData) -> TrainState:
        *_, last = self._events(label, config, data, False)
        return last.state

    def _evaluate(self, config: Config, data: TrainingData, state: TrainState) -> dict[str, Any]:
        _, program = make_run(config, data)
        logits = all_logits(lambda images: program.logits(*state.current, images), data.val_images)
        return plain(
            {"val_accuracy": accuracy(logits, data.val_labels), "val_loss": mean_loss(logits, data.val_labels)}
        )

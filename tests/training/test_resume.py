"""Negative controls: if a restore loses any leaf of the training state, the resumed training differs."""

from typing import Any

import jax
import numpy as np
import pytest

from jaxquard.config import SCALARS, Config
from jaxquard.data import Dataset
from jaxquard.runs import tensors
from jaxquard.training.data import prepare
from jaxquard.training.fit import Event, fit, make_run
from jaxquard.training.program import shapes

SHARED = Config(hidden=(6,), batch_size=50, validation=50, epochs=2)  # 5 steps an epoch
KINDS = {
    # stopped while early stopping waits: the best epoch is over
    "adam": SHARED.replace(
        batch_norm=True,
        dropout=0.2,
        erasing=0.3,
        mixup=0.4,
        label_smoothing=0.1,
        teacher="a-model",
        l2=0.01,
        optimizer="adam",
        learning_rate=0.3,
        epsilon=1e-3,
        weight_decay=0.01,
        clip_norm=0.1,
        schedule="cosine",
        warmup=1.0,
        ema=0.5,
        patience=2,
        epochs=20,
    ),
    "muon": SHARED.replace(optimizer="muon", schedule="step", decay_every=0.7, epsilon=1e-3),
    # nesterov has the same state; sgd has only the step of its schedule
    "momentum": SHARED.replace(optimizer="momentum", schedule="one_cycle", seeds=2),
}
# Leaves without an effect: a length that the schedule does not use, and the step of a loss reported before.
IDLE: dict[str, set[str]] = {"adam": set(), "muon": {"total_steps"}, "momentum": set()}


def train(
    config: Config, dataset: Dataset, restored: Any = None
) -> tuple[dict[str, bytes], list[Event], list[dict[str, np.ndarray]]]:
    """The results of a training by name, its events, and its states. It starts from the arrays `restored`, if given."""
    config, data = prepare(config, dataset)
    if config.teacher:
        data = data._replace(teacher=jax.random.normal(jax.random.key(0), (len(data.images), data.classes)))
    task, program = make_run(config, data)
    like = shapes(program, task, config.networks())
    state = None if restored is None else tensors.restore(restored, like, "the checkpoint")
    events, states = [], []
    for event in fit(config, data, state, checkpoint_every=1, diagnostics=False):
        events.append(event)
        states.append(tensors.from_bytes(tensors.to_bytes(event.state), "the checkpoint"))
    outcome = {name: array.tobytes() for name, array in states[-1].items()}
    outcome["selected"] = tensors.to_bytes(events[-1].state.selected)
    outcome["journal"] = repr([event.record for event in events if event.record]).encode()
    return outcome, events, states


def lost(now: np.ndarray, start: np.ndarray) -> np.ndarray:
    """A leaf as it was at the start, or, if it is still the same, another value."""
    if not np.array_equal(now, start):
        return start
    return now + 1 if np.issubdtype(now.dtype, np.integer) else np.where(now == 0, 0.25, now / 2).astype(now.dtype)


@pytest.mark.parametrize("kind", KINDS)
def test_each_leaf_that_is_lost_at_a_restore_makes_a_difference(kind: str, dataset: Dataset):
    config = KINDS[kind]
    _, events, states = train(config, dataset)
    *_, now = (state for event, state in zip(events, states, strict=True) if event.step % 5 == 3)  # in the last epoch
    whole, *_ = train(config, dataset, now)
    idle = set()
    for name in now:
        changed, *_ = train(config, dataset, now | {name: lost(now[name], states[0][name])})
        assert changed != whole, name
        if all(changed[other] == whole[other] for other in whole if other != name):
            idle.add(name)
    assert idle == {f"hyper/{name}" for name in IDLE[kind]} | {"totals/bad_step"}


def test_each_scalar_matters_in_one_of_these_trainings():
    assert set.intersection(*IDLE.values()) == set()
    used = {name for kind, config in KINDS.items() for name in config.in_effect() if name not in IDLE[kind]}
    assert set(SCALARS) <= used

"""The training loop: its events, interruptions at any step, and the same training in plain NumPy."""

import dataclasses
import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import jax
import numpy as np
import pytest

from jaxquard.config import Config
from jaxquard.errors import UsageError
from jaxquard.training.data import prepare
from jaxquard.training.evaluation import all_logits, mean_loss
from jaxquard.training.fit import _chunk, fit, make_run
from jaxquard.training.state import TrainState

from .configs import COSINE, EVERYTHING, MOMENTUM, PATIENT, PLAIN, SWEPT

CNN = {"model": "cnn", "widths": (2,), "optimizer": "muon", "learning_rate": 0.01, "ema": 0.9}
HALF_SIZE = CNN | {"half_size_share": 0.5}


def last_step(trained: Any) -> int:
    return trained.events[-1].step


@pytest.mark.parametrize("config", [EVERYTHING, PLAIN.replace(**HALF_SIZE, seeds=2)], ids=["MLP", "CNN"])
def test_stopped_and_resumed_at_any_step_is_never_stopped(train: Callable, assert_same_bits: Callable, config: Config):
    whole = train(config, diagnostics=False)
    cut = train(config, checkpoint_every=1, diagnostics=False)
    assert cut.records == whole.records
    assert_same_bits(cut.state, whole.state)
    steps = [event.step for event in cut.events if event.kind == "checkpoint"]
    assert steps == list(range(1, last_step(whole) + 1))
    for event, state in zip(cut.events, cut.states, strict=True):
        if event.kind in ("compiled", "checkpoint") and event.step < last_step(whole):
            resumed = train(config, state, diagnostics=False)
            assert resumed.records == whole.records[event.epoch :], event.step
            assert_same_bits(resumed.state, whole.state)


@pytest.mark.parametrize("seeds", [1, 3])
def test_an_epoch_record_says_what_the_journal_promises(train: Callable, seeds: int):
    first, second = train(MOMENTUM.replace(seeds=seeds)).records
    per_layer = {"grad_norm": ["0", "1", "2"], "update_norm": ["0", "1", "2"], "dead": ["0", "1"]}
    figures = ["train_loss", "train_accuracy", "val_loss", "val_accuracy", "learning_rate"]
    assert set(first) == {"epoch", "step", *figures, *per_layer}
    assert (first["epoch"], first["step"], second["epoch"], second["step"]) == (1, 5, 2, 10)
    for figure in figures:
        assert len(first[figure]) == seeds
    for figure, layers in per_layer.items():
        assert list(first[figure]) == layers
        assert all(len(values) == seeds for values in first[figure].values())


def test_missing_teacher_logits_are_refused(train: Callable):
    with pytest.raises(UsageError, match="teacher: the data have no logits of the teacher"):
        train(Config(hidden=(6,), batch_size=50, teacher="cnn-small"))


def test_diagnostics_change_nothing(train: Callable, assert_same_bits: Callable):
    config = EVERYTHING
    assert_same_bits(train(config).state, train(config, diagnostics=False).state)


def test_the_learning_rate_in_the_record_is_the_last_one_used(train: Callable):
    rates = [record["learning_rate"][0] for record in train(COSINE).records]
    falling = [0.01 * 0.5 * (1 + math.cos(math.pi * step / 10)) for step in (4, 9)]  # after the warm-up's 5 steps
    assert rates == pytest.approx([0.01 * 4 / 5, *falling], rel=1e-5)


@pytest.mark.parametrize("every", [1, 3, 4, 5, 7])
def test_checkpoints_come_at_the_multiples_and_nowhere_else(train: Callable, every: int):
    trained = train(PLAIN, checkpoint_every=every)
    asked = [(event.step, event.epoch) for event in trained.events if event.kind == "checkpoint"]
    assert asked == [(step, step // 5) for step in range(every, 11, every)]
    assert trained.kinds.count("epoch") == 2


def test_events_come_in_order_and_hold_the_state_of_their_step(train: Callable):
    trained = train(PLAIN, checkpoint_every=4)
    assert trained.kinds[0] == "compiled"
    assert trained.kinds[-1] == "epoch"
    for event, state in zip(trained.events, trained.states, strict=True):
        assert state.step.tolist() == [event.step]
        assert event.epoch == event.step // 5
        assert event.seconds >= 0
    assert all(a.step <= b.step for a, b in pairwise(trained.events))


@pytest.mark.parametrize(
    ("settings", "seconds", "expected"),
    [
        ({}, 0.125, [(1, 1), (4, 1), (5, 1), (8, 1), (10, 1)]),
        (CNN, 0.625, [(1, 1), (3, 1), (5, 1), (9, 1), (10, 1)]),
        # the time of a step is measured again when the images become larger
        (CNN, 0.125, [(1, 1), (5, 1), (10, 1)]),
        (HALF_SIZE, 0.125, [(1, 1), (5, 1), (6, 1), (10, 1)]),
        # three networks with short turns make one event; with long turns each makes one, and the last has the step
        ({"seeds": 3}, 0.125, [(1, 3), (5, 3), (10, 3)]),
        ({"seeds": 3}, 0.625, [(0, 0), (1, 3), (1, 0), (3, 3), (3, 0), (5, 3), (5, 0), (9, 3), (9, 0), (10, 3)]),
    ],
)
def test_an_event_comes_about_every_heartbeat(
    train: Callable, every_turn_takes: Callable, settings: dict[str, Any], seconds: float, expected: Any
):
    """The heartbeat is 0.4 s, with CNNs or several networks 1.45 s. Here every turn takes the same time."""
    every_turn_takes(seconds)
    _, *events = train(PLAIN.replace(**settings), diagnostics=False).events
    assert [(event.step, event.seconds / seconds) for event in events] == expected
    assert [event.seconds for event in events if event.kind == "turn"] == [took for _, took in expected if not took]


def test_a_turn_has_as_many_steps_as_the_heartbeat_allows():
    assert _chunk(1.5, 8, [0.01, 0.01, 0.01]) == 400  # together 1.5 s
    assert _chunk(1.5, 2, [0.25, 0.25, 0.25]) == 8  # together 4 steps in 1.5 s, alone 12; 8 are enough
    assert _chunk(1.5, 2, [0.75, 1.0, 0.75]) == 3  # those of the slowest
    assert _chunk(1.5, 1, [2.0, 2.0]) == 1


@pytest.mark.parametrize(("cores", "pauses"), [(1, 2), (2, 1)])
def test_stopped_between_two_networks_turns_is_never_stopped(
    train: Callable, assert_same_bits: Callable, every_turn_takes: Callable, cores: int, pauses: int
):
    """The steps of the interrupted call are lost: its state is the one before them."""
    config = MOMENTUM.replace(seeds=3)
    whole = train(config)
    every_turn_takes(1.0, cores)
    trained = train(config)
    assert_same_bits(trained.state, whole.state)
    of_step = dict[int, TrainState]()
    for event, state in zip(trained.events, trained.states, strict=True):
        assert state.step.tolist() == [event.step] * 3
        assert_same_bits(state, of_step.setdefault(event.step, state))
    turns = [state for event, state in zip(trained.events, trained.states, strict=True) if event.kind == "turn"]
    assert len(turns) == pauses * 10
    for state in (turns[0], turns[7], turns[-1]):
        assert_same_bits(train(config, state).state, whole.state)


def test_a_finished_training_has_nothing_left_to_do(train: Callable, assert_same_bits: Callable):
    whole = train(PLAIN)
    again = train(PLAIN, whole.state)
    assert again.kinds == ["compiled"]
    assert_same_bits(again.state.params, whole.state.params)


def test_it_prints_nothing_and_writes_nothing(train: Callable, capfd: pytest.CaptureFixture, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train(EVERYTHING)
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "config",
    [MOMENTUM.replace(seeds=3), SWEPT, PLAIN.replace(**CNN, seeds=3, epochs=1)],
    ids=["seeds", "sweep", "CNNs"],
)
def test_networks_at_once_are_each_alone(train: Callable, config: Config):
    together = train(config)
    networks = together.config.networks()
    assert len(networks) == 3
    for number, network in enumerate(networks):
        alone = train(network)
        both = (together.network(number).params, alone.network().params)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), *both)
        for record, expected in zip(together.records, alone.records, strict=True):
            assert [record["train_loss"][number]] == pytest.approx(expected["train_loss"], rel=1e-5)
            assert [record["grad_norm"]["0"][number]] == pytest.approx(expected["grad_norm"]["0"], rel=1e-4)


def test_networks_of_a_sweep_are_paired_and_those_of_seeds_are_not(train: Callable):
    swept, seeds = train(SWEPT).states[0], train(MOMENTUM.replace(seeds=3)).states[0]
    for layer in swept.params:
        assert np.all(layer["w"] == layer["w"][:1])
    assert len({tuple(data) for data in np.asarray(jax.random.key_data(swept.key)).tolist()}) == 1
    for layer in seeds.params:
        assert not np.any(layer["w"][0] == layer["w"][1])


def test_a_network_that_diverges_is_named_with_its_step_and_the_others_continue(train: Callable):
    config = SWEPT.replace(sweep=(("learning_rate", (0.1, 1e30, 0.05)),))
    trained = train(config)
    (event,) = [event for event in trained.events if event.kind == "diverged"]
    assert event.record == {"quantity": "loss", "networks": [1], "steps": [1]}  # step 0 is lost, step 1 shows it
    assert trained.kinds[-1] == "epoch"
    assert len(trained.records) == 2
    for record in trained.records:
        assert [loss is None for loss in record["train_loss"]] == [False, True, False]
        assert [loss is None for loss in record["val_loss"]] == [False, True, False]
        assert record["train_accuracy"][1] == record["val_accuracy"][1] == 0
    for number in (0, 2):
        alone = train(trained.config.networks()[number])
        losses = [record["train_loss"][number] for record in trained.records]
        assert losses == pytest.approx([record["train_loss"][0] for record in alone.records], rel=1e-5)
    assert np.asarray(trained.state.totals.bad_step).tolist() == [-1, 1, -1]


def test_training_ends_when_all_networks_have_diverged(train: Callable):
    trained = train(SWEPT.replace(sweep=(("learning_rate", (1e30, 1e33, 1e36)),), epochs=50))
    assert trained.kinds[-1] == "diverged"
    assert last_step(trained) <= 5
    assert [k for event in trained.events if event.kind == "diverged" for k in event.record["networks"]] == [0, 1, 2]


def test_divergence_names_the_first_step_whose_loss_is_not_finite(train: Callable):
    # the loss of a linear network grows for some steps before it is infinite
    config = PLAIN.replace(learning_rate=500.0, activation="identity", epochs=50, validation=0)
    step_by_step = train(config, checkpoint_every=1, diagnostics=False)
    ends = {e.step: ts for e, ts in zip(step_by_step.events, step_by_step.states, strict=True)}
    first_bad = min(step for step, ts in ends.items() if not np.isfinite(ts.totals.loss).all()) - 1
    assert first_bad > 1
    trained = train(config, diagnostics=False)
    assert trained.kinds[-1] == "diverged"
    assert trained.events[-1].record == {"quantity": "loss", "networks": [0], "steps": [first_bad]}
    assert trained.state.totals.bad_step.tolist() == [first_bad]
    (record,) = train(config.replace(learning_rate=0.01), until=1, diagnostics=False).records
    assert set(record) == {"epoch", "step", "train_loss", "train_accuracy"}  # no validation, no diagnostics


def best_by_hand(val_losses: list[float], patience: int) -> tuple[int, int]:
    """(best epoch, epochs run) of an early stopping with this patience."""
    best = 0
    for epoch, loss in enumerate(val_losses):
        if loss < val_losses[best]:
            best = epoch
        if epoch - best == patience:
            return best + 1, epoch + 1
    return best + 1, len(val_losses)


def test_early_stopping_waits_its_patience_and_keeps_the_best_weights(train: Callable, assert_same_bits: Callable):
    trained = train(PATIENT)
    forever = train(PATIENT.replace(patience=0))
    best, ran = best_by_hand([record["val_loss"][0] for record in forever.records], 2)
    assert best < ran < 60
    assert trained.kinds[-2:] == ["epoch", "stopped"]
    assert trained.events[-1].record == {"reason": "patience", "best_epoch": [best]}
    assert [record.pop("best_epoch") for record in trained.records][-1] == [best]
    assert trained.records == forever.records[:ran]
    (of_best,) = [
        s for e, s in zip(trained.events, trained.states, strict=True) if (e.kind, e.epoch) == ("epoch", best)
    ]
    assert_same_bits(trained.state.selected, of_best.current)
    assert trained.state.stopping.best_loss.tolist() == pytest.approx(trained.records[best - 1]["val_loss"], rel=1e-6)
    assert train(PATIENT, trained.state).kinds == ["compiled"]


def test_validation_and_early_stopping_evaluate_the_averaged_weights(train: Callable, assert_same_bits: Callable):
    trained = train(EVERYTHING)
    _, program = make_run(trained.config, trained.data)

    def loss(params: Any, state: Any) -> list[float]:
        logits = all_logits(lambda images: program.logits(params, state, images), trained.data.val_images)
        return mean_loss(logits, trained.data.val_labels).tolist()

    ends = [s for event, s in zip(trained.events, trained.states, strict=True) if event.kind == "epoch"]
    for record, ts in zip(trained.records, ends, strict=True):
        assert record["val_loss"] == pytest.approx(loss(*ts.ema), rel=1e-6)
        assert record["val_loss"] != pytest.approx(loss(ts.params, ts.state), rel=1e-3)
    kept = trained.state.stopping
    assert_same_bits((kept.params, kept.state), ends[int(kept.best_epoch[0]) - 1].ema)


def test_early_stopping_with_several_networks_is_each_alone(train: Callable):
    together = train(PATIENT.replace(seeds=3))
    stopping = together.state.stopping
    ends = []
    for number, network in enumerate(together.config.networks()):
        alone = train(network)
        ends.append(len(alone.records))
        assert stopping.best_epoch[number] == alone.network().stopping.best_epoch
        kept = (together.network(number).stopping.params, alone.network().selected[0])
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), *kept)
    assert len(set(ends)) > 1  # some stopped before others
    assert len(together.records) == max(ends)
    assert together.events[-1].record == {"reason": "patience", "best_epoch": stopping.best_epoch.tolist()}


def test_scalars_seed_and_length_share_a_program(dataset, cache_sizes: Callable):
    config, data = prepare(EVERYTHING, dataset)
    _, program = make_run(config, data)
    list(fit(config, data))
    sizes = cache_sizes(program)
    scalars = {
        f.name: getattr(config, f.name) / 2 for f in dataclasses.fields(config) if f.metadata["scope"] == "scalar"
    }
    changed = config.replace(**scalars, seed=9, epochs=1, patience=3)
    assert make_run(changed, data)[1] is program
    list(fit(changed, data))
    assert cache_sizes(program) == sizes


def test_a_sweep_and_several_seeds_share_one_program(dataset, cache_sizes: Callable):
    config, data = prepare(SWEPT, dataset)
    _, program = make_run(config, data)
    list(fit(config, data))
    sizes = cache_sizes(program)
    assert sizes[0] == 1  # on a CPU each network is trained by the program of one
    other = config.replace(sweep=(), seeds=3, seed=5, epochs=1)
    list(fit(other, data))
    assert make_run(other, data)[1] is program
    assert cache_sizes(program) == sizes

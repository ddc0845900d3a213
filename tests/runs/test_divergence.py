"""Divergence is detected wherever it happens, always recorded in the same way, and no good weights are lost."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxquard.errors import DivergedError
from jaxquard.nn.losses import cross_entropy
from jaxquard.runs import checkpoint, train
from jaxquard.runs.directory import Run
from jaxquard.runs.figures import figures
from jaxquard.runs.interrupts import Interrupted
from jaxquard.training import program as programs
from jaxquard.training import steps


@pytest.fixture(autouse=True)
def _overflow_is_expected():
    with np.errstate(all="ignore"):
        yield


@pytest.mark.parametrize(("decay", "last_good"), [(0.0, 1), (1e30, 0)])  # 1e30 breaks the weights in the first step
def test_divergence_keeps_the_last_good_checkpoint_and_says_what_and_when(small, stripes, tmp_path, decay, last_good):
    config = small.replace(learning_rate=1e30, weight_decay=decay)
    with pytest.raises(DivergedError, match="diverged: loss not finite at step") as caught:
        train.train(config, stripes, runs=tmp_path, name="run", checkpoint_every=1)
    run = Run(tmp_path / "run")
    assert checkpoint.listed(run.checkpoints)[-1].name == checkpoint.directory_name(last_good)
    assert run.status() == "diverged"
    assert caught.value.result.diverged == (0,)
    arrays, _ = checkpoint.newest(run.checkpoints)
    assert all(np.isfinite(arrays[name]).all() for name in arrays if name.startswith("params"))
    last = run.journal()[-1]
    assert last["quantity"] == "loss"
    assert last["step"] == last["bad_step"] + 1
    with pytest.raises(DivergedError):
        train.resume(run, stripes)
    assert len([line for line in run.journal() if line.get("event") == "diverged"]) == 1


def test_weights_lost_in_the_very_last_step_are_detected(small, stripes, tmp_path):
    """No later step's loss shows it."""
    config = small.replace(epochs=1, batch_size=120, learning_rate=1e30, weight_decay=1e30)
    with pytest.raises(DivergedError, match="weights not finite at step 0"):
        train.train(config, stripes, runs=tmp_path, name="run")
    run = Run(tmp_path / "run")
    assert run.status() == "diverged"
    assert [path.name for path in checkpoint.listed(run.checkpoints)] == ["step-000000000"]


def test_outputs_lost_in_the_very_last_step_are_detected(small, stripes, tmp_path):
    """The weights are finite, but so large that no output is."""
    config = small.replace(epochs=1, batch_size=120, learning_rate=1e30)
    with pytest.raises(DivergedError, match="test loss not finite at step 0"):
        train.train(config, stripes, runs=tmp_path, name="run")
    with pytest.raises(DivergedError, match="test loss not finite at step 0"):
        train.resume(Run(tmp_path / "run"), stripes)
    run = Run(tmp_path / "run")
    assert (run.status(), run.finished()) == ("diverged", None)


def test_one_of_several_lost_in_the_very_last_step_is_recorded(small, stripes, tmp_path):
    lost = {"sweep": (("learning_rate", (0.1, 1e30)),), "weight_decay": 1e-3, "epochs": 1, "batch_size": 100}
    result = train.train(small.replace(**lost, validation=20), stripes, runs=tmp_path, name="run")
    assert result.diverged == (1,)
    assert result.run.diverged() == {1}
    assert figures(result.run)["val_accuracy"].values[1] is None


@pytest.mark.parametrize(
    ("batch_size", "fault"), [(20, "loss not finite at step 1"), (120, "weights not finite at step 0")]
)
def test_a_gradient_that_is_not_finite_is_detected_in_its_epoch(
    small, stripes, tmp_path, monkeypatch, batch_size, fault
):
    """By the next step's loss; in the epoch's last step, by the weights."""

    def broken(logits, targets):
        return cross_entropy(logits, targets) + jnp.sqrt(0 * logits[:, 0])  # a finite value with an infinite slope

    monkeypatch.setitem(steps.LOSSES, "cross_entropy", broken)
    programs._program.cache_clear()
    with pytest.raises(DivergedError, match=fault):
        train.train(small.replace(batch_size=batch_size), stripes, runs=tmp_path, name="run")
    programs._program.cache_clear()
    epochs = Run(tmp_path / "run").epochs()
    assert [line["epoch"] for line in epochs] == []


def test_of_several_networks_the_lost_ones_are_null_and_the_others_continue(small, stripes, tmp_path):
    config = small.replace(sweep=(("learning_rate", (0.1, 1e30)),), validation=20)
    result = train.train(config, stripes, runs=tmp_path, name="run", checkpoint_every=1)
    assert result.diverged == (1,)
    assert result.test_accuracy.values[0] > 0.5
    assert [figure.values[1] for figure in (result.train_loss, result.test_loss, result.test_accuracy)] == [
        None,
        None,
        None,
    ]
    lines = [line for line in result.run.journal() if line.get("event") == "diverged"]
    assert [(line["network"], line["quantity"]) for line in lines] == [(1, "loss")]
    assert result.run.status() == "finished"


def test_a_lost_network_is_recorded_alike_wherever_the_run_was_stopped(
    small, stripes, tmp_path, interrupted_at, assert_same_run
):
    config = small.replace(sweep=(("learning_rate", (0.1, 1e30)),), validation=20, epochs=2)
    whole = train.train(config, stripes, runs=tmp_path, name="whole").run
    with pytest.raises(Interrupted):
        train.train(config, stripes, runs=tmp_path, name="run", checkpoint_every=1, observer=interrupted_at(1))
    run, stops = Run(tmp_path / "run"), 1
    while not run.finished():
        try:
            train.resume(run, stripes, checkpoint_every=1, observer=interrupted_at(stops + 1))
        except Interrupted:
            stops += 1
    assert_same_run(run, whole)


def test_a_network_that_diverged_has_no_results_though_early_stopping_kept_its_start(small, stripes, tmp_path):
    config = small.replace(patience=1, validation=20, epochs=2, tta="mirror", sweep=(("learning_rate", (0.1, 1e30)),))
    result = train.train(config, stripes, runs=tmp_path, name="run")
    assert result.diverged == (1,)
    assert result.test_accuracy.values[0] > 0.3
    assert (result.test_accuracy.values[1], result.test_loss.values[1], result.tta["accuracy"][1]) == (None, None, None)
    assert figures(result.run)["val_accuracy"].values[1] is None
    assert figures(result.run)["val_accuracy"].values[0] is not None


def test_a_network_that_diverges_after_it_was_stopped_counts_as_stopped(small, stripes, tmp_path):
    """Its best weights are kept. Both train until the other one is stopped or lost."""
    config = small.replace(patience=1, validation=20, epochs=12, learning_rate=0.1)
    config = config.replace(sweep=(("weight_decay", (100.0, 0.0)),))  # 100: weights times -9 in each step
    alone = train.train(config.networks()[0], stripes, runs=tmp_path, name="alone")
    assert alone.run.journal()[-2]["event"] == "stopped"
    both = train.train(config, stripes, runs=tmp_path, name="both")
    ts = checkpoint.newest(both.run.checkpoints)[0]
    assert ts["totals/bad_step"][0] > 0  # it diverged later
    assert both.diverged == ()
    assert both.test_accuracy.values[0] == alone.test_accuracy.mean
    assert both.train_loss.values[0] == alone.train_loss.mean  # of the epoch whose weights are selected
    assert figures(both.run)["train_loss"].values[0] == figures(alone.run)["train_loss"].mean


def test_early_stopping_does_not_return_an_untrained_start(small, stripes, tmp_path):
    """Weights lost in the first epoch's last step: no epoch improved the loss."""
    config = small.replace(patience=1, validation=20, epochs=3, batch_size=100, learning_rate=1e30, weight_decay=1e30)
    with pytest.raises(DivergedError):
        train.train(config, stripes, runs=tmp_path, name="run")
    assert Run(tmp_path / "run").status() == "diverged"


def test_networks_lost_one_after_the_other_are_all_lost(small, stripes, tmp_path):
    """The first does not count as stopped, and there is no evaluation on the test set."""
    config = small.replace(patience=1, validation=20, epochs=12, learning_rate=0.1)
    config = config.replace(sweep=(("weight_decay", (1e30, 1e4)),))
    with pytest.raises(DivergedError):
        train.train(config, stripes, runs=tmp_path, name="run")
    run = Run(tmp_path / "run")
    assert run.diverged() == {0, 1}
    assert run.evaluations() == []


def test_a_run_has_diverged_only_if_all_its_networks_have(small, stripes, tmp_path):
    config = small.replace(sweep=(("learning_rate", (1e30, 0.1)),), validation=20, epochs=1)
    run = train.train(config, stripes, runs=tmp_path, name="run").run
    lines = run.journal_file.read_text().splitlines(keepends=True)
    said = next(k for k, line in enumerate(lines) if '"diverged"' in line)
    run.journal_file.write_text("".join(lines[: said + 1]))  # as if killed before the epoch's end
    assert run.status() == "unfinished"

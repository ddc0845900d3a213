"""Networks whose numbers break: noticed wherever it happens, written down alike, and nothing good lost."""

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


@pytest.mark.parametrize(("decay", "last_good"), [(0.0, 1), (1e30, 0)])  # with it the first step breaks the weights
def test_divergence_keeps_the_last_good_checkpoint_and_says_what_and_when(small, stripes, tmp_path, decay, last_good):
    config = small.replace(learning_rate=1e30, weight_decay=decay)
    with np.errstate(all="ignore"), pytest.raises(DivergedError, match="diverged: loss not finite at step") as caught:
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
    with np.errstate(all="ignore"), pytest.raises(DivergedError):
        train.resume(run, stripes)
    assert len([line for line in run.journal() if line.get("event") == "diverged"]) == 1


def test_weights_lost_in_the_very_last_step_are_noticed(small, stripes, tmp_path):
    """No later step's loss can tell of them."""
    config = small.replace(epochs=1, batch_size=120, learning_rate=1e30, weight_decay=1e30)
    with np.errstate(all="ignore"), pytest.raises(DivergedError, match="weights not finite at step 0"):
        train.train(config, stripes, runs=tmp_path, name="run")
    run = Run(tmp_path / "run")
    assert run.status() == "diverged"
    assert [path.name for path in checkpoint.listed(run.checkpoints)] == ["step-000000000"]


def test_answers_lost_in_the_very_last_step_are_noticed(small, stripes, tmp_path):
    """The weights are finite numbers, but so large that no answer is."""
    config = small.replace(epochs=1, batch_size=120, learning_rate=1e30)
    with np.errstate(all="ignore"), pytest.raises(DivergedError, match="test loss not finite at step 0"):
        train.train(config, stripes, runs=tmp_path, name="run")
    with np.errstate(all="ignore"), pytest.raises(DivergedError, match="test loss not finite at step 0"):
        train.resume(Run(tmp_path / "run"), stripes)
    run = Run(tmp_path / "run")
    assert (run.status(), run.finished()) == ("diverged", None)


def test_one_of_several_lost_in_the_very_last_step_is_on_record(small, stripes, tmp_path):
    lost = {"sweep": (("learning_rate", (0.1, 1e30)),), "weight_decay": 1e-3, "epochs": 1, "batch_size": 100}
    with np.errstate(all="ignore"):
        result = train.train(small.replace(**lost, validation=20), stripes, runs=tmp_path, name="run")
    assert result.diverged == (1,)
    assert result.run.diverged() == {1}
    assert figures(result.run)["val_accuracy"].values[1] is None


@pytest.mark.parametrize(
    ("batch_size", "notice"), [(20, "loss not finite at step 1"), (120, "weights not finite at step 0")]
)
def test_a_gradient_that_is_not_finite_is_noticed_in_its_epoch(
    small, stripes, tmp_path, monkeypatch, batch_size, notice
):
    """By the next step's loss; and where there is none in this epoch, by the weights."""

    def broken(logits, targets):
        return cross_entropy(logits, targets) + jnp.sqrt(0 * logits[:, 0])  # a finite value, a slope that is not

    monkeypatch.setitem(steps.LOSSES, "cross_entropy", broken)
    programs._program.cache_clear()
    with np.errstate(all="ignore"), pytest.raises(DivergedError, match=notice):
        train.train(small.replace(batch_size=batch_size), stripes, runs=tmp_path, name="run")
    programs._program.cache_clear()
    epochs = Run(tmp_path / "run").epochs()
    assert [line["epoch"] for line in epochs] == []


def test_of_several_networks_the_lost_ones_are_null_and_the_others_go_on(small, stripes, tmp_path):
    config = small.replace(sweep=(("learning_rate", (0.1, 1e30)),), validation=20)
    with np.errstate(all="ignore"):
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


def test_a_lost_network_is_written_down_alike_wherever_the_run_was_stopped(
    small, stripes, tmp_path, interrupted_at, assert_same_run
):
    config = small.replace(sweep=(("learning_rate", (0.1, 1e30)),), validation=20, epochs=2)
    with np.errstate(all="ignore"):
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


def test_a_network_that_diverged_has_no_figures_though_early_stopping_kept_its_start(small, stripes, tmp_path):
    config = small.replace(patience=1, validation=20, epochs=2, tta="mirror", sweep=(("learning_rate", (0.1, 1e30)),))
    with np.errstate(all="ignore"):
        result = train.train(config, stripes, runs=tmp_path, name="run")
    assert result.diverged == (1,)
    assert result.test_accuracy.values[0] > 0.3
    assert (result.test_accuracy.values[1], result.test_loss.values[1], result.tta["accuracy"][1]) == (None, None, None)
    assert figures(result.run)["val_accuracy"].values[1] is None
    assert figures(result.run)["val_accuracy"].values[0] is not None


def test_what_becomes_of_a_network_after_it_was_stopped_is_nothing_to_it(small, stripes, tmp_path):
    """Its best weights were put aside. The other one goes on until it is stopped too, or lost."""
    config = small.replace(patience=1, validation=20, epochs=12, learning_rate=0.1)
    config = config.replace(sweep=(("weight_decay", (100.0, 0.0)),))  # 100: weights times -9 in each step
    alone = train.train(config.networks()[0], stripes, runs=tmp_path, name="alone")
    assert alone.run.journal()[-2]["event"] == "stopped"
    with np.errstate(all="ignore"):
        both = train.train(config, stripes, runs=tmp_path, name="both")
    ts = checkpoint.newest(both.run.checkpoints)[0]
    assert ts["totals/bad_step"][0] > 0  # it did break, later
    assert both.diverged == ()
    assert both.test_accuracy.values[0] == alone.test_accuracy.mean
    assert both.train_loss.values[0] == alone.train_loss.mean  # of the epoch whose weights are selected
    assert figures(both.run)["train_loss"].values[0] == figures(alone.run)["train_loss"].mean


def test_early_stopping_does_not_pass_off_an_untrained_start(small, stripes, tmp_path):
    """Weights lost in the first epoch's last step: no epoch was better than none."""
    config = small.replace(patience=1, validation=20, epochs=3, batch_size=100, learning_rate=1e30, weight_decay=1e30)
    with np.errstate(all="ignore"), pytest.raises(DivergedError):
        train.train(config, stripes, runs=tmp_path, name="run")
    assert Run(tmp_path / "run").status() == "diverged"


def test_lost_one_after_the_other_is_all_lost(small, stripes, tmp_path):
    """Not that the first, by waiting, would count as stopped; nor is the test set looked at."""
    config = small.replace(patience=1, validation=20, epochs=12, learning_rate=0.1)
    config = config.replace(sweep=(("weight_decay", (1e30, 1e4)),))
    with np.errstate(all="ignore"), pytest.raises(DivergedError):
        train.train(config, stripes, runs=tmp_path, name="run")
    run = Run(tmp_path / "run")
    assert run.diverged() == {0, 1}
    assert run.evaluations() == []


def test_a_run_has_diverged_when_all_its_networks_have(small, stripes, tmp_path):
    config = small.replace(sweep=(("learning_rate", (1e30, 0.1)),), validation=20, epochs=1)
    with np.errstate(all="ignore"):
        run = train.train(config, stripes, runs=tmp_path, name="run").run
    lines = run.journal_file.read_text().splitlines(keepends=True)
    said = next(k for k, line in enumerate(lines) if '"diverged"' in line)
    run.journal_file.write_text("".join(lines[: said + 1]))  # as if killed before the epoch's end
    assert run.status() == "unfinished"

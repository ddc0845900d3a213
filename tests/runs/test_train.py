"""Training into a run directory: stopped anywhere and resumed, it is the run that was never stopped, bit for bit."""

import itertools
import json
import os
import shutil
import time
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxquard.errors import DivergedError, RunError
from jaxquard.files import temporary
from jaxquard.nn.losses import cross_entropy
from jaxquard.runs import checkpoint, directory, journal, models, train
from jaxquard.runs.directory import Run
from jaxquard.runs.figures import figures
from jaxquard.runs.lock import locked
from jaxquard.runs.train import Interrupted, is_snapshot_epoch
from jaxquard.training import program as programs
from jaxquard.training import steps

KINDS = {
    "sgd": {},
    "stateful": {"optimizer": "adam", "learning_rate": 0.01, "dropout": 0.3, "ema": 0.9, "schedule": "one_cycle"},
    "stopped early": {"patience": 1, "validation": 20, "learning_rate": 3.0, "epochs": 6, "seeds": 2},
}
MORE_KINDS = {
    "nesterov": {"optimizer": "nesterov", "schedule": "step", "l2": 0.01},
    "sweep": {"sweep": (("learning_rate", (0.1, 0.3)), ("weight_decay", (0.0, 0.1))), "validation": 20},
    "augmented": {"flip": True, "shift": 1, "cutout": 2, "erasing": 0.3, "mixup": 0.2, "label_smoothing": 0.1},
    "normalised": {"batch_norm": True, "tta": "mirror"},
    "cnn": {
        "model": "cnn",
        "widths": (4, 4),
        "optimizer": "adamw",
        "weight_decay": 0.1,
        "ema": 0.9,
        "schedule": "cosine",
    },
}


@pytest.mark.parametrize("kind", [*KINDS, *(pytest.param(kind, marks=pytest.mark.check) for kind in MORE_KINDS)])
def test_from_every_step_a_resumed_run_is_the_run_never_stopped(
    kind, small, stripes, tmp_path, interrupted_at, assert_same_run
):
    """One run, interrupted at every one of its steps and resumed each time, against one that ran through."""
    config = small.replace(**(KINDS | MORE_KINDS)[kind])
    whole = train.train(config, stripes, runs=tmp_path, name="whole").run
    with pytest.raises(Interrupted, match="resume stopped"):
        train.train(config, stripes, runs=tmp_path, name="stopped", checkpoint_every=1, observer=interrupted_at(1))
    run, stops, result = Run(tmp_path / "stopped"), 1, None
    while result is None:
        try:
            result = train.resume(run, stripes, checkpoint_every=1, observer=interrupted_at(stops + 1))
        except Interrupted:
            stops += 1
    assert stops >= 10
    assert_same_run(run, whole)


def test_from_a_checkpoint_asked_for_in_the_middle_of_an_epoch(small, stripes, tmp_path, trained, assert_same_run):
    train.train(small, stripes, runs=tmp_path, name="run", until=2, checkpoint_every=4)
    run = Run(tmp_path / "run")
    assert [path.name for path in checkpoint.listed(run.checkpoints)] == ["step-000000008", "step-000000012"]
    shutil.rmtree(run.checkpoints / "step-000000012")  # as if it had been killed in between
    train.resume(run, stripes)
    assert_same_run(run, trained.run)
    assert [line["step"] for line in run.journal() if line.get("event") == "resumed"] == [8]


def test_until_stops_early_and_leaves_the_schedule_alone(small, stripes, tmp_path, assert_same_run):
    config = small.replace(schedule="cosine")
    whole = train.train(config, stripes, runs=tmp_path, name="whole").run
    first = train.train(config, stripes, runs=tmp_path, name="parts", until=1)
    assert first.epochs == 1
    assert first.test_accuracy is None
    assert first.run.evaluations() == []
    assert first.run.status() == "unfinished"
    train.resume(first.run, stripes, until=2)
    last = train.resume(first.run, stripes, until=99)
    assert last.epochs == 3
    assert_same_run(last.run, whole)


def test_resuming_a_finished_run_does_nothing(trained, stripes):
    before = {path: path.stat().st_mtime_ns for path in trained.run.path.rglob("*")}
    again = train.resume(trained.run, stripes)
    assert before == {path: path.stat().st_mtime_ns for path in trained.run.path.rglob("*")}
    assert (again.train_loss, again.test_loss, again.test_accuracy, again.epochs, again.parameters) == (
        trained.train_loss,
        trained.test_loss,
        trained.test_accuracy,
        3,
        trained.parameters,
    )


def test_a_damaged_checkpoint_is_named_and_the_one_before_it_used(
    small, stripes, tmp_path, trained, interrupted_at, assert_same_run
):
    with pytest.raises(Interrupted):
        train.train(small, stripes, runs=tmp_path, name="run", checkpoint_every=3, observer=interrupted_at(9))
    run = Run(tmp_path / "run")
    newest = checkpoint.listed(run.checkpoints)[-1] / checkpoint.STATE
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 4
    newest.write_bytes(data)
    warnings = []
    train.resume(run, stripes, observer=train.Observer(warn=warnings.append))
    assert len(warnings) == 1
    assert str(newest) in warnings[0]
    assert "the checkpoint before it" in warnings[0]
    assert_same_run(run, trained.run)


def test_a_finished_run_is_never_said_to_have_finished_without_its_last_checkpoint(
    trained, stripes, tmp_path, monkeypatch
):
    """The process dies when it has noticed the damage, before it has put on record that it goes on."""
    run = Run(shutil.copytree(trained.run.path, tmp_path / "run"))
    (run.checkpoints / "step-000000018" / checkpoint.STATE).write_bytes(b"")
    with monkeypatch.context() as dying:
        dying.setattr(train.journal, "append", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            train.resume(run, stripes)
    assert checkpoint.newest(run.checkpoints, run.last_step())[1]
    train.resume(run, stripes)
    assert last_state(run) == last_state(trained.run)


def test_a_finished_run_whose_last_checkpoint_is_gone_trains_it_again(trained, stripes, tmp_path):
    run = Run(shutil.copytree(trained.run.path, tmp_path / "run"))
    shutil.rmtree(run.checkpoints / "step-000000018")
    train.resume(run, stripes)
    assert last_state(run) == last_state(trained.run)


def last_state(run: Run) -> dict[str, bytes]:
    arrays, faults = checkpoint.newest(run.checkpoints, 18)
    assert faults == []
    return {name: array.tobytes() for name, array in arrays.items()}


def test_with_every_checkpoint_damaged_nothing_is_touched(small, stripes, tmp_path):
    run = train.train(small, stripes, runs=tmp_path, name="run", until=1).run
    for manifest in run.path.rglob("manifest.json"):
        manifest.write_bytes(b"{}")
    before = {path: path.stat().st_mtime_ns for path in run.checkpoints.rglob("*")}
    with pytest.raises(RunError, match="no sound checkpoint"):
        train.resume(run, stripes)
    assert before == {path: path.stat().st_mtime_ns for path in run.checkpoints.rglob("*")}


def test_leftovers_of_a_killed_process_are_swept(small, stripes, tmp_path, trained, assert_same_run):
    run = train.train(small, stripes, runs=tmp_path, name="run", until=1).run
    for folder in (run.path, run.checkpoints, run.snapshots):
        temporary(folder / "half").mkdir()
        temporary(folder / "half").write_bytes(b"half")
    with run.journal_file.open("ab") as file:
        file.write(b'{"epoch":2,"step":12,"tra')
    train.resume(run, stripes)
    assert not list(run.path.rglob(".tmp-*"))
    assert_same_run(run, trained.run)


def test_what_somebody_left_who_died_before_their_run_appeared_is_swept_by_the_next(small, stripes, tmp_path):
    young, old = temporary(tmp_path / "young"), temporary(tmp_path / "old")
    for folder, age in ((young, directory.STALE - 100), (old, directory.STALE + 100)):
        folder.mkdir()
        os.utime(folder, (0, time.time() - age))
    train.train(small, stripes, runs=tmp_path, name="run", until=1)
    assert young.exists()
    assert not old.exists()


def test_a_run_killed_between_evaluation_and_end_goes_on_to_finish(small, stripes, tmp_path, trained):
    run = train.train(small, stripes, runs=tmp_path, name="run").run
    lines = run.journal_file.read_bytes().splitlines(keepends=True)
    run.journal_file.write_bytes(b"".join(lines[:-1]))
    result = train.resume(run, stripes)
    assert result.test_accuracy == trained.test_accuracy
    assert run.finished()
    assert [line["step"] for line in run.evaluations()] == [18, 18]  # two looks, two lines
    journal.append(run.evaluations_file, run.evaluations()[-1] | {"accuracy": 0.25})
    assert figures(run)["test_accuracy"] == train.resume(run, stripes).test_accuracy == 0.25  # the last one counts


@pytest.mark.parametrize("change", [b"learning_rate = 5.0", b"learning_rate = 0.1  # the same, but touched"])
def test_a_config_changed_by_hand_is_refused(small, stripes, tmp_path, change):
    run = train.train(small, stripes, runs=tmp_path, name="run", until=1).run
    file = run.path / "config.toml"
    text = file.read_bytes()
    file.write_bytes(text.replace(b"learning_rate = 0.1", change))
    assert file.read_bytes() != text
    with pytest.raises(RunError, match=r"its config\.toml was changed"):
        train.resume(Run(run.path), stripes)
    file.write_bytes(text)
    assert train.resume(Run(run.path), stripes).test_accuracy is not None


def test_another_generator_in_the_environment_changes_nothing(small, stripes, tmp_path, trained):
    with jax.default_prng_impl("rbg"):
        run = train.train(small, stripes, runs=tmp_path, name="run", until=1).run
        result = train.resume(run, stripes)
    assert (result.test_accuracy, result.train_loss) == (trained.test_accuracy, trained.train_loss)


def test_other_data_is_refused(small, stripes, tmp_path):
    run = train.train(small, stripes, runs=tmp_path, name="run", until=1).run
    other = type(stripes)(**(vars(stripes) | {"sha256": {"x": "0"}}))
    with pytest.raises(RunError, match="other data"):
        train.resume(run, other)


def test_another_machine_is_told_that_bits_may_differ(small, stripes, tmp_path):
    run = train.train(small, stripes, runs=tmp_path, name="run", until=1).run
    environment = json.loads((run.path / "environment.json").read_bytes())
    (run.path / "environment.json").write_text(json.dumps(environment | {"jaxlib": "0.0.1", "threads": 99}))
    warnings = []
    train.resume(Run(run.path), stripes, observer=train.Observer(warn=warnings.append))
    assert [w.split(": ")[0] for w in warnings] == ["bits may differ from an uninterrupted run"] * 2
    assert "jaxlib 0.0.1" in warnings[0]
    assert "threads 99" in warnings[1]


def test_a_run_in_use_is_refused(small, stripes, tmp_path):
    run = train.train(small, stripes, runs=tmp_path, name="run", until=1).run
    with locked(run.path), pytest.raises(RunError, match="in use by process"):
        train.resume(run, stripes)


def test_a_name_already_taken_is_refused(trained, small, stripes):
    with pytest.raises(RunError, match="already there"):
        train.train(small, stripes, runs=trained.run.path.parent, name="whole")


def test_divergence_keeps_the_last_good_checkpoint_and_says_what_and_when(small, stripes, tmp_path):
    with np.errstate(all="ignore"), pytest.raises(DivergedError, match="diverged: loss not finite at step") as caught:
        train.train(small.replace(learning_rate=1e30), stripes, runs=tmp_path, name="run", checkpoint_every=1)
    run = Run(tmp_path / "run")
    assert run.status() == "diverged"
    assert caught.value.result.diverged is True  # type: ignore[attr-defined]
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
    assert result.diverged == [1]
    assert result.run.diverged() == {1}
    assert figures(result.run)["val_accuracy"]["values"][1] is None


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
    assert result.diverged == [1]
    assert result.test_accuracy[0] > 0.5
    assert [values[1] for values in (result.train_loss, result.test_loss, result.test_accuracy)] == [None, None, None]
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


def test_the_test_set_is_looked_at_once_and_that_is_written_down(trained):
    (line,) = trained.run.evaluations()
    assert (line["by"], line["split"], line["n"], line["step"]) == ("train", "test", 40, 18)
    assert line["accuracy"] == trained.test_accuracy


def test_the_figure_over_views_is_that_of_the_views(small, stripes, tmp_path):
    result = train.train(small.replace(tta="mirror"), stripes, runs=tmp_path, name="run")
    model, images = models.load_model("run", tmp_path), stripes.test_images
    said = (model.logits(images) + model.logits(images[:, :, ::-1])).argmax(axis=-1)
    assert result.tta == {"name": "mirror", "accuracy": np.mean(said == stripes.test_labels)}
    assert result.tta["accuracy"] != result.test_accuracy


def test_snapshots_grow_sparser():
    kept = [epoch for epoch in range(1, 130) if is_snapshot_epoch(epoch)]
    assert kept == [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128]


def test_a_checkpoint_comes_by_itself_when_one_is_due(small, stripes, tmp_path, monkeypatch):
    monkeypatch.setattr(train, "CHECKPOINT_SECONDS", 0.0)
    written = []
    real = checkpoint.write
    monkeypatch.setattr(
        checkpoint, "write", lambda folder, step, *rest: (written.append(step), real(folder, step, *rest))
    )
    train.train(small, stripes, runs=tmp_path)
    assert {6, 12, 18} <= set(written)


def test_the_seconds_of_an_epoch_cut_in_two_are_those_of_both_parts(small, stripes, tmp_path, interrupted_at):
    with pytest.raises(Interrupted):
        train.train(small, stripes, runs=tmp_path, name="run", checkpoint_every=1, observer=interrupted_at(3))
    run = Run(tmp_path / "run")
    assert checkpoint.seconds_into_epoch(run.checkpoints) > 0
    arrays, _ = checkpoint.newest(run.checkpoints)
    checkpoint.drop_newer(run.checkpoints, 2)
    checkpoint.write(run.checkpoints, 3, arrays, 100.0)  # the same, but as if it had taken long
    train.resume(run, stripes)
    seconds = [line["seconds"] for line in run.epochs()]
    assert seconds[0] > 100 > seconds[1]
    assert run.finished()["seconds"]["train"] == pytest.approx(sum(seconds))


@pytest.mark.parametrize(("step", "into_epoch"), [(6, 0.0), (8, 6.0)])
def test_stopped_between_two_networks_turns_it_loses_that_round_and_nothing_else(
    small, stripes, tmp_path, monkeypatch, assert_same_run, step, into_epoch
):
    clock = SimpleNamespace(perf_counter=itertools.count(0.0, 1.0).__next__)  # so that every network's turn takes 1 s
    monkeypatch.setattr("jaxquard.training.fit.time", clock)
    config, seen = small.replace(seeds=3), []
    whole = train.train(config, stripes, runs=tmp_path, name="whole").run
    observer = train.Observer(event=seen.append, should_stop=lambda: (seen[-1].kind, seen[-1].step) == ("turn", step))
    with pytest.raises(Interrupted, match=f"interrupted at step {step};"):
        train.train(config, stripes, runs=tmp_path, name="stopped", observer=observer)
    run = Run(tmp_path / "stopped")
    assert checkpoint.listed(run.checkpoints)[-1].name == checkpoint.directory_name(step)
    assert checkpoint.seconds_into_epoch(run.checkpoints) == into_epoch
    train.resume(run, stripes)
    assert_same_run(run, whole)
    assert [line["seconds"] for line in run.epochs()] == [line["seconds"] for line in whole.epochs()] == [18.0] * 3


def test_a_network_that_diverged_has_no_figures_though_early_stopping_kept_its_start(small, stripes, tmp_path):
    config = small.replace(patience=1, validation=20, epochs=2, tta="mirror", sweep=(("learning_rate", (0.1, 1e30)),))
    with np.errstate(all="ignore"):
        result = train.train(config, stripes, runs=tmp_path, name="run")
    assert result.diverged == [1]
    assert result.test_accuracy[0] > 0.3
    assert (result.test_accuracy[1], result.test_loss[1], result.tta["accuracy"][1]) == (None, None, None)
    assert figures(result.run)["val_accuracy"]["values"][1] is None
    assert figures(result.run)["val_accuracy"]["values"][0] is not None


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
    assert both.diverged == []
    assert both.test_accuracy[0] == alone.test_accuracy
    assert both.train_loss[0] == alone.train_loss  # of the epoch whose weights are judged
    assert figures(both.run)["train_loss"]["values"][0] == figures(alone.run)["train_loss"]


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

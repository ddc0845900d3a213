"""Training into a run directory: a run stopped anywhere and resumed is bit for bit one that was never stopped."""

import json
import shutil

import jax
import numpy as np
import pytest

from jaxquard.data import load
from jaxquard.errors import RunError, UsageError
from jaxquard.files import temporary
from jaxquard.runs import checkpoint, journal, keeper, models, train
from jaxquard.runs.directory import Run
from jaxquard.runs.figures import Figure, figures
from jaxquard.runs.interrupts import Interrupted
from jaxquard.runs.keeper import is_snapshot_epoch
from jaxquard.runs.lock import ask_to_stop
from jaxquard.runs.train import Observer
from jaxquard.training.evaluation import mean_over_views
from jaxquard.training.fit import Event

KINDS = {
    "sgd": {},
    "stateful": {"optimizer": "adam", "learning_rate": 0.01, "dropout": 0.3, "ema": 0.9, "schedule": "one_cycle"}
    | {"batch_norm": True, "tta": "mirror"},
    "stopped early": {"patience": 1, "validation": 20, "learning_rate": 3.0, "epochs": 6, "seeds": 2},
}
MORE_KINDS = {
    "nesterov": {"optimizer": "nesterov", "schedule": "step", "l2": 0.01},
    "sweep": {"sweep": (("learning_rate", (0.1, 0.3)), ("weight_decay", (0.0, 0.1))), "validation": 20}
    | {"optimizer": "momentum", "clip_norm": 1.0, "warmup": 1.0},
    "augmented": {"flip": True, "shift": 1, "cutout": 2, "erasing": 0.3, "mixup": 0.2, "label_smoothing": 0.1}
    | {"unaugmented_share": 0.4},
    "cnn": {
        "model": "cnn",
        "widths": (4,),
        "half_size_share": 0.4,
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
    """One run is interrupted at every step and resumed each time."""
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


def test_a_stop_file_stops_a_training(small, stripes, tmp_path, assert_same_run):
    whole = train.train(small, stripes, runs=tmp_path, name="whole").run
    ask = Observer(begin=lambda run, *_: ask_to_stop(run.path))
    with pytest.raises(Interrupted, match="interrupted at step 0; resume with: jaxquard train --resume stopped"):
        train.train(small, stripes, runs=tmp_path, name="stopped", observer=ask)
    train.resume(Run(tmp_path / "stopped"), stripes)
    assert_same_run(Run(tmp_path / "stopped"), whole)


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
    temporary(trained.run.path / "holder.json").touch()  # left by a process that was killed
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
    train.resume(run, stripes, observer=Observer(warn=warnings.append))
    assert len(warnings) == 1
    assert str(newest) in warnings[0]
    assert "the checkpoint before it" in warnings[0]
    assert_same_run(run, trained.run)


def test_a_process_that_dies_while_it_resumes_a_damaged_finished_run_loses_nothing(
    trained, stripes, tmp_path, monkeypatch
):
    """It dies before the "resumed" line is written."""
    run = Run(shutil.copytree(trained.run.path, tmp_path / "run"))
    (run.checkpoints / "step-000000018" / checkpoint.STATE).write_bytes(b"")
    with monkeypatch.context() as dying:
        dying.setattr(train.journal, "append", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            train.resume(run, stripes)
    assert checkpoint.newest(run.checkpoints, run.last_step())[1]
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


def test_leftovers_of_a_killed_process_are_removed(small, stripes, tmp_path, trained, assert_same_run):
    run = train.train(small, stripes, runs=tmp_path, name="run", until=1).run
    for folder in (run.path, run.checkpoints, run.snapshots):
        temporary(folder / "half").mkdir()
        temporary(folder / "half").write_bytes(b"half")
    with run.journal_file.open("ab") as file:
        file.write(b'{"epoch":2,"step":12,"tra')
    train.resume(run, stripes)
    assert not list(run.path.rglob(".tmp-*"))
    assert_same_run(run, trained.run)


def test_a_run_killed_between_evaluation_and_end_is_finished(small, stripes, tmp_path, trained):
    run = train.train(small, stripes, runs=tmp_path, name="run").run
    lines = run.journal_file.read_bytes().splitlines(keepends=True)
    run.journal_file.write_bytes(b"".join(lines[:-1]))
    result = train.resume(run, stripes)
    assert result.test_accuracy == trained.test_accuracy
    assert run.finished()
    assert [line["step"] for line in run.evaluations()] == [18, 18]  # two evaluations, two lines
    journal.append(run.evaluations_file, run.evaluations()[-1] | {"accuracy": [0.25]})
    assert (
        figures(run)["test_accuracy"] == train.resume(run, stripes).test_accuracy == Figure((0.25,))
    )  # the last one counts


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


def test_a_run_removed_while_it_trains_does_not_come_back(small, stripes, tmp_path):
    def remove(event: Event) -> None:
        if event.kind == "epoch":
            shutil.rmtree(tmp_path / "run", ignore_errors=True)

    with pytest.raises(RunError, match="run: was removed during training"):
        train.train(small, stripes, runs=tmp_path, name="run", observer=Observer(event=remove))
    assert {path.name for path in tmp_path.rglob("*")} <= {"run", "lock"}  # Windows keeps the open lock


def test_on_another_machine_a_warning_says_that_bits_may_differ(small, stripes, tmp_path):
    run = train.train(small, stripes, runs=tmp_path, name="run", until=1).run
    environment = json.loads((run.path / "environment.json").read_bytes())
    (run.path / "environment.json").write_text(json.dumps(environment | {"jaxlib": "0.0.1", "threads": 99}))
    warnings = []
    train.resume(Run(run.path), stripes, observer=Observer(warn=warnings.append))
    assert [w.split(": ")[0] for w in warnings] == ["bits may differ from an uninterrupted run"] * 2
    assert "jaxlib 0.0.1" in warnings[0]
    assert "threads 99" in warnings[1]


def test_notes_on_the_data_come_before_training(small, tmp_path):
    images, labels = np.random.default_rng(0).integers(0, 2, (160, 6, 6), np.uint8), 1 + np.arange(160) % 3
    np.savez(tmp_path / "dim.npz", images=images, labels=labels)
    said: list[str] = []
    observer = Observer(begin=lambda *_: said.append("begin"), warn=said.append, read=said.append)
    run = train.train(small.replace(epochs=1), load(tmp_path / "dim.npz"), runs=tmp_path, observer=observer).run
    assert [line.partition("; ")[0] for line in said] == [
        "dim: 133 images for training, 27 for testing, of 6×6",
        "note: dim: 1 of 4 classes without training images: 0",
        "note: dim: pixels from 0 to 1: scaled to 0 to 255, the range of pictures",
        "begin",
    ]
    model, asked = models.load_model(run.id, tmp_path), images[..., np.newaxis]
    np.testing.assert_array_equal(model.logits(asked), model.logits(asked * np.uint8(255)))  # as in pictures
    with pytest.raises(UsageError, match="not float64"):
        model.logits(asked / 1)


def test_the_test_set_is_evaluated_once_and_that_is_recorded(trained):
    (line,) = trained.run.evaluations()
    assert (line["by"], line["split"], line["n"], line["step"]) == ("train", "test", 40, 18)
    assert tuple(line["accuracy"]) == trained.test_accuracy.values


def test_the_accuracy_with_augmentation_is_that_of_the_mean_over_views(small, stripes, tmp_path):
    found = {}
    for name in ("mirror", "mirror_and_shift"):
        result = train.train(small.replace(tta=name, learning_rate=0.01), stripes, runs=tmp_path, name=name)
        said = mean_over_views(models.load_model(name, tmp_path).logits, stripes.test_images, name).argmax(axis=-1)
        assert result.tta == {"name": name, "accuracy": [np.mean(said == stripes.test_labels)]}
        found[result.tta["accuracy"][0]] = found[result.test_accuracy.mean] = name
    assert len(found) == 3  # the views give different accuracies


def test_snapshots_become_rarer():
    kept = [epoch for epoch in range(1, 130) if is_snapshot_epoch(epoch)]
    assert kept == [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128]


def test_a_checkpoint_is_written_when_one_is_due(small, stripes, tmp_path, monkeypatch):
    monkeypatch.setattr(keeper, "CHECKPOINT_SECONDS", 0.0)
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
def test_stopped_between_two_networks_turns_it_loses_only_that_round(
    small, stripes, tmp_path, every_turn_takes, assert_same_run, step, into_epoch
):
    every_turn_takes(1.0)
    config, seen = small.replace(seeds=3), []
    whole = train.train(config, stripes, runs=tmp_path, name="whole").run
    observer = Observer(event=seen.append, should_stop=lambda: (seen[-1].kind, seen[-1].step) == ("turn", step))
    with pytest.raises(Interrupted, match=f"interrupted at step {step};"):
        train.train(config, stripes, runs=tmp_path, name="stopped", observer=observer)
    run = Run(tmp_path / "stopped")
    assert checkpoint.listed(run.checkpoints)[-1].name == checkpoint.directory_name(step)
    assert checkpoint.seconds_into_epoch(run.checkpoints) == into_epoch
    train.resume(run, stripes)
    assert_same_run(run, whole)
    assert [line["seconds"] for line in run.epochs()] == [line["seconds"] for line in whole.epochs()] == [18.0] * 3

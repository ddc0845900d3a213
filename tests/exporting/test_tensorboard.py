"""Event files are read back by TensorBoard's own reader."""

import math
import shutil

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

import jaxquard
from jaxquard.errors import RunError
from jaxquard.runs.directory import Run

HPARAMS = ("_hparams_/session_start_info", "_hparams_/experiment")


def exported(run: Run, k: int) -> EventAccumulator:
    """What TensorBoard reads of network k."""
    folder = jaxquard.export(run.path, to="tensorboard", overwrite=True).file
    assert sorted(path.name for path in folder.iterdir()) == ["three@0", "three@1", "three@2"]
    return EventAccumulator(str(folder / f"three@{k}")).Reload()


def test_scalars_and_settings_are_those_of_the_run(root):
    run = Run(root / "three")
    found = exported(run, 1)
    lines, (tested,) = run.epochs(), run.evaluations()
    assert {"val_loss", "grad_norm/0", "grad_norm/2", "dead/1", "seconds"} < set(found.Tags()["scalars"])
    for tag, *expected in (
        ("val_loss", *(line["val_loss"][1] for line in lines)),
        ("grad_norm/2", *(line["grad_norm"]["2"][1] for line in lines)),
        ("seconds", *(line["seconds"] for line in lines)),
        ("test_accuracy", tested["accuracy"][1]),
    ):
        events = found.Scalars(tag)
        assert [event.value for event in events] == pytest.approx(expected)
        assert [event.step for event in events] == [line["step"] for line in lines][-len(expected) :]
    times = [event.wall_time for event in found.Scalars("val_loss")]
    assert times == pytest.approx([run.started + sum(line["seconds"] for line in lines[:n]) for n in (1, 2)])
    contents = {tag: found.SummaryMetadata(tag).plugin_data.content for tag in HPARAMS}
    about = {tag: HParamsPluginData.FromString(content) for tag, content in contents.items()}
    assert contents == {tag: one.SerializeToString(deterministic=True) for tag, one in about.items()}  # the same bytes
    settings = about[HPARAMS[0]].session_start_info.hparams
    assert (settings["hidden"].string_value, settings["seed"].number_value) == ("5 4", 1)
    assert {info.name.tag for info in about[HPARAMS[1]].experiment.metric_infos} == set(found.Tags()["scalars"])


def test_the_journal_of_a_diverged_network_is_exported_and_a_damaged_one_is_refused(root):
    copied = Run(shutil.copytree(root / "three", "three"))
    text = copied.journal_file.read_text(encoding="utf-8")
    loss = copied.epochs()[-1]["train_loss"]
    copied.journal_file.write_text(text.replace(str(loss[1]), "null"), encoding="utf-8")
    assert math.isnan(exported(copied, 1).Scalars("train_loss")[-1].value)
    for damaged in (
        '"accuracy": [0.5], "loss": [0.5]',
        '"accuracy": [0.5, 0.5, 0.5]',
        '"accuracy": null, "loss": [0, 0, 0]',
    ):
        copied.evaluations_file.write_text(f'{{"by": "train", {damaged}}}\n', encoding="utf-8")
        with pytest.raises(RunError, match=r"three.evaluations\.jsonl: has no figures of network [01]"):
            jaxquard.export(copied.path, to="tensorboard", overwrite=True)

"""The rules of the speedrun: what a record is, what a run reads, and that every track runs."""

import json
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from benchmarks import report
from benchmarks.process import ROOT, Outcome
from benchmarks.speedrun import record
from benchmarks.speedrun.__main__ import FILE, PAGE, SEEDS, summary, table
from jaxquard.data.idx import header

TRACK = record.TRACKS["85.9"]._replace(seconds=300)


def judged(accuracies, seconds=1.0) -> dict:
    return summary(TRACK, [Outcome(seconds, 1.0, {"accuracy": accuracy}) for accuracy in accuracies])


@pytest.mark.parametrize(
    ("accuracies", "seconds", "is_record", "in_time"),
    [
        ([0.859] * SEEDS, TRACK.seconds, True, True),  # the limits themselves count
        ([0.849, 0.869] * 5, TRACK.seconds + 0.01, True, False),
        ([0.86] * (SEEDS - 1), 1.0, False, False),  # too few seeds
        ([0.86] * 8 + [0.85, 0.8589], 1.0, False, False),  # the mean is 0.85889
    ],
)
def test_a_record_has_ten_seeds_and_a_mean_that_reaches_the_accuracy(accuracies, seconds, is_record, in_time):
    found = judged(accuracies, seconds)
    assert (found["record"], found["in_time"]) == (is_record, in_time)


def test_the_interval_of_the_mean_is_students():
    accuracy = judged([0.85, 0.86, 0.87])["accuracy"]
    assert accuracy["mean"] == pytest.approx(0.86)
    assert accuracy["interval"] == pytest.approx(4.302653 * 0.01 / 3**0.5)  # t of 2 degrees of freedom, 95 %


def test_the_page_is_drawn_from_the_results():
    page, results = PAGE.read_text(encoding="utf-8"), json.loads(FILE.read_text(encoding="utf-8"))
    assert report.replace_section(page, "speedrun", table(results)) == page


def write(folder: Path, name: str, images: np.ndarray, labels: np.ndarray) -> None:
    """A part's two IDX files."""
    folder.mkdir(exist_ok=True)
    for kind, values in (("images-idx3", images[..., 0]), ("labels-idx1", labels.astype(np.uint8))):
        (folder / f"{name}-{kind}-ubyte").write_bytes(header(values.shape) + values.tobytes())


@pytest.mark.parametrize("track", record.TRACKS.values(), ids=list(record.TRACKS))
def test_training_begins_as_the_package_would(track):
    """Arrays as of `Model.init`, and zeros as an optimiser's first state."""

    def forms(tree):
        return jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), tree)

    params, state = record.initialize(np.random.default_rng(0), track.network)
    assert forms((params, state)) == forms(jax.eval_shape(track.network.init, jax.random.key(0)))
    first = record.make_optimizer(track, 0.0).init(params)
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(first))


def test_a_run_that_chooses_does_not_open_the_test_files(clothes, tmp_path, monkeypatch):
    write(tmp_path, "train", clothes.train_images, clothes.train_labels)
    monkeypatch.setattr(record, "HELD_OUT", 500)
    data = record.read(tmp_path, held_out=True)
    assert (data.images == clothes.train_images[:1500]).all()
    assert (data.test_labels == clothes.train_labels[1500:]).all()


@pytest.mark.check
def test_every_track_runs_whole_on_a_few_images(clothes, tmp_path):
    write(tmp_path / "data", "train", clothes.train_images[:1600], clothes.train_labels[:1600])
    write(tmp_path / "data", "t10k", clothes.train_images[1600:], clothes.train_labels[1600:])
    results = tmp_path / "results.json"
    command = [sys.executable, "-m", "benchmarks.speedrun", "--seeds", "2"]
    subprocess.run([*command, "--data", tmp_path / "data", "--results", results], check=True, cwd=ROOT)
    found = json.loads(results.read_text(encoding="utf-8"))
    assert found.keys() == record.TRACKS.keys()
    for one in found.values():
        assert min(one["accuracy"]["values"]) > 0.5
        assert not one["record"]

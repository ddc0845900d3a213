"""Charts of several runs: which figures of a run are in them, and how many points."""

from itertools import pairwise

import pytest

from jaxquard.runs import journal
from jaxquard.runs.directory import Run
from jaxquard.studio import charts


def line(epoch: int, **figures: object) -> dict:
    return {"epoch": epoch, "step": epoch, **figures}


def test_runs_without_a_complete_epoch_have_no_charts():
    assert charts.of_runs({"a": [], "b": []}) == []
    assert [one["name"] for one in charts.of_runs({"a": [line(1, train_loss=[0.5])], "b": []})] == ["loss"]


def test_only_chosen_networks_have_figures_and_only_until_they_diverged(tmp_path):
    run = Run(tmp_path)
    lost = {"event": "diverged", "step": 2, "network": 1}
    for said in (line(1, loss=[5, 6, 7], dead={"0": [0.1]}), lost, line(2, loss=[3, 1, 8])):
        journal.append(run.journal_file, said, new=True)
    first, second = charts.lines_of(run, [0, 1])
    assert (first, second) == (line(1, loss=[5, 6], dead={"0": [0.1]}), line(2, loss=[3, None]))


@pytest.mark.parametrize("count", [0, 1, 399, 400, 401, 799, 801, 5000])
def test_long_runs_are_thinned_evenly_and_keep_the_last_epoch(count):
    kept = charts.thinned([line(k) for k in range(1, count + 1)])
    epochs = [one["epoch"] for one in kept]
    assert len(epochs) <= charts.MOST
    assert epochs[-1:] == ([count] if count else [])
    assert len({b - a for a, b in pairwise(epochs)}) <= 1


def test_a_sweep_is_grouped_by_setting_and_at_most_a_dozen_are_drawn():
    rows = [{"settings": {"l2": k, "seed": 1}, "networks": [f"run@{2 * k}", f"run@{2 * k + 1}"]} for k in range(20)]
    groups = charts.groups_of(rows[::-1])  # best first
    assert [group["networks"] for group in groups] == [[2 * k, 2 * k + 1] for k in range(8, 20)]
    assert groups[0]["label"] == "l2 8, seed 1"

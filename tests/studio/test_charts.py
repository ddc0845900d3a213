"""Charts of runs: one for each figure in a journal, by layer, with bands, and limited in size."""

from itertools import pairwise

import pytest

from jaxquard.runs import journal
from jaxquard.runs.directory import Run
from jaxquard.studio import charts


def line(epoch: int, **figures: object) -> dict:
    return {"epoch": epoch, "step": epoch, **figures}


def of_layers(epochs):
    return charts.of_layers({"run": epochs}, "dead", "share", "t", False)


def test_each_figure_has_a_chart(get):
    found = get("/api/runs/slow/charts")["charts"]
    assert [one["name"] for one in found] == ["accuracy", "loss", "gradients", "updates", "dead"]
    for one in found:
        assert one["spec"]["$schema"].startswith("https://vega.github.io/schema/vega-lite/")
        assert one["sentence"].startswith("Line chart: ")
        assert all(len(row) == len(one["table"]["columns"]) for row in one["table"]["rows"])


def test_a_run_without_a_complete_epoch_has_no_charts():
    assert charts.of_run([]) == []
    assert [one["name"] for one in charts.of_run([line(1, train_loss=[0.5])])] == ["loss"]


def test_layers_are_numbered_from_one_and_networks_make_a_band():
    chart = of_layers([line(1, dead={"0": [0.1, None, 0.3], "1": [0.5]})])
    first, second = chart.table
    assert (first["layer"], second["layer"]) == ("layer 1", "layer 2")
    assert [first[key] for key in ("share", "low", "high")] == pytest.approx([20, 10, 30])
    assert second["share"] == 50


def test_a_diverged_network_has_no_figures_after_it_diverged(tmp_path):
    run, sound = Run(tmp_path), line(1, val_accuracy=[0.5, 0.6], dead={"0": [0.1, 0.2]})
    lost = line(2, val_accuracy=[0.7, 0.1], dead={"0": [0.3, 1.0]})
    for said in (sound, {"event": "diverged", "step": 2, "network": 1}, lost):
        journal.append(run.journal_file, said, new=True)
    assert charts.lines_of(run) == [sound, line(2, val_accuracy=[0.7, None], dead={"0": [0.3, None]})]


def test_a_gap_remains_if_all_networks_diverged():
    chart = of_layers([line(1, dead={"0": [0.0]}), line(2, dead={"0": [None, None]})])
    assert [row["share"] for row in chart.table] == [0.0, None]


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
    assert charts.of_networks({"step": 1, "loss": [1, 2, None], "dead": {"0": [3, 4, 5]}}, [0, 2]) == {
        "step": 1,
        "loss": [1, None],
        "dead": {"0": [3, 5]},
    }


def test_a_sweep_draws_only_the_first_layer_for_each_setting():
    lines = [line(k, val_loss=[0.1, 0.2, 0.4], grad_norm={"0": [1, 2, 4], "1": [9, 9, 9]}) for k in (1, 2)]
    groups = [{"label": "l2 0", "networks": [0]}, {"label": "l2 1", "networks": [1, 2]}]
    loss, gradients = charts.of_run(lines, groups)
    assert [row[:3] for row in loss["table"]["rows"]][:1] == [["l2 0: validation", 1, 0.1]]
    assert {tuple(row) for row in gradients["table"]["rows"] if row[1] == 2} == {
        ("l2 0", 2, 1, 1, 1),
        ("l2 1", 2, 3, 2, 4),
    }
    assert " ".join(gradients["spec"]["title"]["text"]) == "How large the gradient is in the first layer"

"""Charts of runs: what a journal has figures for, by layer, with bands, and not more than can be seen."""

from itertools import pairwise

import pytest

from jaxquard.studio import curves


def line(epoch: int, **figures: object) -> dict:
    return {"epoch": epoch, "step": epoch, **figures}


def test_a_chart_for_each_figure_that_there_is(get):
    found = get("/api/runs/slow/charts")["charts"]
    assert [one["name"] for one in found] == ["accuracy", "loss", "gradients", "updates", "dead"]
    for one in found:
        assert one["spec"]["$schema"].startswith("https://vega.github.io/schema/vega-lite/")
        assert one["sentence"].startswith("Line chart: ")
        assert all(len(row) == len(one["table"]["columns"]) for row in one["table"]["rows"])


def test_a_run_that_has_not_ended_an_epoch_has_no_charts():
    assert curves.of_run([]) == []
    assert [one["name"] for one in curves.of_run([line(1, train_loss=0.5)])] == ["loss"]


def test_layers_are_numbered_from_one_and_networks_make_a_band():
    chart = curves.by_layer([line(1, dead={"0": [0.1, None, 0.3], "1": 0.5})], "dead", "share", "t", log=False)
    first, second = chart.table
    assert (first["layer"], second["layer"]) == ("layer 1", "layer 2")
    assert [first[key] for key in ("share", "low", "high")] == pytest.approx([20, 10, 30])
    assert second["share"] == 50


def test_networks_that_are_all_lost_leave_a_gap():
    chart = curves.by_layer(
        [line(1, dead={"0": 0.0}), line(2, dead={"0": [None, None]})], "dead", "share", "t", log=False
    )
    assert [row["share"] for row in chart.table] == [0.0, None]


@pytest.mark.parametrize("count", [0, 1, 399, 400, 401, 799, 801, 5000])
def test_long_runs_are_thinned_evenly_to_the_last_epoch(count):
    kept = curves.thinned([line(k) for k in range(1, count + 1)])
    epochs = [one["epoch"] for one in kept]
    assert len(epochs) <= curves.MOST
    assert epochs[-1:] == ([count] if count else [])
    assert len({b - a for a, b in pairwise(epochs)}) <= 1

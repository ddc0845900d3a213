"""Means and bands of a journal, computed by hand, and the texts about them."""

import math

import pytest

from jaxquard.charts import learning_curves


def record(epoch, train, val=None):
    return {"epoch": epoch, "train_accuracy": train, "val_accuracy": val, "train_loss": train, "val_loss": val}


def test_mean_and_range_of_several_networks_in_per_cent():
    chart = learning_curves({"run": [record(1, [0.5, 0.6, 0.7])]})
    (row,) = chart.table
    assert row == {
        "series": "training",
        "epoch": 1,
        "accuracy (%)": pytest.approx(60),
        "low": pytest.approx(50),
        "high": pytest.approx(70),
    }
    assert "Mean of 3 networks; band: from the lowest to the highest." in chart.subtitle


def test_one_network_has_no_band():
    chart = learning_curves({"run": [record(1, [0.5], [0.6]), record(2, [0.6], [0.7])]})
    assert list(chart.table[0]) == ["series", "epoch", "accuracy (%)"]
    assert chart.subtitle == "One network."


def test_events_and_epochs_without_validation_are_skipped():
    chart = learning_curves({"run": [{"event": "resumed"}, record(1, [0.5]), record(2, [0.6], [0.7])]})
    assert [(r["series"], r["epoch"]) for r in chart.table] == [("validation", 2), ("training", 1), ("training", 2)]


def test_a_diverged_network_is_left_out_and_counted():
    chart = learning_curves(
        {"run": [record(1, [1.0, 2.0]), record(2, [1.0, math.nan]), record(3, [1.0, None])]}, metric="loss"
    )
    assert [row["loss (cross-entropy)"] for row in chart.table] == [1.5, 1.0, 1.0]
    assert "1 of 2 not finite" in chart.subtitle


def test_several_runs_share_a_dash_for_each_split_and_are_named_once():
    chart = learning_curves({"a": [record(1, [0.5], [0.6])], "b": [record(1, [0.7])]})
    line = next(layer for layer in chart.view["layer"] if layer["mark"]["type"] == "line")
    dash = line["encoding"]["strokeDash"]["scale"]
    dashes = dict(zip(dash["domain"], dash["range"], strict=True))
    assert dashes["a: training"] == dashes["b: training"] != dashes["a: validation"]
    labels = [row["label"] for row in chart.view["layer"][-1]["data"]["values"]]
    assert sorted(labels) == ["a 60.0 %", "b 70.0 %"]

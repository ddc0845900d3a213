"""Means and intervals of the dot plot."""

import math

import pytest

from jaxquard.charts import dot_plot


def test_mean_and_standard_deviation_by_hand():
    (row,) = dot_plot([{"name": "a", "values": [1, 2, 6]}], title="T", x_title="s").table
    std = math.sqrt((4 + 1 + 9) / 2)
    assert row == {"name": "a", "mean s": 3, "low": pytest.approx(3 - std), "high": pytest.approx(3 + std), "n": 3}


def test_a_given_interval_is_kept_and_named():
    rows = [{"name": "a", "values": [1, 3], "low": -1, "high": 5}]
    chart = dot_plot(rows, title="T", x_title="s", interval="Bar: 99 % interval.")
    assert (chart.table[0]["low"], chart.table[0]["high"]) == (-1, 5)
    assert chart.subtitle.endswith("(n = 2). Bar: 99 % interval.")


def test_single_values_claim_no_interval():
    chart = dot_plot([{"name": "a", "values": [1]}, {"name": "b", "values": [2]}], title="T", x_title="s", zero=True)
    assert chart.subtitle == "One value each."
    assert chart.view["layer"][0]["encoding"]["x"]["scale"]["domain"][0] == 0

"""Gaps, logarithms, and labels that do not overlap."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxquard.charts import lines
from jaxquard.charts.lines import spread


def drawn(chart, kind):
    return next(layer for layer in chart.view["layer"] if layer["mark"]["type"] == kind)["data"]["values"]


def test_a_value_that_is_not_finite_is_a_gap():
    rows = [{"x": 1, "y": 1.0}, {"x": 2, "y": math.inf}, {"x": 3, "y": None}, {"x": 4, "y": 2.0}]
    chart = lines(rows, "x", "y", title="T", subtitle="S")
    assert [p["y"] for p in drawn(chart, "line")] == [1.0, None, None, 2.0]


def test_a_logarithmic_axis_leaves_out_zero():
    rows = [{"x": 0, "y": 1.0}, {"x": 1, "y": 0.0}, {"x": 10, "y": 5.0}]
    chart = lines(rows, "x", "y", log_x=True, log_y=True, title="T", subtitle="S")
    assert [(p["x"], p["y"]) for p in drawn(chart, "line")] == [(1.0, None), (10.0, 5.0)]


@pytest.mark.parametrize(("last", "ticks"), [(2, [1, 2]), (4, [1, 2, 3, 4]), (40, None)])
def test_a_few_epochs_have_a_tick_each(last: int, ticks: list[int] | None):
    chart = lines([{"x": x, "y": 1.0} for x in range(1, last + 1)], "x", "y", title="T", subtitle="S")
    axis = chart.view["encoding"]["x"]["axis"]
    assert axis.get("values") == ticks
    assert axis["format"] == "d"


def test_the_axis_holds_the_band():
    rows = [{"x": 0, "y": 5.0, "low": 4.0, "high": 6.0}, {"x": 1, "y": 5.0, "low": 3.0, "high": 7.0}]
    chart = lines(rows, "x", "y", band=("low", "high"), title="T", subtitle="S")
    low, high = chart.view["encoding"]["y"]["scale"]["domain"]
    assert low < 3 < 7 < high
    assert [(p["low"], p["high"]) for p in drawn(chart, "area")] == [(4, 6), (3, 7)]


def test_an_accuracy_of_100_percent_has_no_axis_above_it():
    chart = lines([{"x": x, "y": 100.0} for x in (1, 2)], "x", "y", title="T", subtitle="S")
    assert chart.view["encoding"]["y"]["scale"]["domain"] == [90, 100]


def test_the_description_has_ends_and_peak():
    rows = [{"x": x, "y": y, "who": "net"} for x, y in ((0, 1.0), (1, 5.0), (2, 3.0))]
    chart = lines(rows, "x", "y", series="who", x_title="step", title="T", subtitle="S")
    assert chart.description == "Line chart: y by step. net: 1 at step 0, 5 at step 1, 3 at step 2."


def test_lines_that_end_together_get_labels_apart():
    rows = [{"x": 1, "y": y, "who": who} for who, y in (("a", 0.50), ("b", 0.501), ("c", 1.0))]
    chart = lines(rows, "x", "y", series="who", title="T", subtitle="S", height=320)
    layer = chart.view["layer"][-1]
    low, high = chart.view["encoding"]["y"]["scale"]["domain"]
    pixels = sorted((row["y"] - low) / (high - low) * 320 for row in layer["data"]["values"])
    assert pixels[1] - pixels[0] == pytest.approx(16)


def test_spread_keeps_the_middle_of_a_crowd():
    assert spread([0.0, 0.0, 10.0], 1.0) == [-0.5, 0.5, 10.0]
    assert spread([0.0, 0.0, 0.1, 10.0], 1.0, least=-0.25) == [-0.25, 0.75, 1.75, 10.0]


@given(st.lists(st.floats(-1e3, 1e3), max_size=12), st.floats(0.01, 100))
def test_spread_keeps_distance_and_order(positions, gap):
    placed = spread(positions, gap)
    order = sorted(range(len(positions)), key=lambda i: positions[i])
    steps = [placed[b] - placed[a] for a, b in itertools.pairwise(order)]
    assert all(step >= gap - 1e-6 for step in steps)
    assert sum(placed) == pytest.approx(sum(positions), abs=1e-6)


@pytest.mark.parametrize("log", [False, True])
def test_a_single_point_has_an_axis_with_a_width(log):
    (x, y), value = ("epoch", "loss"), 0.1 + 0.2
    rows = [{x: 3, y: value, "run": "a"}, {x: 3, y: 0.3, "run": "b"}]  # they differ by rounding
    view = lines(rows, x, y, title="t", subtitle="", series="run", log_x=log, log_y=log).view
    low, high = view["encoding"]["x"]["scale"]["domain"]
    assert low <= 2.5 < 3.5 <= high
    low, high = view["encoding"]["y"]["scale"]["domain"]
    assert high / value > 1.05
    assert low / value < 0.95

"""Medians, verdicts and the best peer follow from the figures."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.rows import Bound, Row, Spread, ahead_of_each


def spread(median: float) -> Spread:
    return Spread.of([median])


def test_a_spread_is_the_median_between_its_extremes():
    assert Spread.of([3.0, 1.0, 9.0, 2.0]) == Spread(2.5, 1.0, 9.0, 4)
    assert Spread.of([3.0, 1.0, 9.0]).times(2) == Spread(6.0, 2.0, 18.0, 3)


def test_a_row_without_bounds_only_reports():
    assert Row("m", "s", spread(1), {"peer": spread(2)}).holds is None


@pytest.mark.parametrize(("ours", "holds"), [(0.99, True), (1.0, True), (1.01, False)])
def test_less_is_better_and_the_limit_itself_counts(ours, holds):
    assert Row("m", "s", spread(ours), bounds=(Bound("≤ 1 s", 1.0),)).holds is holds


@pytest.mark.parametrize(("ours", "holds"), [(99.0, False), (100.0, True), (101.0, True)])
def test_more_is_better_where_the_row_says_so(ours, holds):
    row = Row("m", "images/s", spread(ours), bounds=(Bound("≥ 100", 100.0),), more_is_better=True)
    assert row.holds is holds


def test_every_bound_must_be_kept():
    kept, missed = Bound("≤ 2 s", 2.0), Bound("≤ 1 s", 1.0)
    assert Row("m", "s", spread(1.5), bounds=(kept, missed)).holds is False
    assert [g["holds"] for g in Row("m", "s", spread(1.5), bounds=(kept, missed)).summary({}, "")["goal"]] == [
        True,
        False,
    ]


def test_the_best_peer_is_the_one_hardest_to_beat():
    peers = {"slow": spread(2.0), "fast": spread(1.0)}
    assert Row("m", "s", spread(3), peers).best_peer == "fast"
    assert Row("m", "images/s", spread(3), peers, more_is_better=True).best_peer == "slow"
    assert Row("m", "s", spread(3)).best_peer is None
    assert ahead_of_each(peers).limit == 1.0


@given(st.floats(0.01, 100), st.lists(st.floats(0.01, 100), min_size=1, max_size=5))
def test_ahead_of_every_peer_means_of_each(ours, others):
    peers = {str(k): spread(value) for k, value in enumerate(others)}
    row = Row("m", "s", spread(ours), peers, (ahead_of_each(peers),))
    assert row.holds == all(ours <= value for value in others)


def test_the_summary_is_json_with_the_promised_keys():
    peers = {"peer": Spread.of([2.0, 3.0, 4.0])}
    row = Row("epoch", "s", spread(1), peers, (ahead_of_each(peers),))
    summary = json.loads(json.dumps(row.summary({"cores": 2}, "2026-01-31")))
    assert {"measure", "ours", "best_peer", "peers", "goal", "holds", "machine", "date"} <= summary.keys()
    assert summary["peers"]["peer"] == {"median": 3.0, "min": 2.0, "max": 4.0, "n": 3}
    assert (summary["holds"], summary["date"], summary["machine"]) == (True, "2026-01-31", {"cores": 2})

"""The page's tables are written from the JSON."""

import json

import pytest

from benchmarks import growth, report
from benchmarks.bench import MEASURES, PAGE, RESULTS, path, read
from benchmarks.rows import Bound, Row, Spread

MACHINE = {
    "processor": "a processor",
    "cores": 2,
    "system": "Linux x86_64",
    "python": "3.11",
    "versions": {"jax": "0.10.1"},
}


def summary(**changes) -> dict:
    """A row of summary.json."""
    peers = {"PyTorch": Spread(0.6, 0.5, 0.7, 5), "Keras": Spread(0.9, 0.8, 1.0, 5), "NumPy": Spread(2, 2, 2, 5)}
    row = {"measure": "an epoch", "unit": "s", "ours": Spread(0.25, 0.2, 0.3, 5), "peers": peers} | changes
    return Row(**row).summary(MACHINE, "2026-01-31")


@pytest.mark.parametrize(
    ("value", "text"), [(0.24449, "0.244"), (3.0, "3"), (99.94, "99.9"), (100.4, "100"), (14321.0, "14,321")]
)
def test_numbers_have_three_digits_or_grouped_thousands(value, text):
    assert report.number(value) == text


def test_a_line_names_the_figure_the_best_peer_the_goal_and_the_verdict():
    line = report.verdicts([summary(bounds=(Bound("≤ 1/2 of the fastest PyTorch", 0.3),))]).splitlines()[2]
    assert line == (
        "| an epoch | s | 0.25 (0.2–0.3) | PyTorch: 0.6 (0.5–0.7) | ≤ 1/2 of the fastest PyTorch (≤ 0.3) | yes |"
    )


def test_figures_of_the_newest_jax_stand_in_columns_of_their_own(monkeypatch):
    monkeypatch.setitem(MACHINE, "newest", {"python": "3.14", "jax": "0.12.0"})
    bounds = (Bound("≤ 0.3 s", 0.3),)
    newest = Row("an epoch", "s", Spread(0.4, 0.4, 0.4, 5), bounds=bounds)
    rows = [summary(bounds=bounds, newest=newest), summary(measure="only once")]
    head, _, first, second = report.verdicts(rows).splitlines()
    assert head.endswith("| holds | jax 0.12.0 | holds |")
    assert first.endswith("| yes | 0.4 (0.4–0.4) | **no** |")
    assert second.endswith("| – | – | – |")
    assert "Also with Python 3.14 and jax 0.12.0." in report.section(rows)


@pytest.mark.parametrize(("bounds", "verdict"), [((Bound("≤ 0.2 s", 0.2),), "**no**"), ((), "–")])
def test_a_goal_missed_and_a_row_that_only_reports(bounds, verdict):
    assert report.verdicts([summary(bounds=bounds)]).endswith(f"| {verdict} |")


def test_a_goal_that_names_its_figure_does_not_repeat_it():
    assert report.goals(summary(bounds=(Bound("≤ 0.2 s", 0.2),))) == "≤ 0.2 s"


def test_every_line_of_a_table_has_as_many_cells():
    rows = [summary(), summary(measure="memory", unit="MB", peers={}), summary(measure="script")]
    for table in (report.verdicts(rows), report.everyone(rows)):
        assert len({line.count("|") for line in table.splitlines()}) == 1


def test_the_table_of_systems_has_every_peer_and_no_measure_without_them():
    table = report.everyone([summary(), summary(measure="help", peers={})])
    systems = [line.split(" | ")[0] for line in table.splitlines()[2:]]
    assert systems == ["| Jaxquard", "| PyTorch", "| Keras", "| NumPy"]
    assert "help" not in table


def test_only_what_stands_between_the_markers_is_replaced():
    first, last = report.markers("growth")
    page = f"before\n{first}\nold\n{last}\nafter\n"
    once = report.replace_section(page, "growth", "new")
    assert once == f"before\n{first}\n\nnew\n\n{last}\nafter\n"
    assert report.replace_section(once, "growth", "new") == once


@pytest.mark.parametrize("order", [(), (0,), (1,), (1, 0)])
def test_a_page_without_markers_is_left_alone(order):
    page = "\n".join(report.markers("growth")[i] for i in order)
    with pytest.raises(ValueError, match="no place to go"):
        report.replace_section(page, "growth", "new")


def test_a_section_leaves_the_other_one_alone():
    page = "\n".join([*report.markers("measures"), *report.markers("growth")])
    changed = report.replace_section(page, "growth", "new")
    assert changed.index("new") > changed.index(report.markers("growth")[0])


def test_the_section_says_when_and_where_it_was_measured():
    text = report.section([summary()])
    assert "2026-01-31" in text
    assert "a processor, 2 cores" in text
    assert "jax 0.10.1" in text


def test_the_page_in_the_docs_is_drawn_from_the_results():
    page = PAGE.read_text(encoding="utf-8")
    rows = [row for name in MEASURES for row in read(path(RESULTS, name))]
    assert rows == read(RESULTS / "summary.json")
    assert report.replace_section(page, "measures", report.section(rows)) == page
    curves = json.loads((RESULTS / "growth.json").read_text(encoding="utf-8"))["curves"]
    assert report.replace_section(page, "growth", growth.table(curves)) == page
    _, last = report.markers("studio")
    assert f"\n\n{report.verdicts(read(path(RESULTS, 'studio')))}\n\n{last}" in page

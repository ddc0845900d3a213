"""Runs side by side, with the verdict that `jaxquard compare` gives."""

import pytest

from jaxquard import api


def test_two_runs(get, root):
    found = get("/api/compare?run=slow&run=fast")
    assert found["settings"] == [{"name": "learning_rate", "values": [0.01, 0.3]}]
    assert [one["run"] for one in found["runs"]] == ["slow", "fast"]
    assert [one["name"] for one in found["charts"]] == ["accuracy", "loss"]
    assert found["verdict"].startswith("By validation accuracy, fast comes first; the best leads the next by ")
    assert found["verdict"] == api.compare(["slow", "fast"], runs=root).verdict


@pytest.mark.parametrize(
    ("status", "query"),
    [
        (422, ""),
        (422, "?run=slow"),
        (422, "?run=slow&run=slow"),
        (422, "?" + "&".join(["run=slow"] * 20)),
        (404, "?run=slow&run=none"),
        (404, "?run=slow&run=../runs/fast"),
    ],
)
def test_invalid_comparisons_are_refused(ask, status, query):
    assert ask("GET", f"/api/compare{query}").status == status


def test_a_sweep_is_compared_by_its_best_setting(get, swept):
    found = get("/api/compare?run=fast&run=swept")
    rows = [row for row in found["charts"][0]["table"]["rows"] if row[0] == "swept at learning_rate 0.3: validation"]
    assert [row[2] / 100 for row in rows] == [sum(line["val_accuracy"][2:]) / 2 for line in swept.epochs()]

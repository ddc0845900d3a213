"""Confusion matrix, reliability diagram and most confident mistakes, against numbers computed by hand."""

import numpy as np
import pytest
from scipy.stats import binomtest

from jaxquard.calibration import wilson
from jaxquard.charts import confusion_matrix, reliability, surest_mistakes
from jaxquard.charts.evaluation import verdict


def test_confusion_rows_are_true_classes_and_shares_are_of_the_row():
    chart = confusion_matrix(np.array([[3, 1], [0, 0]]), ["cat", "dog"])
    cells = {(c["true"], c["predicted"]): (c["count"], c["share"]) for c in chart.view["data"]["values"]}
    assert cells[("cat", "dog")] == (1, 0.25)
    assert cells[("dog", "dog")] == (0, 0.0)  # no division by zero for a class without examples
    assert chart.table[0] == {"true class": "cat", "cat": 3, "dog": 1}
    assert "75.0 % of 4 right. Most often confused: cat, taken for dog (1 of 4)." in chart.description


def test_confusion_without_mistakes_names_none():
    assert "confused" not in confusion_matrix(np.eye(2, dtype=int), ["cat", "dog"]).description


def test_calibration_error_by_hand():
    confidences = np.array([0.9, 0.9, 0.9, 0.9, 0.5, 0.5])  # bins (0.8, 1] and (0.4, 0.6]
    correct = np.array([True, True, True, False, True, False])
    chart = reliability(confidences, correct, bins=5)
    assert "calibration error 10.0 %, on the whole over-confident, over 6 predictions" in chart.subtitle  # 4/6 · 0.15
    assert [(row["confidence (%)"], row["accuracy (%)"], row["predictions"]) for row in chart.table] == [
        (pytest.approx(50), 50.0, 2),
        (pytest.approx(90), 75.0, 4),
    ]


@pytest.mark.parametrize(("right", "n"), [(0, 5), (5, 5), (7, 20), (999, 1000)])
def test_wilson_interval_is_scipys(right, n):
    oracle = binomtest(right, n).proportion_ci(method="wilson")
    assert wilson(right, n) == pytest.approx((oracle.low, oracle.high), abs=1e-6)


IMAGES = np.arange(5 * 6, dtype=np.uint8).reshape(5, 2, 3)
LABELS = np.array([0, 1, 0, 1, 1])
PROBABILITIES = np.array([[0.7, 0.3], [0.999, 0.001], [0.4, 0.6], [0.1, 0.9], [0.8, 0.2]])


def drawn(images=IMAGES, labels=LABELS, **options):
    return surest_mistakes(images, labels, PROBABILITIES, ["bag", "coat"], **options)


def test_the_surest_come_first():
    said = [row["caption"] for row in drawn().table]
    assert said == ["bag\n> 99 %\nlabel: coat", "bag\n80 %\nlabel: coat", "coat\n60 %\nlabel: bag"]
    assert verdict(np.array([0.006, 0.994]), 1, ["bag", "coat"]) == "coat\n99 %"


def test_each_caption_is_at_its_own_image():
    assert [row["lowest"] for row in drawn().table] == [IMAGES[i].min() for i in (1, 4, 2)]


def test_at_most_count_mistakes():
    assert len(drawn(count=2).table) == 2
    assert "Its 2 most confident mistakes among 5 images." in drawn(count=2).subtitle

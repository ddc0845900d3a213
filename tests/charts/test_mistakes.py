"""The surest mistakes are shown, surest first, each with what was said and what it is."""

import numpy as np
import pytest

from jaxquard.charts import surest_mistakes
from jaxquard.charts.mistakes import verdict
from jaxquard.errors import UsageError

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


def test_no_more_than_asked_for():
    assert len(drawn(count=2).table) == 2
    assert "Its 2 most confident mistakes among 5 images." in drawn(count=2).subtitle


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"labels": PROBABILITIES.argmax(axis=1)}, "no mistakes were made"),
        ({"labels": LABELS[:4]}, "5 images, 4 labels, 5 rows"),
        ({"images": IMAGES[:3]}, "3 images, 5 labels, 5 rows"),
    ],
)
def test_nothing_to_draw_is_said(arrays, message):
    with pytest.raises(UsageError, match=message):
        drawn(**arrays)

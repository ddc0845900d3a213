"""The training card shows the first images and the most confident mistakes, and says which is which."""

import numpy as np

from jaxquard.charts import training_card

RECORDS = [{"epoch": e, "train_accuracy": [0.5 + 0.1 * e], "val_accuracy": None} for e in (1, 2)]
PROBABILITIES = np.array([[0.7, 0.3], [0.999, 0.001], [0.4, 0.6], [0.1, 0.9]])
LABELS = np.array([0, 1, 0, 1])  # images 1 and 2 are mistaken, 1 the more confidently


def card(**changes):
    given = {"images": np.zeros((4, 2, 3), np.uint8), "labels": LABELS, "probabilities": PROBABILITIES} | changes
    return training_card(
        RECORDS, class_names=["bag", "coat"], weights=np.arange(24.0).reshape(6, 4), title="T", subtitle="S", **given
    )


def captions(view):
    return [row["caption"] for row in view["data"]["values"]]


def test_first_images_in_order_and_mistakes_by_confidence():
    _, first, worst = card().view["vconcat"]
    assert captions(first) == ["bag\n70 %", "bag\n> 99 %\nlabel: coat", "coat\n60 %\nlabel: bag", "coat\n90 %"]
    assert captions(worst) == ["bag\n> 99 %\nlabel: coat", "coat\n60 %\nlabel: bag"]


def test_description_counts_the_whole_test_set():
    assert "50.00 % of 4 test images right." in card().description


def test_without_mistakes_the_last_strip_is_left_out():
    assert len(card(labels=PROBABILITIES.argmax(axis=1)).view["vconcat"]) == 2

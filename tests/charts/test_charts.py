"""Properties of every chart: texts, figures, a valid Vega-Lite description, and files that can be opened."""

import importlib.resources
import json
import math
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import jsonschema
import numpy as np
import pytest

from jaxquard import charts
from jaxquard.errors import UsageError

NAMES = ["coat", "bag", "shirt"]
RECORDS = [
    {
        "epoch": e,
        "train_loss": [1 / e, 1.2 / e],
        "train_accuracy": [0.7, 0.8],
        "val_loss": None,
        "val_accuracy": [0.6, 0.7],
    }
    for e in (1, 2, 3)
]
IMAGES = np.arange(4 * 3 * 2, dtype=np.uint8).reshape(4, 3, 2)
LABELS = np.array([0, 1, 2, 0])
PROBABILITIES = np.array([[0.8, 0.1, 0.1], [0.2, 0.5, 0.3], [0.9, 0.05, 0.05], [0.6, 0.3, 0.1]])
POINTS = [{"x": x, "y": x**2, "low": x, "high": 3 * x**2, "who": who} for who in "ab" for x in (1, 2, 3)]

EVERY = {
    "learning_curves": lambda: charts.learning_curves({"one": RECORDS, "two": RECORDS}),
    "one_loss": lambda: charts.learning_curves({"one": RECORDS}, metric="loss"),
    "lines": lambda: charts.lines(
        POINTS, "x", "y", series="who", band=("low", "high"), log_x=True, log_y=True, title="T", subtitle="S"
    ),
    "dot_plot": lambda: charts.dot_plot(
        [{"name": "a", "values": [86.0, 87.0]}, {"name": "b", "values": [88.0]}], title="T", x_title="%"
    ),
    "montage": lambda: charts.montage(IMAGES, labels=["one\nline", "b", "c", "d"], columns=3),
    "surest_mistakes": lambda: charts.surest_mistakes(IMAGES, LABELS, PROBABILITIES, NAMES),
    "weights": lambda: charts.montage(IMAGES - 10.0, diverging=True),
    "confusion_matrix": lambda: charts.confusion_matrix(np.array([[9, 1, 0], [0, 8, 2], [3, 0, 7]]), NAMES),
    "reliability": lambda: charts.reliability(PROBABILITIES.max(axis=1), np.array([True, True, False, True])),
    "training_card": lambda: charts.training_card(
        RECORDS, IMAGES, LABELS, PROBABILITIES, NAMES, np.ones((6, 5)), title="T", subtitle="S"
    ),
}


@pytest.fixture(params=EVERY)
def chart(request) -> charts.Chart:
    return EVERY[request.param]()


@pytest.fixture(scope="module")
def schema() -> jsonschema.protocols.Validator:
    file = importlib.resources.files("altair") / "vegalite/v6/schema/vega-lite-schema.json"
    return jsonschema.Draft7Validator(json.loads(file.read_text(encoding="utf-8")))


def test_every_chart_has_its_texts_and_figures(chart):
    assert chart.title
    assert chart.subtitle
    assert len(chart.description) > 30
    assert chart.spec["description"] == chart.description
    assert " ".join(chart.spec["title"]["subtitle"]) == chart.subtitle
    assert charts.data_table(chart).count("\n") == len(chart.table) + 2 > 2


def test_is_valid_vega_lite(chart, schema):
    """Vega-Lite silently ignores a misspelt property; its schema does not."""
    faults = schema.iter_errors(json.loads(json.dumps(chart.spec, allow_nan=False)))
    assert [jsonschema.exceptions.best_match([fault]).message for fault in faults] == []


def test_is_drawn_as_png_and_svg(chart, tmp_path):
    png, svg = charts.save(chart, tmp_path / "chart-0.01")
    assert (png.name, svg.name) == ("chart-0.01.png", "chart-0.01.svg")
    assert png.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    root = ElementTree.fromstring(svg.read_text())
    assert root.tag.endswith("svg")
    assert [child.text for child in root][:2] == [chart.title, chart.description]
    drawn = "".join(root.itertext())
    assert all(line in drawn for line in chart.spec["title"]["text"])
    assert "NaN" not in svg.read_text()


def curves(*figures):
    return lambda: charts.learning_curves({"run": [{"epoch": 1, "train_accuracy": figure} for figure in figures]})


def dots(*values):
    return lambda: charts.dot_plot([{"name": "a", "values": list(one)} for one in values], title="T", x_title="s")


def mistakes(images=IMAGES, labels=LABELS):
    return lambda: charts.surest_mistakes(images, labels, PROBABILITIES, NAMES)


def montage(*shape, labels=None):
    return lambda: charts.montage(np.zeros(shape), labels=labels)


def confident(*confidences, of=2):
    return lambda: charts.reliability(np.array(confidences), np.ones(of, bool))


REFUSED = [
    ("nothing to draw", lambda: charts.learning_curves({})),
    *(("nothing to draw", chart) for chart in (curves(), curves(None), curves([math.nan]), dots())),
    ("needs finite values", dots([])),
    ("needs finite values", dots([math.nan])),
    ("no row has a finite 'y'", lambda: charts.lines([{"x": 1, "y": math.nan}], "x", "y", title="T", subtitle="S")),
    (r"shape \(3, 3\), not \(2, 2\)", lambda: charts.confusion_matrix(np.eye(2, dtype=int), NAMES)),
    *(("confidence", confident(*given)) for given in ([0.5], [], [[0.5, 0.5]], [0.5, 1.5], [0.5, np.nan])),
    ("confidence", confident(of=0)),
    ("no mistakes were made", mistakes(labels=PROBABILITIES.argmax(axis=1))),
    ("4 images, 3 labels, 4 rows", mistakes(labels=LABELS[:3])),
    ("3 images, 4 labels, 4 rows", mistakes(images=IMAGES[:3])),
    *(("montage", chart) for chart in (montage(3, 4), montage(0, 3, 3), montage(2, 3, 3, labels=["one"]))),
]


@pytest.mark.parametrize(("message", "draw"), REFUSED)
def test_figures_without_a_chart_are_one_message(message, draw):
    with pytest.raises(UsageError, match=message):
        draw()


def test_importing_needs_neither_jax_nor_the_extra():
    code = "import sys, jaxquard.charts; print([m for m in ('jax', 'altair', 'vl_convert', 'PIL') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"

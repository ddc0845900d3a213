"""Made-up figures."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from jaxquard.lessons import find
from jaxquard.lessons.experiment import as_data
from jaxquard.lessons.figures import filled
from jaxquard.lessons.lesson import Finding, Lesson


@pytest.fixture
def arm() -> Callable[..., dict[str, Any]]:
    """Makes an arm whose networks end at the held-out accuracies given in %; other curves, of each epoch, by name."""

    def make(accuracies: Any, epochs: int = 3, **curves: list[float]) -> dict[str, Any]:
        share = np.asarray(accuracies, float)[:, None] / 100
        flat = {"accuracy": share * np.linspace(0.9, 1, epochs), "loss": 1 - share * np.ones(epochs)}
        flat |= {"train_accuracy": flat["accuracy"], "train_loss": flat["loss"]}
        given = {name: np.tile(curve, (len(share), 1)) for name, curve in curves.items()}
        rows = {name: values.tolist() for name, values in (flat | given).items()}
        return rows | {"diverged": [False] * len(share), "seconds": [1.0] * epochs}

    return make


@pytest.fixture
def lesson(request: pytest.FixtureRequest) -> Lesson:
    """The lesson that the test's file is named after."""
    return find(request.path.stem.removeprefix("test_").replace("_", "-"))


@pytest.fixture
def conclude(lesson: Lesson) -> Callable[[Any], Finding]:
    """Concludes from made-up figures, and checks that charts and all texts can be made from them."""

    def checked(measured: Any) -> Finding:
        measured = json.loads(json.dumps(as_data(measured)))  # as it will be when it comes from a file
        finding = lesson.conclude(measured)
        facts = vars(lesson.scales["full"]) | finding.facts
        for words in (lesson.background, lesson.method, lesson.try_next, lesson.results, *lesson.take_home.values()):
            assert "{" not in filled(words, facts).replace("{}", "")
        assert finding.answer in (None, *lesson.choices)
        assert all(chart.table for chart in lesson.draw(measured))
        return finding

    return checked

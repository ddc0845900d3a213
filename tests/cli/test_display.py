"""The format of numbers."""

import pytest

from jaxquard.cli.display import figure
from jaxquard.naming import counted
from jaxquard.runs.figures import Figure


@pytest.mark.parametrize(
    ("value", "options", "shown"),
    [
        (None, {}, "–"),
        (0.87034, {}, "0.8703"),
        (0.87034, {"percent": True}, "87.03 %"),
        (Figure((0.5, 0.7, None)), {"percent": True}, "60.00 ± 14.14 %"),
        ([0.5, None, 0.7], {"percent": True, "swept": True}, "50.00 … 70.00 %"),
        ([0.5, None], {"swept": True}, "0.5000"),
        ([None, None], {"percent": True}, "–"),
    ],
)
def test_a_figure_is_a_number_a_mean_with_its_deviation_or_a_range(value, options, shown):
    assert figure(value, **options) == shown


def test_one_has_no_plural():
    assert [counted(n, "epoch") for n in (0, 1, 2000)] == ["0 epochs", "1 epoch", "2,000 epochs"]
    assert [counted(n, "class") for n in (1, 2)] == ["1 class", "2 classes"]

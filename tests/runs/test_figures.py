"""Figures of several networks: mean and spread, as text and in JSON documents."""

import pytest

from jaxquard.runs.figures import Figure, figure_of


@pytest.mark.parametrize(
    ("values", "mean", "std", "text", "document"),
    [
        ((0.25,), 0.25, None, "0.2500", 0.25),
        ((None,), None, None, "–", None),
        ((1.0, 2.0, 6.0), 3.0, 7**0.5, "3.0000 ± 2.6458", {"mean": 3.0, "std": 7**0.5, "values": [1.0, 2.0, 6.0]}),
        ((0.5, None), 0.5, None, "0.5000", {"mean": 0.5, "std": None, "values": [0.5, None]}),
        ((None, None), None, None, "–", {"mean": None, "std": None, "values": [None, None]}),
    ],
)
def test_mean_and_std_leave_out_the_networks_that_diverged(values, mean, std, text, document):
    figure = Figure(values)
    assert (figure.mean, figure.std) == (mean, None if std is None else pytest.approx(std, rel=1e-12))
    assert str(figure) == f"{figure}" == text
    found = figure.document()
    assert found == (document if std is None else document | {"std": figure.std})


def test_no_values_are_no_figure():
    assert figure_of(None) is None
    assert figure_of([0.5]) == Figure((0.5,))


def test_a_format_is_that_of_each_number():
    assert [f"{Figure(values):.1%}" for values in ((0.25,), (0.5, 0.5), (None,))] == ["25.0%", "50.0% ± 0.0%", "–"]

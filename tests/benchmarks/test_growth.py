"""Exponents and jumps of the growth curves."""

import pytest

from benchmarks.growth import exponent, largest_jump, table


def curve(k: float, sizes=(10, 20, 40, 80)) -> list[dict[str, float]]:
    """Time and arithmetic that both grow as sizeᵏ."""
    return [{"size": n, "seconds": 3 * n**k, "gflop": 5 * n**k} for n in sizes]


@pytest.mark.parametrize("k", [-1.0, 0.0, 0.5, 2.0])
def test_a_power_law_gives_back_its_exponent_and_has_no_jump(k):
    assert exponent(curve(k), "seconds") == pytest.approx(k)
    assert largest_jump(curve(k)) == pytest.approx(1.0)


def test_a_jump_is_what_the_arithmetic_does_not_explain():
    points = curve(1.0)
    for point in points[2:]:
        point["seconds"] *= 1.5
    assert largest_jump(points) == pytest.approx(1.5)


def test_the_table_has_a_line_for_each_axis():
    lines = table({"width": curve(2.0), "depth": curve(1.0)}).splitlines()
    assert lines[2].startswith("| width | 10: 300 s | 80: 19,200 s | 2.00 | 2.00 | × 1.00")
    assert len(lines) == 4

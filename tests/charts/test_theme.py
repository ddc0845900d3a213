"""The measured differences between the colours."""

import itertools

import numpy as np
import pytest

from jaxquard.charts import theme

# Machado, Oliveira and Fernandes 2009, severity 1.0, for linear RGB
SIGHT = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)


def linear(color: str) -> np.ndarray:
    c = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    t = TO_XYZ @ np.clip(rgb, 0, 1) / [0.95047, 1.0, 1.08883]
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def contrast(color: str) -> float:
    """WCAG contrast with the paper, which is white."""
    return 1.05 / (linear(color) @ TO_XYZ[1] + 0.05)


def test_a_range_without_width_up_to_rounding_gets_one():
    assert theme.widened(1, 1) == (0.5, 1.5)
    low, high = theme.widened(0.3, 0.1 + 0.2)
    assert high - low == pytest.approx(1)
    assert theme.widened(0, 1e-12) == (0, 1e-12)


@pytest.mark.parametrize("sight", SIGHT)
def test_series_colors_differ_with_every_kind_of_colour_vision(sight):
    seen = [lab(np.asarray(SIGHT[sight]) @ linear(color)) for color in theme.COLORS]
    assert (
        min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) > 15
    )  # ΔE*ab; about 2 is just noticeable


def test_lines_and_text_stand_out_from_the_paper():
    assert theme.PAPER == "#ffffff"
    assert min(map(contrast, theme.COLORS)) >= 3  # WCAG 2.1, graphics
    assert min(map(contrast, (theme.INK, theme.MUTED))) >= 4.5  # and text


def test_twenty_series_all_look_different():
    looks = theme.styles([str(i) for i in range(20)]).values()
    assert len({(look.color, look.dash) for look in looks}) == 20

"""Mean and standard deviation agree with NumPy's in float64."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from jaxquard.data.statistics import pixel_statistics
from jaxquard.errors import DataError


@given(arrays(np.uint8, array_shapes(min_dims=3, max_dims=4, max_side=9), elements=st.integers(0, 255)))
def test_they_are_numpys(images: np.ndarray):
    if images.min() == images.max():
        for same in (images, np.float32(images / 255)):
            with pytest.raises(DataError, match="same value"):
                pixel_statistics(same)
    else:
        pixels = np.float64(images) / 255
        assert pixel_statistics(images) == pytest.approx((pixels.mean(), pixels.std()), rel=1e-9)
        assert pixel_statistics(np.float32(pixels)) == pytest.approx((pixels.mean(), pixels.std()), rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("pixels", [65535, 65536, 65537, 3 * 65536 + 5])
def test_chunks_leave_nothing_out(pixels: int):
    images = np.random.default_rng(pixels).integers(0, 256, (1, 1, pixels), dtype=np.uint8)
    images[..., -1] = 255
    pixels_in_01 = np.float64(images) / 255
    assert pixel_statistics(images) == pytest.approx((pixels_in_01.mean(), pixels_in_01.std()), rel=1e-12)


def test_the_brightest_pixels_do_not_overflow():
    images = np.full((300, 28, 28, 1), 255, np.uint8)
    images[0, 0, 0] = 254
    n = images.size
    mean, std = pixel_statistics(images)
    assert mean == pytest.approx(1 - 1 / (255 * n), rel=1e-15)
    assert std == pytest.approx(np.sqrt((n - 1) / n**2) / 255, rel=1e-9)


def test_any_layout_in_memory_will_do_and_nothing_is_written_to():
    images = np.random.default_rng(0).integers(0, 256, (6, 5, 4, 1), dtype=np.uint8)
    images.flags.writeable = False
    assert pixel_statistics(images[::2].transpose(0, 2, 1, 3)) == pixel_statistics(images[::2].copy())

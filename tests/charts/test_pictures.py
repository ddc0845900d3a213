"""The pixels of a montage."""

import base64
import io

import numpy as np
from PIL import Image

from jaxquard.charts import montage


def pixels(chart) -> list[np.ndarray]:
    urls = [row["url"] for row in chart.view["data"]["values"]]
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(url.split(",")[1])))) for url in urls]


def test_grey_images_arrive_unchanged_and_inverted():
    images = np.random.default_rng(0).integers(0, 256, (3, 5, 4), dtype=np.uint8)
    np.testing.assert_array_equal(pixels(montage(images[..., None])), images)
    np.testing.assert_array_equal(pixels(montage(images, invert=True)), 255 - images)
    np.testing.assert_array_equal(pixels(montage(images / 255.0)), images)


def test_signed_weights_share_one_scale_with_white_at_zero():
    weights = np.zeros((2, 1, 3))
    weights[0, 0] = [-1, 0, 1]
    weights[1, 0] = [-0.5, np.nan, 0.5]  # a weight that is not finite is drawn as zero
    chart = montage(weights, diverging=True)
    full, half = pixels(chart)
    assert full[0, 1].tolist() == half[0, 1].tolist() == [255, 255, 255]
    assert full[0, 0, 2] > full[0, 0, 0]  # negative: blue
    assert full[0, 2, 0] > full[0, 2, 2]  # positive: orange
    assert half[0, 0].mean() > full[0, 0].mean()
    assert chart.subtitle.endswith("full colour at ±1.")


def test_captions_are_below_their_images_in_rows_of_the_given_length():
    rows = montage(np.zeros((5, 2, 2)), labels=list("abcde"), columns=2).view["data"]["values"]
    assert [row["caption"] for row in rows] == list("abcde")
    assert [len({row[axis] for row in rows}) for axis in "xy"] == [2, 3]

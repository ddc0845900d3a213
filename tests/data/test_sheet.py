"""Sheets of samples hold every image, whatever its form."""

from xml.etree import ElementTree

import numpy as np
import pytest

from jaxquard.data.sheet import CLASSES, SIDE, WIDTH, sheet


@pytest.mark.parametrize("shape", [(1, 1, 1), (8, 8, 3), (28, 28, 1), (3, 300, 3), (300, 3, 1)])
@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_a_sheet_holds_the_first_images_of_each_class(shape, kind):
    names = ("many", "one", "none", *(f"class {k}" for k in range(CLASSES)))
    root = ElementTree.fromstring(sheet(np.zeros((13, *shape), kind), np.array([0] * 12 + [1]), names))
    texts, images = ([one for one in root if one.tag.endswith(kind)] for kind in ("text", "image"))
    assert [text.text for text in texts][:3] == ["many: 12 images", "one: 1 image", "none: 0 images"]
    assert texts[-1].text == "… and 3 more"
    assert len(images) == 2
    for image in images:
        x, y, width, height = (float(image.attrib[name]) for name in ("x", "y", "width", "height"))
        assert 0 < x < x + width <= WIDTH
        assert 0 < height <= SIDE
        assert y + height <= float(root.attrib["height"])

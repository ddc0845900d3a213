"""The short form of `make bench-pictures`: every kind of photograph at the middle strength, a few images of each."""

import numpy as np
import pytest

from benchmarks.pictures import measure, page

GOAL = 0.95
ONE_OF_20 = 0.05  # an ambiguous image may change its class


@pytest.mark.check
def test_photographs_are_recognised_nearly_as_well_as_the_images_themselves():
    found = measure(20, (1,))
    assert found["drawn digits"] >= 0.9 - 2 * ONE_OF_20  # of all 100, docs/PICTURES.md
    for name in ("Fashion-MNIST", "digits"):
        one = found[name]
        assert one["data"] >= 0.9
        assert one["clean"] >= GOAL * one["data"] - ONE_OF_20
        shares = np.array([cell for (cell,) in one["cells"].values()]) / one["data"]
        assert shares.mean() >= GOAL - ONE_OF_20
        assert shares.min() >= GOAL - 0.15  # 20 images: three of them
        assert one["clean, warned of"] <= 0.1
        assert min(one["hopeless, warned of"].values()) >= 0.7
        one["cells"] = {kind: cell * 3 for kind, cell in one["cells"].items()}
        one["page"] = dict.fromkeys(["clean", *one["cells"]], (1.0, 1.0, 1.0))
    found["images on the page"] = 20
    assert "| squared | " in page(found)

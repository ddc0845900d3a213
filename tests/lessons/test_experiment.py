"""The arms of a label, and not those of a longer label."""

import numpy as np

from jaxquard.config import Config
from jaxquard.lessons.experiment import arm_names, final, finals


def test_the_arms_of_a_label_are_its_own_in_the_order_of_its_sweep(arm):
    swept = Config(sweep=(("learning_rate", (0.1, 0.3)),))
    names = [
        *arm_names("depth 1", swept),
        *arm_names("depth 10", swept),
        "depth 10 wide",
        *arm_names("depth", Config()),
    ]
    measured = {name: arm([10.0 * k, 10.0 * k + 1]) for k, name in enumerate(names)}
    np.testing.assert_allclose(finals(measured, "depth 1"), [[0, 1], [10, 11]])
    assert len(finals(measured, "depth 10 wide")) == len(finals(measured, "depth 10 learning_rate=0.1")) == 1


def test_a_network_that_diverged_ends_at_0_percent():
    rows = {"accuracy": [[0.5, 0.6], [0.7, 0.8], [0.9, None]], "diverged": [True, False, False]}
    np.testing.assert_allclose(final(rows), [0, 80, 0])
    np.testing.assert_allclose(final(rows, 0), [50, 70, 90])

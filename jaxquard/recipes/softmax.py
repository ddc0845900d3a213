"""No hidden layer: softmax regression, trained like the original network.

    jaxquard train --recipe softmax

The accuracy of a single affine layer. Hidden layers account for everything above this figure.
"""

from jaxquard.config import Config

CONFIG = Config(dataset="fashion-mnist", hidden=())
CLASS = "baseline: softmax regression"
SEEDS = 10
BEATS = None
GOAL = None

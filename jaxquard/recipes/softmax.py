"""No hidden layer: softmax regression, trained like the original network.

    jaxquard train --recipe softmax

The accuracy of a single affine layer. Only hidden layers can get more.
"""

from jaxquard.config import Config

CONFIG = Config(dataset="fashion-mnist", hidden=())
CLASS = "baseline: softmax regression"
SEEDS = 10
BEATS = None
GOAL = None

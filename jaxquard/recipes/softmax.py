"""No hidden layer at all: softmax regression, trained as the original network is.

    jaxquard train --recipe softmax

What a single affine layer can tell apart. Everything that hidden layers are worth is above this figure.
"""

from jaxquard.config import Config

CONFIG = Config(dataset="fashion-mnist", hidden=())
CLASS = "baseline: softmax regression"
SEEDS = 10
BEATS = None
GOAL = None

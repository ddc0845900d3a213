"""The original network: 784-128-64-10, plain SGD at 0.01, batches of 128, 20 epochs.

    jaxquard train --recipe original

The same training as `python mlp_fashion_mnist.py`, whose steps a test holds equal to these, with keys of its own.
"""

from jaxquard.config import Config

CONFIG = Config(dataset="fashion-mnist")
CLASS = "the original network and training"
SEEDS = 10
BEATS = 0.859
GOAL = 0.868

"""The original network: 784-128-64-10, plain SGD at 0.01, batches of 128, 20 epochs.

    jaxquard train --recipe original

The same training as `python mlp_fashion_mnist.py`, with other random keys; a test compares the steps of the two.
"""

from jaxquard.config import Config

CONFIG = Config(dataset="fashion-mnist")
CLASS = "the original network and training"
SEEDS = 10
BEATS = 0.859
GOAL = 0.868

"""A fully connected network of three layers of 1,024, batch-normalised, taught by a convolutional one.

    jaxquard train --recipe mlp-large

The architecture is that of the figure to beat. The teacher is the network that ships with the package (`cnn-small`).
Chosen on 5,000 held-out training images: docs/LOG.md.
"""

from jaxquard.config import Config

CONFIG = Config(
    dataset="fashion-mnist",
    hidden=(1024, 1024, 1024),
    batch_norm=True,
    activation="gelu",
    flip=True,
    shift=1,
    label_smoothing=0.1,
    teacher="cnn-small",
    optimizer="adamw",
    learning_rate=0.002,
    weight_decay=0.05,
    schedule="one_cycle",
    ema=0.999,
    batch_size=256,
    epochs=40,
    tta="mirror",
)
CLASS = "fully connected, any size, at most 45 minutes"
SEEDS = 3
BEATS = 0.9163
GOAL = 0.925

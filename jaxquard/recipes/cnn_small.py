"""A convolutional network of fewer than 100,000 parameters: three stages of a residual block, the first on every pixel.

    jaxquard train --recipe cnn-small

Widths, resolution, activation, optimiser and learning rate were chosen on held-out training images: docs/LOG.md. The
first seed's network ships with the package: `jaxquard predict cnn-small shoe.png`.
"""

from jaxquard.config import Config

CONFIG = Config(
    dataset="fashion-mnist",
    model="cnn",
    widths=(16, 32, 54),
    blocks=1,
    activation="gelu",
    flip=True,
    shift=2,
    label_smoothing=0.1,
    optimizer="muon",
    learning_rate=0.012,
    momentum=0.95,
    weight_decay=0.05,
    schedule="one_cycle",
    ema=0.999,
    batch_size=128,
    epochs=18,
    tta="mirror",
)
CLASS = "CNN, fewer than 100,000 parameters, at most 20 minutes"
SEEDS = 5
BEATS = 0.925
GOAL = 0.940

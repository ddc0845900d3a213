"""A convolutional network of fewer than 500,000 parameters: three stages of a residual block on squares of four pixels.

    jaxquard train --recipe cnn

Nothing of it was tuned. What `cnn-small` has learned since, Muon and every pixel by itself, it has not: docs/LOG.md.
"""

from jaxquard.config import Config

CONFIG = Config(
    dataset="fashion-mnist",
    model="cnn",
    widths=(32, 64, 128),
    blocks=1,
    stem=2,
    activation="gelu",
    flip=True,
    shift=2,
    label_smoothing=0.1,
    optimizer="adamw",
    learning_rate=0.003,
    weight_decay=0.05,
    schedule="one_cycle",
    ema=0.999,
    batch_size=128,
    epochs=30,
    tta="mirror",
)
CLASS = "CNN, fewer than 500,000 parameters, at most 30 minutes"
SEEDS = 3
BEATS = 0.9551
GOAL = 0.950

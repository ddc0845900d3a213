"""Trainings of 253 images, 5 steps an epoch. Tests share them, because compiling takes most of the time."""

from jaxquard.config import Config

PLAIN = Config(hidden=(6, 5), batch_size=50, epochs=2, learning_rate=0.1, validation=50)
PATIENT = PLAIN.replace(patience=2, epochs=60, learning_rate=0.3)
SWEPT = PATIENT.replace(sweep=(("learning_rate", (0.02, 0.1, 0.3)),), epochs=2)
MOMENTUM = PLAIN.replace(optimizer="momentum", learning_rate=0.05, dropout=0.2, schedule="step", decay_every=1.0)
COSINE = PLAIN.replace(optimizer="adam", schedule="cosine", warmup=1.0, learning_rate=0.01, epochs=3)
EVERYTHING = PLAIN.replace(
    optimizer="adamw",
    schedule="one_cycle",
    learning_rate=0.02,
    weight_decay=0.1,
    clip_norm=1.0,
    dropout=0.3,
    ema=0.9,
    label_smoothing=0.1,
    l2=1e-3,
    patience=2,
)

"""Keras 3 on its JAX backend: `compile` and `fit`. It keeps the last partial batch: 469 updates an epoch, not 468."""

import os

os.environ["KERAS_BACKEND"] = "jax"  # read when keras is imported

import keras
import numpy as np

from benchmarks.peers import common


def mlp() -> keras.Sequential:
    """The network, with the start that all peers share."""
    model = keras.Sequential(
        [
            keras.Input((common.SIZES[0],)),
            keras.layers.Dense(common.SIZES[1], activation="relu"),
            keras.layers.Dense(common.SIZES[2], activation="relu"),
            keras.layers.Dense(common.SIZES[3]),
        ]
    )
    for layer, wb in zip(model.layers, common.initial_params(np.random.default_rng(common.SEED)), strict=True):
        layer.set_weights(wb)
    return model


def prepare(data: common.Data) -> common.Peer:
    """`fit` shuffles and batches; one call an epoch, so that each can be timed."""
    keras.utils.set_random_seed(common.SEED)
    model = mlp()
    model.compile(
        optimizer=keras.optimizers.SGD(common.LEARNING_RATE),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )

    def train_epoch() -> float:
        history = model.fit(data.x_train, data.y_train, batch_size=common.BATCH, verbose=0)
        return float(history.history["loss"][0])

    def evaluate() -> float:
        logits = model.predict(data.x_test, batch_size=1000, verbose=0)
        return float((logits.argmax(1) == data.y_test).mean())

    return common.Peer(train_epoch, evaluate)


if __name__ == "__main__":
    common.main("Keras (JAX)", ["keras", "jax"], prepare)

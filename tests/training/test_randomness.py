"""Every use of randomness has a stream of its own."""

import jax
import numpy as np

from jaxquard.training.randomness import AUGMENT, DROPOUT, INIT, ORDER, epoch_order, stream


def test_an_order_visits_each_example_once_and_differs_by_epoch_and_seed():
    orders = {
        (seed, epoch): tuple(np.asarray(epoch_order(jax.random.key(seed), epoch, 101)).tolist())
        for seed in range(3)
        for epoch in range(4)
    }
    assert all(sorted(order) == list(range(101)) for order in orders.values())
    assert len(set(orders.values())) == 12
    assert orders[1, 2] == tuple(np.asarray(epoch_order(jax.random.key(1), np.int32(2), 101)).tolist())


def test_streams_are_distinct_and_known_from_seed_purpose_and_index():
    keys = {
        (seed, purpose, index): jax.random.key_data(stream(jax.random.key(seed), purpose, index)).tobytes()
        for seed in (0, 1, 2)
        for purpose in (INIT, ORDER, AUGMENT, DROPOUT)
        for index in range(20)
    }
    assert len(set(keys.values())) == 3 * 4 * 20
    assert keys[1, DROPOUT, 7] == jax.random.key_data(stream(jax.random.key(1), DROPOUT, 7)).tobytes()

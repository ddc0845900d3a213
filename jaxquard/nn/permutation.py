"""A random permutation: the order of an epoch's examples."""

import math

import jax
import jax.numpy as jnp


def permutation(key: jax.Array, n: int) -> jax.Array:
    """0 … n-1 shuffled, (n,) int32: equal to `jax.random.permutation(key, n)`, up to five times as fast on a CPU.

    Both sort by random 32-bit keys, often enough that ties are unlikely to matter. Here a key and its position are one
    64-bit number, because XLA sorts plain numbers faster than pairs.
    """
    order = jnp.arange(n, dtype=jnp.int32)
    for _ in range(math.ceil(3 * math.log(max(1, n)) / math.log(2**32 - 1))):
        key, subkey = jax.random.split(key)
        bits = jax.random.bits(subkey, (n,), jnp.uint32)
        with jax.enable_x64(True):
            packed = (bits.astype(jnp.uint64) << 32) | jnp.arange(n, dtype=jnp.uint64)
            positions = jnp.sort(packed).astype(jnp.uint32)
        order = order[positions]
    return order

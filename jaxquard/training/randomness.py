"""One seed, one root key, one independent stream for each use.

The root key never changes. Each use folds in its purpose, then the step or epoch. The random numbers of a step
therefore depend on the seed and the step alone, and a resumed run continues with the same bits.
"""

import jax

from jaxquard.nn.permutation import permutation

IMPLEMENTATION = "threefry2x32"  # JAX's default, fixed here because JAX_DEFAULT_PRNG_IMPL would change the bits
INIT, ORDER, AUGMENT, DROPOUT = range(4)


def stream(key: jax.Array, purpose: int, index: int | jax.Array = 0) -> jax.Array:
    """The key for one purpose at one step or epoch."""
    return jax.random.fold_in(jax.random.fold_in(key, purpose), index)


def epoch_order(key: jax.Array, epoch: int | jax.Array, examples: int) -> jax.Array:
    """The order of the examples in epoch number `epoch`: (examples,) int32, each exactly once."""
    return permutation(stream(key, ORDER, epoch), examples)

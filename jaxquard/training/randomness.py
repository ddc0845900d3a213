"""One seed, one root key, many independent streams.

The root key never changes: each use folds in what it is for, then when. Whoever knows the step knows every random
number of it, which is why a run resumed anywhere goes on with the very bits it would have had.
"""

import jax

from jaxquard.nn.permutation import permutation

IMPLEMENTATION = "threefry2x32"  # JAX's default, but not to be changed by an environment: the bits hang on it
INIT, ORDER, AUGMENT, DROPOUT = range(4)


def stream(key: jax.Array, purpose: int, index: int | jax.Array = 0) -> jax.Array:
    """The key for one purpose at one step or epoch."""
    return jax.random.fold_in(jax.random.fold_in(key, purpose), index)


def epoch_order(key: jax.Array, epoch: int | jax.Array, examples: int) -> jax.Array:
    """The order in which epoch number `epoch` visits the examples: (examples,) int32, each exactly once."""
    return permutation(stream(key, ORDER, epoch), examples)

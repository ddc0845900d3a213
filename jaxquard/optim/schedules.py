"""The learning rate η as a function of the step: each schedule maps a step count to a rate.

Every argument but the shape of the schedule may be a traced value, so one compiled program serves a whole sweep.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

Scalar = float | jax.Array
Schedule = Callable[[jax.Array], Scalar]


def constant(learning_rate: Scalar) -> Schedule:
    """η, always."""
    return lambda step: learning_rate


def step_decay(learning_rate: Scalar, every: Scalar, factor: Scalar) -> Schedule:
    """η·factor^⌊step/every⌋: constant, then suddenly smaller, again and again.

    `//` and not floor(step / every): XLA may turn a division into a multiplication by 1/every, and 41·(1/41) < 1.
    """
    return lambda step: learning_rate * factor ** (step // every)


def cosine(learning_rate: Scalar, total: Scalar) -> Schedule:
    """η·½(1 + cos(π·step/total)): from η to 0 along half a cosine (Loshchilov & Hutter, 2016, arXiv 1608.03983)."""
    return lambda step: learning_rate * 0.5 * (1 + jnp.cos(jnp.pi * jnp.clip(step / total, 0, 1)))


def linear_warmup(schedule: Schedule, peak: Scalar, steps: Scalar) -> Schedule:
    """From 0 to `peak` in equal increments over `steps`, then `schedule` from its own step 0.

    Goyal et al. (2017, arXiv 1706.02677) start from a small rate instead: here the very first update moves nothing.
    """

    def warmed(step: jax.Array) -> Scalar:
        ramp = peak * step / jnp.maximum(steps, 1)
        return jnp.where(step < steps, ramp, schedule(jnp.maximum(step - steps, 0)))

    return warmed


def one_cycle(
    peak: Scalar, total: Scalar, *, rise: Scalar = 0.3, start_divisor: Scalar = 25.0, final_divisor: Scalar = 1e4
) -> Schedule:
    """Half a cosine up from peak/start_divisor in the first `rise` of `total` steps, half a cosine down after it to
    peak/(start_divisor·final_divisor): the cycle of Smith & Topin (2017, arXiv 1708.07120), which is straight up and
    down, in the form of optax's `cosine_onecycle_schedule`."""
    start = peak / start_divisor
    end = start / final_divisor
    top = jnp.floor(rise * total)

    def between(a: Scalar, b: Scalar, fraction: Scalar) -> jax.Array:
        return b + (a - b) * 0.5 * (1 + jnp.cos(jnp.pi * jnp.clip(fraction, 0, 1)))

    def cycle(step: jax.Array) -> Scalar:
        rising = between(start, peak, step / jnp.maximum(top, 1))
        falling = between(peak, end, (step - top) / jnp.maximum(total - top, 1))
        return jnp.where(step < top, rising, falling)

    return cycle

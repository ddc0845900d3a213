"""Schedules: the learning rate η as a function of the step.

All numbers may be traced values, so that one compiled program serves a whole sweep.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

Scalar = float | jax.Array
Schedule = Callable[[jax.Array], Scalar]


def constant(learning_rate: Scalar) -> Schedule:
    """η at every step."""
    return lambda step: learning_rate


def step_decay(learning_rate: Scalar, every: Scalar, factor: Scalar) -> Schedule:
    """η·factor^⌊step/every⌋.

    With `//` and not floor(step / every), because XLA may multiply by 1/every instead, and 41·(1/41) < 1.
    """
    return lambda step: learning_rate * factor ** (step // every)


def cosine(learning_rate: Scalar, total: Scalar) -> Schedule:
    """η·½(1 + cos(π·step/total)): from η to 0 along half a cosine (Loshchilov & Hutter, 2016, arXiv 1608.03983)."""
    return lambda step: learning_rate * 0.5 * (1 + jnp.cos(jnp.pi * jnp.clip(step / total, 0, 1)))


def linear_warmup(schedule: Schedule, peak: Scalar, steps: Scalar) -> Schedule:
    """From 0 to `peak` in equal increments over `steps`, then `schedule` from its own step 0.

    The first update is zero. (Goyal et al., 2017, arXiv 1706.02677, start from a small rate instead.)
    """

    def warmed(step: jax.Array) -> Scalar:
        ramp = peak * step / jnp.maximum(steps, 1)
        return jnp.where(step < steps, ramp, schedule(jnp.maximum(step - steps, 0)))

    return warmed


def one_cycle(
    peak: Scalar, total: Scalar, *, rise: Scalar = 0.3, start_divisor: Scalar = 25.0, final_divisor: Scalar = 1e4
) -> Schedule:
    """Half a cosine up from peak/start_divisor in the share `rise` of `total` steps, then half a cosine down to
    peak/(start_divisor·final_divisor), as optax's `cosine_onecycle_schedule`. The cycle of Smith & Topin (2017, arXiv
    1708.07120) is linear."""
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

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxquard.optim.schedules import constant, cosine, linear_warmup, one_cycle, step_decay

STEPS = np.arange(220)  # the schedules under test end at 200

PAIRS = {
    "constant": (constant(0.3), optax.constant_schedule(0.3)),
    "step_decay": (step_decay(0.3, 30, 0.5), optax.exponential_decay(0.3, 30, 0.5, staircase=True)),
    "cosine": (cosine(0.3, 200), optax.cosine_decay_schedule(0.3, 200)),
    "warmup then constant": (linear_warmup(constant(0.3), 0.3, 25), optax.linear_schedule(0, 0.3, 25)),
    "warmup then cosine": (
        linear_warmup(cosine(0.3, 175), 0.3, 25),
        optax.warmup_cosine_decay_schedule(0, 0.3, 25, 200),
    ),
    "warmup then steps": (
        linear_warmup(step_decay(0.3, 30, 0.5), 0.3, 25),
        optax.join_schedules(
            [optax.linear_schedule(0, 0.3, 25), optax.exponential_decay(0.3, 30, 0.5, staircase=True)], [25]
        ),
    ),
    "one_cycle": (one_cycle(0.3, 200), optax.cosine_onecycle_schedule(200, 0.3)),
    "one_cycle of another shape": (
        one_cycle(0.3, 200, rise=0.15, start_divisor=10, final_divisor=100),
        optax.cosine_onecycle_schedule(200, 0.3, pct_start=0.15, div_factor=10, final_div_factor=100),
    ),
}


def rates(schedule) -> np.ndarray:
    return np.asarray(jax.jit(jax.vmap(lambda step: jnp.asarray(schedule(step))))(STEPS))


@pytest.mark.parametrize("name", PAIRS)
def test_rates_are_optaxs(name: str):
    ours, theirs = PAIRS[name]
    np.testing.assert_allclose(rates(ours), rates(theirs), rtol=2e-6, atol=1e-7)


def test_landmarks():
    """Computed by hand, in case optax has the same fault."""
    assert rates(step_decay(1.0, 50, 0.1))[[49, 50, 99, 100]] == pytest.approx([1, 0.1, 0.1, 0.01])
    assert rates(cosine(2.0, 200))[[0, 50, 100, 200, 210]] == pytest.approx([2, 1 + 0.5**0.5, 1, 0, 0], abs=1e-6)
    assert rates(linear_warmup(constant(1.0), 1.0, 4))[:6] == pytest.approx([0, 0.25, 0.5, 0.75, 1, 1])
    cycle = rates(one_cycle(1.0, 200, rise=0.25))
    assert cycle[[0, 50, 125, 200, 210]] == pytest.approx([0.04, 1, 0.500002, 4e-6, 4e-6], rel=1e-3)
    assert cycle.argmax() == 50


def test_step_decay_falls_exactly_at_its_boundary():
    """For every interval up to 400: a compiled step / 41 may be step · (1/41), which is below 1 at 41."""
    k, every = jnp.arange(1, 50), jnp.arange(1, 400)
    falls = jax.jit(lambda every: step_decay(1.0, every, 0.5)(k * every))
    for dtype in (jnp.int32, jnp.float32):
        np.testing.assert_allclose(falls(dtype(41)), 0.5**k, rtol=1e-5)
        np.testing.assert_allclose(jax.vmap(falls)(every.astype(dtype)), np.tile(0.5**k, (399, 1)), rtol=1e-5)
    assert jax.jit(step_decay(1.0, 41, 0.5))(41) == 0.5


def test_no_warmup_is_the_schedule_itself():
    for steps in (0, jnp.float32(0)):
        np.testing.assert_array_equal(rates(linear_warmup(cosine(0.3, 200), 0.3, steps)), rates(cosine(0.3, 200)))

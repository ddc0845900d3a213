"""Each optimiser against optax over 200 steps on the same stream of gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from optax.contrib import _muon as muon

from jaxquard.optim.optimizers import optimizer
from jaxquard.optim.schedules import cosine, linear_warmup
from jaxquard.optim.transforms import (
    add_decayed_weights,
    apply_updates,
    chain,
    clip_by_global_norm,
    scale_by_adam,
    trace,
)

STEPS = 200
RNG = np.random.default_rng(0)


def tree(draw) -> list[dict[str, np.ndarray]]:
    """The parameters of one layer of an MLP."""
    return [{"w": draw((6, 4)), "b": draw((4,))}]


PARAMS = tree(lambda shape: RNG.normal(size=shape))
# From 10⁻⁹ to 1 and back: Adam's ε has an effect, and the norm is above 1 at some steps and below at others.
SCALE = 10 ** (-4.5 * (1 + np.cos(np.arange(STEPS) / 15)))
GRADS = tree(lambda shape: RNG.normal(size=(STEPS, *shape)) * SCALE.reshape(-1, *[1] * len(shape)))


def weights(params) -> list[dict[str, bool]]:
    return [{"w": True, "b": False} for _ in params]


def over(transformation, apply=apply_updates, dtype=np.float64):
    """The parameters after each of the 200 steps."""
    params, grads = jax.tree.map(dtype, (PARAMS, GRADS))

    @jax.jit
    def run(params, grads):
        def step(carry, grads):
            params, opt_state = carry
            updates, opt_state = transformation.update(grads, opt_state, params)
            params = apply(params, updates)
            return (params, opt_state), params

        return jax.lax.scan(step, (params, transformation.init(params)), grads)[1]

    return run(params, grads)


def assert_same(ours, theirs, tolerance: float):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance), ours, theirs)


ETA = linear_warmup(cosine(0.3, 150), 0.3, 20)
OPTAX_ETA = optax.warmup_cosine_decay_schedule(0, 0.3, 20, 170)


def optax_muon(learning_rate) -> optax.GradientTransformation:
    """Of optax's parts: its own `muon` corrects the momentum's bias, which the algorithm as published does not."""

    def orthogonal(g):
        spread = muon.orthogonalize_via_newton_schulz(g, jnp.array([3.4445, -4.775, 2.0315]))
        return 0.2 * max(g.shape) ** 0.5 * spread

    matrices = optax.chain(optax.trace(0.8, nesterov=True), optax.stateless_with_tree_map(lambda g, _: orthogonal(g)))
    return optax.chain(
        optax.partition({"w": matrices, "b": optax.scale_by_adam(0.7, 0.95, 1e-3)}, [{"w": "w", "b": "b"}]),
        optax.add_decayed_weights(0.1, weights),
        optax.scale_by_learning_rate(learning_rate),
    )


MUON = {"momentum": 0.8, "beta1": 0.7, "beta2": 0.95, "epsilon": 1e-3, "weight_decay": 0.1}
PAIRS = {
    "sgd": (optimizer("sgd", 0.1), optax.sgd(0.1)),
    "sgd, scheduled": (optimizer("sgd", ETA), optax.sgd(OPTAX_ETA)),
    "momentum": (optimizer("momentum", 0.1, momentum=0.8), optax.sgd(0.1, 0.8)),
    "nesterov, scheduled": (optimizer("nesterov", ETA), optax.sgd(OPTAX_ETA, 0.9, nesterov=True)),
    "adam": (optimizer("adam", 0.1, beta1=0.8, beta2=0.95, epsilon=1e-3), optax.adam(0.1, 0.8, 0.95, 1e-3)),
    "adamw": (optimizer("adamw", 0.01, weight_decay=0.1), optax.adamw(0.01, weight_decay=0.1)),
    "adamw, scheduled, weights only": (
        optimizer("adamw", ETA, weight_decay=0.1, decayed=weights),
        optax.adamw(OPTAX_ETA, weight_decay=0.1, mask=weights),
    ),
    "muon": (optimizer("muon", 0.1, **MUON, decayed=weights), optax_muon(0.1)),
    "muon, scheduled": (optimizer("muon", ETA, **MUON, decayed=weights), optax_muon(OPTAX_ETA)),
    "clipped momentum": (
        optimizer("momentum", 0.1, clip_norm=1.0),
        optax.chain(optax.clip_by_global_norm(1.0), optax.sgd(0.1, 0.9)),
    ),
    "momentum with L2": (
        chain(clip_by_global_norm(1.0), add_decayed_weights(0.1), optimizer("momentum", 0.1)),
        optax.chain(optax.clip_by_global_norm(1.0), optax.add_decayed_weights(0.1), optax.sgd(0.1, 0.9)),
    ),
    "optax's parts in our chain": (
        chain(optax.clip_by_global_norm(1.0), trace(0.9), optax.scale_by_learning_rate(0.1)),
        optax.chain(optax.clip_by_global_norm(1.0), optax.sgd(0.1, 0.9)),
    ),
    "our parts in optax's chain": (
        optax.chain(clip_by_global_norm(1.0), scale_by_adam(), optax.scale_by_learning_rate(0.1)),
        optax.chain(optax.clip_by_global_norm(1.0), optax.adam(0.1)),
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_two_hundred_steps_are_optaxs(name: str):
    ours, theirs = PAIRS[name]
    tolerance = 1e-6 if "scheduled" in name else 1e-12  # a rate computed from an int32 step is a float32 even here
    with jax.enable_x64(True):
        assert_same(over(ours), over(theirs, optax.apply_updates), tolerance)


@pytest.mark.parametrize("name", ["nesterov, scheduled", "adamw, scheduled, weights only"])
def test_steps_in_float32_are_optaxs(name: str):
    ours, theirs = PAIRS[name]
    found = over(ours, dtype=np.float32)
    assert all(leaf.dtype == np.float32 for leaf in jax.tree.leaves(found))
    assert_same(found, over(theirs, optax.apply_updates, np.float32), 5e-6)


def test_the_first_steps_by_hand():
    """One parameter at 1 with gradient 2, twice; η = 0.1."""

    def two_steps(transformation) -> list[float]:
        params, grads = jnp.float32(1), jnp.float32(2)
        opt_state, found = transformation.init(params), []
        for _ in range(2):
            updates, opt_state = transformation.update(grads, opt_state, params)
            params = apply_updates(params, updates)
            found.append(float(params))
        return found

    assert two_steps(optimizer("sgd", 0.1)) == pytest.approx([0.8, 0.6])
    assert two_steps(optimizer("momentum", 0.1, momentum=0.5)) == pytest.approx([0.8, 0.5])  # v = 2, 3
    assert two_steps(optimizer("nesterov", 0.1, momentum=0.5)) == pytest.approx([0.7, 0.35])  # steps by 3, 3.5
    assert two_steps(optimizer("adam", 0.1)) == pytest.approx([0.9, 0.8], abs=1e-5)  # a steady gradient: η a step
    assert two_steps(optimizer("adamw", 0.1, weight_decay=0.5)) == pytest.approx([0.85, 0.7075], abs=1e-5)


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match="no optimiser 'adamx'"):
        optimizer("adamx", 0.1)

"""A batch in shards, which devices share: the bits depend on the number of shards, and not on that of devices.

Every device runs the same program on a mesh with one axis. It loops over its own shards, one after the other. The
shapes in the loop's body depend on the number of shards alone, so XLA compiles it alike for every number of devices.
Sums are a balanced tree over the shards in their order. A device has neighbouring shards, a power of two of them, so
its own sum is a branch of that tree.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

AXIS = "shards"
Function = Callable[..., Any]


def sum_over_shards(of_shard: Function, shards: int, step: jax.Array) -> Any:
    """The sum of `of_shard(0)` … `of_shard(shards - 1)`, trees of float32, on every device of the mesh axis AXIS."""
    mine = shards // jax.lax.axis_size(AXIS)
    zero = jnp.minimum(step, 0)  # XLA does not know that it is 0, so it cannot unroll a loop of one shard
    first = jax.lax.axis_index(AXIS) * mine + zero
    like = jax.eval_shape(of_shard, first)

    def body(shard: jax.Array, rows: Any) -> Any:
        put = functools.partial(jax.lax.dynamic_update_index_in_dim, index=shard - first, axis=0)
        return jax.tree.map(put, rows, of_shard(shard))

    rows = jax.tree.map(lambda leaf: jnp.zeros((mine, *leaf.shape), leaf.dtype), like)
    rows = jax.lax.fori_loop(first, first + mine, body, rows)
    ours, unravel = ravel_pytree(jax.tree.map(_tree_sum, rows))  # one message
    return unravel(_tree_sum(jax.lax.all_gather(ours, AXIS)))


def without_division(function: Function) -> Function:
    """The same function of trees of arrays with x·(1/y) for every x/y.

    If divisions have the same divisor, XLA makes factors of it or not, depending on the number of devices.
    """

    def changed(*trees: Any) -> Any:
        closed, shapes = jax.make_jaxpr(function, return_shape=True)(*trees)
        results = _evaluate(closed.jaxpr, closed.consts, *jax.tree.leaves(trees))
        return jax.tree.unflatten(jax.tree.structure(shapes), results)

    return changed


def _evaluate(jaxpr: Any, consts: list[Any], *arguments: Any) -> list[Any]:
    values = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*consts, *arguments], strict=True))
    for line in jaxpr.eqns:
        inputs = [each.val if hasattr(each, "val") else values[each] for each in line.invars]
        if line.primitive is jax.lax.div_p and jnp.issubdtype(line.outvars[0].aval.dtype, jnp.floating):
            results = jax.lax.mul(inputs[0], 1 / inputs[1])
        elif line.primitive.name in ("jit", "pjit"):
            results = _evaluate(line.params["jaxpr"].jaxpr, line.params["jaxpr"].consts, *inputs)
        else:
            results = line.primitive.bind(*inputs, **line.primitive.get_bind_params(line.params))
        values |= zip(line.outvars, results if isinstance(results, list | tuple) else [results], strict=True)
    return [each.val if hasattr(each, "val") else values[each] for each in jaxpr.outvars]


def _tree_sum(rows: jax.Array) -> jax.Array:
    """The sum of a power of two of rows: neighbours first, then neighbours of these sums, and so on."""
    while len(rows) > 1:
        rows = rows[::2] + rows[1::2]
    return rows[0]


def take_shard(values: jax.Array, shard: jax.Array, shards: int) -> jax.Array:
    """Part number `shard` of `shards` equal parts of an array."""
    size = len(values) // shards
    return jax.lax.dynamic_slice_in_dim(values, shard * size, size)

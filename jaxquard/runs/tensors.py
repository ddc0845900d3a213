"""Pytrees as safetensors: every leaf under the name of its path.

safetensors cannot execute code, but its reader is lenient about names and contents. Here a file must match the expected
structure exactly: the same names, shapes and types.
"""

import json
from typing import Any

import jax
import numpy as np
import safetensors
import safetensors.numpy

from jaxquard import strict_json
from jaxquard.errors import RunError
from jaxquard.nn.model import path_name
from jaxquard.training.randomness import IMPLEMENTATION

MAX_HEADER = 1 << 20  # bytes; a network of a thousand layers needs a tenth of it


def _is_key(leaf: Any) -> bool:
    return jax.numpy.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def to_bytes(tree: Any, metadata: dict[str, str] | None = None) -> bytes:
    """A pytree of arrays (random keys included) as the bytes of a safetensors file."""
    arrays = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        arrays[path_name(path)] = np.asarray(jax.random.key_data(leaf) if _is_key(leaf) else leaf, order="C")
    data = safetensors.numpy.save(arrays, metadata)
    if metadata is None:
        return data
    header, end = _header(data), 8 + int.from_bytes(data[:8], "little")
    text = json.dumps(header | {"__metadata__": metadata}).encode()  # safetensors puts the metadata in any order
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data[end:]


def from_bytes(data: bytes, name: str) -> dict[str, np.ndarray]:
    """The arrays of a safetensors file by name; RunError that names the file if it is damaged."""
    try:
        header = _header(data)
        arrays = safetensors.numpy.load(data)
    except (safetensors.SafetensorError, ValueError, KeyError, MemoryError, OverflowError, AttributeError) as error:
        raise RunError(f"{name}: not a valid safetensors file ({str(error)[:200]})") from error
    if set(header) - {"__metadata__"} != set(arrays):
        raise RunError(f"{name}: its header and its tensors disagree")
    return arrays


def metadata(data: bytes) -> dict[str, str]:
    """The metadata of a safetensors file whose bytes `from_bytes` has checked."""
    return _header(data).get("__metadata__", {})


def _header(data: bytes) -> dict[str, Any]:
    size = int.from_bytes(data[:8], "little")
    if size > MAX_HEADER:
        raise ValueError(f"its header claims to be {size} bytes long, at byte 0")
    header = strict_json.loads(data[8 : 8 + size])
    if not isinstance(header, dict):
        raise ValueError("its header is not an object, at byte 8")
    return header


def restore(arrays: dict[str, np.ndarray], like: Any, name: str) -> Any:
    """The arrays in the structure of `like` (arrays or their shapes and types); RunError unless all match."""
    expected = jax.tree_util.tree_leaves_with_path(like)
    names = {path_name(path) for path, _ in expected}
    for stranger in sorted(set(arrays) - names):
        raise RunError(f"{name}: holds {stranger!r}, which this network does not have")
    leaves = [_leaf(arrays, path_name(path), leaf, name) for path, leaf in expected]
    return jax.tree.unflatten(jax.tree.structure(like), leaves)


def _leaf(arrays: dict[str, np.ndarray], leaf_name: str, like: Any, name: str) -> jax.Array:
    if leaf_name not in arrays:
        raise RunError(f"{name}: lacks {leaf_name!r}")
    array, key = arrays[leaf_name], _is_key(like)
    shape, dtype = ((*like.shape, 2), np.uint32) if key else (like.shape, like.dtype)
    if array.shape != shape or array.dtype != dtype:
        raise RunError(f"{name}: {leaf_name} is {array.dtype}{list(array.shape)}, should be {dtype}{list(shape)}")
    copy = jax.device_put(array, may_alias=False)  # a leaf that shares the file's buffer cannot be donated
    return jax.random.wrap_key_data(copy, impl=IMPLEMENTATION) if key else copy

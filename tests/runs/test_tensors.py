"""Pytrees to safetensors and back, bit for bit; every kind of damage is detected and named."""

import json
import struct

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxquard.errors import RunError
from jaxquard.runs import tensors

TREE = {
    "params": [{"w": jnp.arange(6.0).reshape(2, 3).T, "b": jnp.array([jnp.nan, jnp.inf, -0.0])}],
    "key": jax.random.key(3),
    "keys": jax.random.split(jax.random.key(4), 5),
    "step": jnp.int32(7),
    "empty": (),
}


def file_of(header: object, body: bytes = b"", size: int | None = None) -> bytes:
    """A safetensors file with this header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if size is None else size) + text + body


def test_every_leaf_comes_back_bit_for_bit():
    arrays = tensors.from_bytes(tensors.to_bytes(TREE), "file")
    assert sorted(arrays) == ["key", "keys", "params/0/b", "params/0/w", "step"]
    back = tensors.restore(arrays, jax.eval_shape(lambda: TREE), "file")
    assert jax.tree.structure(back) == jax.tree.structure(TREE)
    for a, b in zip(jax.tree.leaves(TREE), jax.tree.leaves(back), strict=True):
        assert a.dtype == b.dtype
        if jnp.issubdtype(a.dtype, jax.dtypes.prng_key):
            a, b = jax.random.key_data(a), jax.random.key_data(b)
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()


def test_metadata_comes_back():
    assert tensors.metadata(tensors.to_bytes(TREE, {"format": "x"})) == {"format": "x"}
    assert tensors.metadata(tensors.to_bytes(TREE)) == {}


ONE = {"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}
DAMAGED = {
    "empty": b"",
    "short": b"\1\2\3",
    "no header": struct.pack("<Q", 2),
    "a header longer than the file": file_of(ONE, size=10**6),
    "a header of exabytes": file_of(ONE, size=2**63),
    "not JSON": file_of(b"{'a': 1}"),
    "a list": file_of([1, 2]),
    "a number": file_of(5),
    "not UTF-8": file_of(b'{"\xff": 1}'),
    "nested": file_of(b"[" * 50_000),
    "a key twice": file_of(b'{"a":%s,"a":%s}' % ((json.dumps(ONE["a"]).encode(),) * 2), bytes(4)),
    "an unknown type": file_of({"a": {"dtype": "F7", "shape": [1], "data_offsets": [0, 4]}}, bytes(4)),
    "a shape for more than there is": file_of({"a": {"dtype": "F32", "shape": [9], "data_offsets": [0, 4]}}, bytes(4)),
    "a shape of petabytes": file_of({"a": {"dtype": "F32", "shape": [2**50], "data_offsets": [0, 4]}}, bytes(4)),
    "a negative shape": file_of({"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}, bytes(4)),
    "offsets beyond the end": file_of({"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}, bytes(4)),
    "offsets backwards": file_of({"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 0]}}, bytes(4)),
    "no offsets": file_of({"a": {"dtype": "F32", "shape": [1]}}, bytes(4)),
    "a short body": file_of(ONE, bytes(3)),
    "trailing bytes": file_of(ONE, bytes(5)),
    "overlapping tensors": file_of(ONE | {"b": ONE["a"]}, bytes(4)),
    "metadata that is no text": file_of(ONE | {"__metadata__": {"a": 1}}, bytes(4)),
    "a null": file_of({"a": None}, bytes(4)),
}


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED.keys())
def test_damage_is_one_error_that_names_the_file(data):
    with pytest.raises(RunError, match=r"^model\.safetensors: "):
        tensors.from_bytes(data, "model.safetensors")


def restored(tree: object) -> None:
    tensors.restore(tensors.from_bytes(tensors.to_bytes(tree), "file"), jax.eval_shape(lambda: TREE), "file")


def test_a_missing_leaf_is_named():
    with pytest.raises(RunError, match="file: lacks 'params/0/b'"):
        restored(TREE | {"params": [{"w": TREE["params"][0]["w"]}]})


@pytest.mark.parametrize("name", ["more", "../../x", "/etc/passwd"])
def test_a_leaf_too_many_is_named(name):
    with pytest.raises(RunError, match="which this network does not have"):
        restored(TREE | {name: jnp.zeros(2)})


@pytest.mark.parametrize("step", [jnp.float32(7), jnp.zeros(2, jnp.int32)])
def test_a_leaf_of_another_type_or_shape_is_named(step):
    with pytest.raises(RunError, match=r"file: step is .*, should be int32\[\]"):
        restored(TREE | {"step": step})

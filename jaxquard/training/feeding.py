"""Gives the steps their examples: data on the device as they are, data in main memory in parts.

While the device makes the steps of one part, a thread gathers the examples of the next in the epoch's order.
"""

import functools
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxquard.training.task import Task

PART = 32 << 20  # bytes of images in a part, unless a single step has more


class Part(NamedTuple):
    """`arrays`: the examples of this part's steps, which end before step `end` of the epoch. `orders` (networks,
    examples): like the epoch's order, but with positions in `arrays`.
    """

    orders: Any
    arrays: Any
    end: int


class Whole:
    """Data on the device: an epoch is one part."""

    def __init__(self, arrays: Any, orders: Callable[[int], jax.Array]) -> None:
        self.arrays, self.orders = arrays, functools.lru_cache(maxsize=1)(orders)

    def at(self, epoch: int, step: int) -> Part:
        """The part with this step of an epoch."""
        return Part(self.orders(epoch), self.arrays, 1 << 31)

    def close(self) -> None:
        """Nothing to let go of."""


class InParts:
    """Data in main memory: `arrays` of NumPy or None, the images first. `place` puts a tree on the devices."""

    def __init__(self, arrays: Any, orders: Callable[[int], jax.Array], task: Task, networks: int, place: Any) -> None:
        self.arrays, self.networks, self.place = arrays, networks, place
        self.batch, self.steps = task.config.batch_size, task.steps_per_epoch
        self.size = min(self.steps, max(1, PART // (networks * self.batch * arrays[0][0].nbytes)))
        self.orders = functools.lru_cache(maxsize=2)(orders)
        self.thread, self.gathered = ThreadPoolExecutor(1, "feeding"), dict[tuple[int, int], Future[Part]]()

    def at(self, epoch: int, step: int) -> Part:
        """The part with this step of an epoch. The thread then gathers the next part.

        The orders are made in the calling thread, because JAX's settings may be this thread's.
        """
        first = step // self.size * self.size
        following = (epoch, first + self.size) if first + self.size < self.steps else (epoch + 1, 0)
        parts = ((epoch, first), following)
        self.gathered = {part: self.gathered.get(part) or self._start(*part) for part in parts}
        return self.gathered[epoch, first].result()

    def close(self) -> None:
        """Let go of the thread and the parts."""
        self.gathered = {}
        self.thread.shutdown(cancel_futures=True)

    def _start(self, epoch: int, first: int) -> Future[Part]:
        return self.thread.submit(self._gather, self.orders(epoch), first)

    def _gather(self, orders: jax.Array, first: int) -> Part:
        order, begin, length = np.asarray(orders), first * self.batch, self.size * self.batch
        rows = order.take(range(begin, begin + length), axis=1, mode="clip").ravel()  # the last part may be shorter
        positions = np.arange(order.shape[1]) - begin + length * np.arange(self.networks)[:, None]
        examples = jax.tree.map(lambda values: values[rows], self.arrays)
        placed = jax.device_put(positions.astype(np.int32))  # like the networks' state, on the default device
        return Part(placed, self.place(examples), min(first + self.size, self.steps))

"""The devices of a training: the checks that JAX has one, how many are used, and for what.

Only the training steps run on several devices. Each call copies the state to them and back to the default device, so
nothing else knows how many devices there are.
"""

import math
import os
from collections.abc import Callable
from typing import Any, Literal

import jax
import numpy as np
from jax import Device
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxquard.errors import JaxquardError, UsageError
from jaxquard.training.shards import AXIS

Asked = int | Literal["all"] | None
Group = tuple[Device, ...]
Groups = tuple[Group, ...]

REFUSED = {  # setting of JAX -> the values that Jaxquard refuses, and why
    "jax_enable_x64": ((True,), "Jaxquard computes in single precision"),
    "jax_transfer_guard_host_to_device": (("disallow", "disallow_explicit"), "Jaxquard moves data to the device"),
    "jax_numpy_rank_promotion": (("raise",), "Jaxquard adds a vector to every row of a matrix"),
}


def check_jax() -> None:
    """JaxquardError if JAX has no device; UsageError if one of its settings is in REFUSED."""
    settings: Any = jax.config
    for name, (values, why) in REFUSED.items():
        if (value := getattr(settings, name)) in values:
            raise UsageError(f"JAX is set to {name}={value}, but {why}: turn that off")
    try:
        jax.devices()
    except Exception as error:  # an AssertionError for a JAX without CUDA, a RuntimeError for an unknown device
        asked = {"JAX_PLATFORMS": settings.jax_platforms, "JAX_PLATFORM_NAME": os.environ.get("JAX_PLATFORM_NAME")}
        remedy = "jaxquard doctor may find the cause"
        for name, value in asked.items():
            if value:
                remedy = f"unset {name}, which asks for {value!r}, or install JAX for it"
        raise JaxquardError(f"JAX finds no device to compute on: {remedy}") from error


def memory() -> float:
    """The bytes of the default device's memory; infinite if JAX does not limit it, as on a CPU."""
    return (jax.local_devices()[0].memory_stats() or {}).get("bytes_limit", math.inf)


def share(asked: Asked, networks: int, shards: int) -> Groups:
    """The devices of each group. Groups train different networks; the devices of a group share the shards of a batch.
    () stands for the default device.

    `asked`: how many of this process's devices to use (None: one CPU, or all accelerators that have something to do).
    Networks are spread over groups first. Several processes form one group. UsageError if a device would be idle.
    """
    check_jax()
    processes = jax.process_count()
    counts = [len(jax.local_devices(process_index=process)) for process in range(processes)]
    alone, mine = processes == 1, min(counts)
    if not isinstance(asked, int) and mine < max(counts):
        raise UsageError(f"devices: some processes have {mine}, others {max(counts)}; give --devices {mine}")
    if isinstance(asked, int) and asked > mine:
        here = f"devices: JAX has {mine} here, not {asked}"
        raise UsageError(f"{here} (JAX_NUM_CPU_DEVICES={asked} makes {asked} of a CPU)" if _is_cpu() else here)
    most = asked if isinstance(asked, int) else 1 if asked is None and alone and _is_cpu() else mine
    for wanted in [most] if asked else range(most, 0, -1):
        for groups in range(min(networks, wanted) if alone else 1, 0, -1):
            if wanted % groups == 0 and shards % (wanted // groups * processes) == 0:
                return () if wanted * processes == 1 else _groups(wanted, groups)
    total = most * processes
    remedy = f"give --shards {total}" if total & (total - 1) == 0 else "take a power of two, with as many --shards"
    of = f"{networks} networks with batches" if networks > 1 else "a batch"
    raise UsageError(f"devices: {total} cannot evenly share {of} of {shards} shard{'s'[: shards > 1]}; {remedy}")


def _is_cpu() -> bool:
    return jax.default_backend() == "cpu"


def _groups(used: int, groups: int) -> Groups:
    """The first `used` devices of every process, in this number of groups."""
    first = [d for p in range(jax.process_count()) for d in jax.local_devices(process_index=p)[:used]]
    size = len(first) // groups
    return tuple(tuple(first[k * size : (k + 1) * size]) for k in range(groups))


class Run:
    """`run_steps`, compiled at its first call for these devices, or without any for the default device.

    Every argument is copied to each device, and the result is on the default one. Copies that are already there are
    used, and those of the first argument are given up.
    """

    def __init__(self, run_steps: Callable[..., Any], devices: Group = ()) -> None:
        if devices:
            mesh, everywhere = Mesh(np.array(devices), AXIS), PartitionSpec()
            run_steps = jax.shard_map(run_steps, mesh=mesh, in_specs=everywhere, out_specs=everywhere, check_vma=False)
        self.devices, self.jitted, self.compiled = devices, jax.jit(run_steps, donate_argnums=0), dict[Any, Any]()

    def __call__(self, *arguments: Any) -> Any:
        return self._off(self.jitted(*self._on(arguments)))

    def for_threads(self, *arguments: Any) -> Callable[..., Any]:
        """The same for arguments of these shapes. It is compiled here, because JAX's settings may be this thread's."""
        settings: Any = jax.config
        if settings.jax_disable_jit:
            return self
        traced = self.jitted.trace(*self._on(arguments))
        if traced.jaxpr not in self.compiled:
            self.compiled[traced.jaxpr] = traced.lower().compile()
        return lambda *arguments: self._off(self.compiled[traced.jaxpr](*self._on(arguments)))

    def _on(self, arguments: Any) -> Any:
        return on_devices(self.devices, arguments) if self.devices else arguments

    def _off(self, result: Any) -> Any:
        return off_devices(result) if self.devices else result


def on_devices(devices: Group, tree: Any) -> Any:
    """The arrays of a tree with a copy on each of these devices; each process copies its own."""
    sharding = NamedSharding(Mesh(np.array(devices), AXIS), PartitionSpec())
    own = [device for device in devices if device.process_index == jax.process_index()]

    def copied(leaf: Any) -> jax.Array:
        there = {shard.device: shard.data for shard in leaf.addressable_shards} if isinstance(leaf, jax.Array) else {}
        copies = [there[device] if device in there else jax.device_put(leaf, device) for device in own]
        return jax.make_array_from_single_device_arrays(np.shape(leaf), sharding, copies)

    return jax.tree.map(copied, tree)


def off_devices(tree: Any) -> Any:
    """The arrays of a tree on the default device."""
    return jax.device_put(jax.tree.map(lambda leaf: leaf.addressable_data(0), tree), jax.local_devices()[0])

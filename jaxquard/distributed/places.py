"""Which of how many processes this one is, and where the first one is: from options, the environment or the cluster."""

import ipaddress
import os
from collections.abc import Sequence
from typing import NamedTuple

from jaxquard.arguments import checked_number, number
from jaxquard.errors import UsageError

NAMES = ("coordinator", "process_id", "processes")
# of Kubeflow Trainer: jax.distributed itself reads only the first
TRAINER = dict(zip(NAMES, ("JAX_COORDINATOR_ADDRESS", "JAX_PROCESS_ID", "JAX_NUM_PROCESSES"), strict=True))
CLUSTERS = (  # a variable that only a process of a cluster has, and the one with its number of processes
    ("SLURM_STEP_NODELIST", "SLURM_STEP_NUM_TASKS"),
    ("OMPI_MCA_orte_hnp_uri", "OMPI_COMM_WORLD_SIZE"),
    ("JOB_COMPLETION_INDEX", None),  # an indexed job of Kubernetes; its size is asked of the cluster
)


class Place(NamedTuple):
    """The address of rank 0, this process's number, the number of processes, and the GPUs it may use (None: all)."""

    host: str
    port: int
    number: int
    total: int
    devices: Sequence[int] | None = None

    @property
    def is_loopback(self) -> bool:
        """Whether rank 0 can be reached from this machine only."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def place(coordinator: str | None, process_id: int | None, processes: int | None) -> Place | None:
    """This process's place, by options, else JAXQUARD_…, else the cluster's variables; None if it trains alone.

    UsageError if a part is missing or wrong.
    """
    options = dict(zip(NAMES, (coordinator, process_id, processes), strict=True))
    own = {name: os.environ.get(f"JAXQUARD_{name.upper()}") or None for name in NAMES}
    given = {name: options[name] if options[name] is not None else own[name] for name in NAMES}
    if all(value is None for value in given.values()):
        given = {name: os.environ.get(variable) for name, variable in TRAINER.items()}
        if None in given.values():
            return _of_cluster()
    if given["coordinator"] is None and str(given["processes"]) == "1":
        return None  # also in a cluster
    if missing := [name for name in NAMES if given[name] is None]:
        flags = " and ".join(f"--{name.replace('_', '-')}" for name in missing)
        variables = " and ".join(f"JAXQUARD_{name.upper()}" for name in missing)
        raise UsageError(f"several processes: also give {flags} (or {variables})")
    host, _, port = str(given["coordinator"]).rpartition(":")
    if not host.strip("[]") or not port.isascii() or not port.isdigit():
        raise UsageError(f"coordinator: must be HOST:PORT, such as 10.0.0.1:4321, not {given['coordinator']!r}")
    total = _number("processes", given["processes"], low=1, high=1 << 16)
    own_number = _number("process_id", given["process_id"], low=0, high=total - 1)
    return Place(host.strip("[]"), _number("coordinator's port", port, low=1, high=65535), own_number, total)


def _number(name: str, value: object, low: int, high: int) -> int:
    try:
        return checked_number(name, int, number(value) if isinstance(value, str) else value, low=low, high=high)
    except ValueError:
        raise UsageError(f"{name}: must be a whole number, not {str(value)[:60]!r}") from None


def _of_cluster() -> Place | None:
    """The place that a cluster gives, as `jax.distributed` finds it. Needs JAX only in a cluster."""
    sizes = {mark: os.environ.get(size, "2") if size else "2" for mark, size in CLUSTERS if mark in os.environ}
    if not sizes or "1" in sizes.values():
        return None
    from jax._src.clusters import ClusterEnv

    try:
        found = ClusterEnv.auto_detect_unset_distributed_params(None, None, None, None, None, 10)
    except Exception as error:
        raise UsageError(f"the other processes of this job cannot be found: {str(error).splitlines()[0]}") from error
    address, total, own_number, devices = found
    if not address or total is None or own_number is None:
        raise UsageError(
            f"{next(iter(sizes))} is set, but jax.distributed does not know this cluster: "
            "give --coordinator, --process-id and --processes"
        )
    host, _, port = address.rpartition(":")
    return Place(host.strip("[]"), int(port), own_number, total, devices) if total > 1 else None

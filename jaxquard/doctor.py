"""Checks of the installation, each with a remedy.

A wrong library does not always crash. jaxlib 0.10.2 computes some reductions wrongly without an error, and networks
trained with it are only a little worse. So these checks compute known results and compare every bit. They never raise,
download or change anything; a check that cannot run counts as failed.
"""

import importlib.util
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np

from jaxquard.errors import JaxquardError
from jaxquard.files import existing, is_writable
from jaxquard.installed import how_to_add, how_to_renew_jax, plugins
from jaxquard.naming import counted
from jaxquard.systems import cores

OLDEST_PYTHON = (3, 11)
WRONG_JAXLIB = {  # release -> its faults
    "0.10.2": "computes some reductions wrongly (jax-ml/jax#39103) and crashes on others (#39257, #40412)",
    "0.11.0": "computes some reductions wrongly (jax-ml/jax#39741) and crashes or hangs on others (#39257)",
}
EXTRAS = {  # extra of pyproject.toml -> its modules
    "charts": ("vl_convert",),
    "heif": ("pillow_heif",),
    "notebooks": ("ipykernel", "vl_convert"),
    "onnx": ("onnx",),
    "parquet": ("pyarrow",),
    "sklearn": ("sklearn",),
    "studio": ("starlette", "uvicorn"),
    "tensorboard": ("tensorboardX",),
}
REPEATS = 200  # of one sum: enough to detect a fault in one call of fifty, within half a second
ENOUGH = 10**9  # bytes, of memory and of disk
VISUAL_C = "install Microsoft's Visual C++ Redistributable (https://aka.ms/vs/17/release/vc_redist.x64.exe)"


@dataclass(frozen=True)
class Check:
    """A check and its result. `ok` is None for a warning; `remedy` says what to do, and is None if `ok` is true."""

    name: str
    ok: bool | None
    detail: str
    remedy: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "remedy", None if self.ok else self.remedy)


def run_checks(data_dir: Path | None, runs: Path) -> list[Check]:
    """Run every check, in the order in which faults should be mended. Never raises. Takes about three seconds."""
    groups: dict[str, Callable[[], Iterator[Check]]] = {
        "Python": check_python,
        "JAX": check_jax,
        "devices": check_devices,
        "arithmetic": check_arithmetic,
        "compiled programs": check_compilation_cache,
        "data": partial(check_data, data_dir),
        "data folder": partial(check_data_folder, data_dir),
        "disk": partial(check_disk, data_dir, runs),
        "memory": check_memory,
        "extras": check_extras,
    }
    return [check for name, group in groups.items() for check in _attempt(name, group)]


def healthy(checks: list[Check]) -> bool:
    """Whether no check failed; warnings are allowed."""
    return all(check.ok is not False for check in checks)


def as_json(checks: list[Check]) -> dict:
    """The checks as one JSON-ready document."""
    return {"healthy": healthy(checks), "checks": [asdict(check) for check in checks]}


def _attempt(name: str, group: Callable[[], Iterator[Check]]) -> list[Check]:
    try:
        return list(group())
    except Exception as fault:
        detail = ": ".join(filter(None, ["could not be checked", type(fault).__name__, " ".join(str(fault).split())]))
        asked = os.environ.get("JAX_PLATFORMS") or "cpu"  # empty: any
        remedy = VISUAL_C if "DLL load failed" in str(fault) else how_to_renew_jax()
        if asked != "cpu":
            remedy = f"unset JAX_PLATFORMS, which asks for {asked}; or {remedy}"
        return [Check(name, False, detail[:300], remedy)]


def check_python() -> Iterator[Check]:
    """The version of Python."""
    found, oldest = ".".join(map(str, sys.version_info[:3])), ".".join(map(str, OLDEST_PYTHON))
    ok = sys.version_info >= OLDEST_PYTHON
    yield Check("Python", ok, f"{found} at {sys.executable}", f"install Python {oldest} or newer")


def check_jax() -> Iterator[Check]:
    """jax and jaxlib: installed, without known faults, of the same version as each other and their plugins."""
    jax, jaxlib = version("jax"), version("jaxlib")
    versions = f"jax {jax}, jaxlib {jaxlib}"
    if fault := WRONG_JAXLIB.get(jaxlib):
        yield Check("JAX", False, f"{versions}: this jaxlib {fault}", how_to_renew_jax())
    elif jax.split(".")[:3] != jaxlib.split(".")[:3]:
        yield Check("JAX", None, f"{versions}: their versions differ", how_to_renew_jax())
    else:
        yield Check("JAX", True, versions)
    for name, (found, needed, _) in plugins().items():
        if found.split(".")[:3] != needed.split(".")[:3]:
            detail = f"{name} {found}: jax {jax} needs {needed}, and may not use the accelerator"
            yield Check("JAX plugin", None, detail, f"{how_to_renew_jax()}, then restart Python")


def check_devices() -> Iterator[Check]:
    """The devices that JAX uses, and accelerators that it does not see."""
    import jax

    devices = jax.devices()
    found = f"{len(devices)} x {devices[0].device_kind} ({jax.default_backend()}), {cores()} processor cores"
    unseen = _accelerator() if jax.default_backend() == "cpu" else None
    if unseen is None:
        yield Check("devices", True, found)
    elif os.environ.get("JAX_PLATFORMS", "").split(",")[0] == "cpu":
        yield Check("devices", None, f"{found}; {unseen} is not used", "unset JAX_PLATFORMS to use it")
    else:
        remedy = "install JAX for it as https://docs.jax.dev/en/latest/installation.html says"
        yield Check("devices", None, f"{found}; JAX does not see {unseen}", remedy)


def _accelerator() -> str | None:
    """The kind of accelerator that the system reports, or None. Not Apple's GPUs: JAX may not support them."""
    if any(Path("/dev").glob("nvidia[0-9]*")) or _runs("nvidia-smi", "-L"):
        return "an NVIDIA GPU"
    if Path("/dev/kfd").exists():
        return "an AMD GPU"
    return "a TPU" if any(Path("/dev").glob("accel[0-9]*")) else None


def _runs(*command: str) -> bool:
    """Whether the command exists, succeeds and prints something."""
    try:
        done = subprocess.run(command, capture_output=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return False
    return bool(done.stdout.strip())


def check_arithmetic() -> Iterator[Check]:
    """Known results, compared bit for bit on the device that training uses."""
    import jax

    if jax.numpy.zeros(()).dtype != np.float32:
        detail = "JAX has double precision on, Jaxquard computes in single"
        yield Check("arithmetic", False, detail, "unset JAX_ENABLE_X64")
        return
    with jax.default_matmul_precision("highest"), jax.threefry_partitionable(True):
        wrong = [_difference(*answer) for answer in _answers() if not np.array_equal(answer[1], answer[2])]
    if wrong:
        remedy = f"trust no result of this JAX; {how_to_renew_jax()}"
        yield Check("arithmetic", False, "; ".join(wrong), remedy)
    else:
        yield Check("arithmetic", True, "every known result is right")


def _answers() -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """(name, computed, right). Each right result is exact in float32, so no tolerance is needed."""
    import jax
    import jax.numpy as jnp

    integers = np.random.default_rng(0).integers(-8, 8, (96, 784))
    x, w = integers[:64].astype(np.float32), integers[64:].T.astype(np.float32)
    exact = integers[:64] @ integers[64:].T

    counts = np.arange(32_769, dtype=np.float32)
    rows = np.stack([counts, 0 * counts, 0 * counts], axis=1)
    square = jax.jit(jax.vmap(lambda row: jnp.sum((jnp.eye(3) @ row) ** 2)))
    yield "a matrix-vector product summed under vmap", np.asarray(square(rows)), counts**2  # jax-ml/jax#39103

    yield "a matrix product", np.asarray(jax.jit(jnp.matmul)(x, w)), exact
    yield "a sum", np.asarray(jax.jit(jnp.sum)(x)), np.asarray(integers[:64].sum())
    for shape in ((4, 512, 512), (8, 512, 256)):  # jax-ml/jax#39741: threads race, and about one call in fifty is wrong
        total = jax.jit(lambda column, shape=shape: jnp.sum(jnp.broadcast_to(column, shape)))
        sums = jax.device_get([total(np.ones((512, 1), np.float32)) for _ in range(REPEATS)])
        yield f"the same sum, {REPEATS} times", np.asarray(sums), np.full(REPEATS, math.prod(shape))
    slope = jax.jit(jax.grad(lambda w: jnp.sum((x @ w) ** 2) / 2))(w)
    yield "a gradient", np.asarray(slope), integers[:64].T @ exact

    key = jax.random.key(0, impl="threefry2x32")
    order = jax.random.permutation(key, 10_000)
    yield "a sorted permutation", np.asarray(jnp.sort(order)), np.arange(10_000)
    # Random123 publishes 6b200159 99ba4efe for counter 0, key 0; JAX returns their exclusive or.
    yield "random bits", np.asarray(jax.random.bits(key)), np.asarray(0x6B200159 ^ 0x99BA4EFE)


def _difference(name: str, computed: np.ndarray, right: np.ndarray) -> str:
    """`NAME: COMPUTED where RIGHT is right`, for the first difference."""
    if computed.shape != right.shape:
        return f"{name}: shape {computed.shape} where {right.shape} is right"
    first = np.unravel_index(np.argmax(computed != right), right.shape)
    return f"{name}: {computed[first]:.0f} where {right[first]:.0f} is right"


def check_compilation_cache() -> Iterator[Check]:
    """The cache of compiled programs, if any."""
    import jax

    chosen = jax.config.jax_compilation_cache_dir  # pyright: ignore[reportAttributeAccessIssue]
    if not chosen:
        yield Check("compiled programs", True, "not kept, so every start compiles again")
        return
    folder = Path(chosen)
    sizes = [file.stat().st_size for file in folder.glob("*") if file.is_file()]
    kept, ok = f"{counted(len(sizes), 'file')}, {_size(sum(sizes))} in {folder}", is_writable(folder) or None
    detail = kept if ok else f"{kept}, which cannot be written"
    yield Check("compiled programs", ok, detail, "set JAX_COMPILATION_CACHE_DIR")


def check_data(data_dir: Path | None = None) -> Iterator[Check]:
    """Every data set in the cache, verified by SHA-256, and a note if Fashion-MNIST is missing."""
    from jaxquard.data import status

    for data_set in status(data_dir):
        name = f"data: {data_set.name}"
        if data_set.state == "ready" and data_set.size:
            yield Check(name, True, f"{_size(data_set.size)} in {data_set.folder}, verified")
        elif data_set.state == "damaged":
            yield Check(name, False, data_set.detail, f"remove {data_set.folder}: it is fetched again when next needed")
        elif data_set.name == "fashion-mnist":
            yield Check(name, None, f"not in {data_set.folder} yet", "none needed: the first training fetches it")


def check_data_folder(data_dir: Path | None = None) -> Iterator[Check]:
    """Whether the folder of data sets is writable."""
    from jaxquard.data.cache import home

    folder = home(data_dir)
    ok = is_writable(folder) or None
    remedy = "choose another with --data-dir or JAXQUARD_DATA (data already there can still be read)"
    yield Check("data folder", ok, f"{folder} {'can' if ok else 'cannot'} be written", remedy)


def check_disk(data_dir: Path | None, runs: Path) -> Iterator[Check]:
    """Free disk space for data sets and for runs, and whether runs can be written and locked."""
    from jaxquard.data.cache import home
    from jaxquard.runs.lock import check_locks

    if not is_writable(runs.absolute()):
        yield Check("runs folder", False, f"{runs.absolute()} cannot be written", "choose another with --runs")
    else:
        try:
            check_locks(existing(runs.absolute()))
        except JaxquardError as error:
            said, _, remedy = str(error).partition("\n")
            yield Check("runs folder", False, said, remedy.strip("()"))
    for name, folder in {"disk for data": home(data_dir), "disk for runs": runs.absolute()}.items():
        try:
            free = shutil.disk_usage(existing(folder)).free
        except OSError as error:  # a drive that is not there
            yield Check(name, False, f"{folder}: {error.strerror}", "choose another folder or drive")
            continue
        yield Check(name, free >= ENOUGH, f"{_size(free)} free at {folder}", f"free {_size(ENOUGH)} there")


def check_memory() -> Iterator[Check]:
    """Free memory, within the limit of the container."""
    free = _available_memory()
    if free is None:
        yield Check("memory", True, "this system does not report free memory")
    else:
        yield Check("memory", free >= ENOUGH, f"{_size(free)} free", f"close programs until {_size(ENOUGH)} are free")


def _available_memory(root: Path = Path("/")) -> int | None:
    """Bytes: Linux's MemAvailable, or the rest of the container's limit (cgroup v2) if that is less."""
    meminfo, group = root / "proc/meminfo", root / "sys/fs/cgroup"
    if not meminfo.exists():
        return None
    free = 1024 * _entry(meminfo, "MemAvailable:")
    limit = (group / "memory.max").read_text(encoding="ascii").strip() if (group / "memory.max").exists() else "max"
    if limit != "max":
        current = int((group / "memory.current").read_text(encoding="ascii"))
        free = min(free, int(limit) - current + _entry(group / "memory.stat", "inactive_file"))
    return free


def _entry(file: Path, name: str) -> int:
    """The number after `name` in a file with an entry on each line."""
    entries = (line.split() for line in file.read_text(encoding="ascii").splitlines())
    return int({words[0]: words[1] for words in entries}[name])


def check_extras() -> Iterator[Check]:
    """The optional dependencies."""
    there = {extra: all(map(importlib.util.find_spec, modules)) for extra, modules in EXTRAS.items()}
    installed, missing = ([extra for extra in there if there[extra] is ok] for ok in (True, False))
    parts = {"installed": installed, "not installed": missing}
    detail = "; ".join(f"{state}: {', '.join(extras)}" for state, extras in parts.items() if extras)
    yield Check("extras", not missing or None, detail, f"to install those you want: {how_to_add(','.join(missing))}")


def _size(count: int) -> str:
    """Bytes as text: 12 MB, 3.4 GB."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"

"""Where contestants run: an interpreter, the raw files, a cache kept between rounds, empty ones for cold starts."""

import gzip
import os
import platform
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.process import Contestant, Outcome, run
from jaxquard.systems import cores, processor

FILES = {
    "train_images": "train-images-idx3-ubyte.gz",
    "train_labels": "train-labels-idx1-ubyte.gz",
    "test_images": "t10k-images-idx3-ubyte.gz",
    "test_labels": "t10k-labels-idx1-ubyte.gz",
}


@dataclass(frozen=True)
class Arena:
    """`scratch` is removed at the end; `rounds` is the number of repetitions, `epochs` the length of the original
    training (fewer than 20 only to try the harness), `python` the interpreter of the contestants, `limit` their most
    seconds."""

    scratch: Path
    rounds: int = 5
    epochs: int = 20
    python: str | Path = sys.executable
    limit: float = 3600.0

    @property
    def data(self) -> Path:
        """The folder of the four gzip IDX files, and of nothing else."""
        return self.scratch / "raw"

    def with_python(self, python: str | Path) -> "Arena":
        """An arena for another interpreter: the same raw files, its own caches."""
        other = replace(self, scratch=self.scratch / "other", python=python)
        other.scratch.mkdir()
        other.data.symlink_to(self.data)
        return other

    def run(self, command: Sequence[str | Path], cache: Path | None = None) -> Outcome:
        """`python *command`; its caches are those of the arena unless `cache` is another folder."""
        return run(command, cache or self.scratch / "cache", self.python, self.limit)

    def program(self, *command: str | Path) -> Contestant:
        """`python *command`, which keeps its caches between rounds, so that a peer is measured at its best."""
        return lambda _: self.run(command)

    def fresh(self, name: str, k: int) -> Path:
        """A folder for round `k` with the raw files in `data`, and without caches before its first use."""
        folder = self.scratch / name / str(k)
        if not folder.exists():
            self.offer_raw_files(folder / "data")
        return folder

    def offer_raw_files(self, folder: Path) -> None:
        """Make a data directory for the package, which stores its decoded copy in it."""
        folder.mkdir(parents=True)
        for file in FILES.values():
            os.link(self.data / file, folder / file)


def write_raw_files(folder: Path, images: int | None = None) -> None:
    """Write Fashion-MNIST, from any source, as the four gzip IDX files that all systems read. `images`: so many."""
    from jaxquard.data import load
    from jaxquard.data.idx import header

    dataset = load("fashion-mnist", report=lambda line: print(line, file=sys.stderr))
    folder.mkdir(parents=True)
    for role, file in FILES.items():
        values = getattr(dataset, role)[:images].astype("uint8").squeeze()
        (folder / file).write_bytes(gzip.compress(header(values.shape) + values.tobytes(), compresslevel=6))


LIBRARIES = ("jax", "numpy", "torch", "scikit-learn", "keras", "flax", "equinox", "optax")


def versions(arena: Arena) -> dict[str, str]:
    """The versions of an arena's Python and of its JAX."""
    code = "import json, platform; from importlib.metadata import version as v; "
    code += "print(json.dumps({'python': platform.python_version(), 'jax': v('jax')}))"
    return arena.run(("-c", code)).report


def machine(libraries: Iterable[str] = LIBRARIES) -> dict[str, Any]:
    """The machine of the measurement: processor, cores, system, and the versions of Python and the libraries."""
    return {
        "processor": processor()[0],
        "cores": cores(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {library: version(library) for library in libraries},
    }

"""Where contestants meet: a scratch folder with the raw files, a lasting cache, and fresh ones for cold starts."""

import gzip
import os
import platform
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from benchmarks.process import Contestant, run
from jaxquard.systems import processor

FILES = {
    "train_images": "train-images-idx3-ubyte.gz",
    "train_labels": "train-labels-idx1-ubyte.gz",
    "test_images": "t10k-images-idx3-ubyte.gz",
    "test_labels": "t10k-labels-idx1-ubyte.gz",
}


@dataclass(frozen=True)
class Arena:
    """`scratch` is emptied when the benchmark ends; `rounds` is how often everything is repeated, `epochs` how long
    the original training takes (20 unless somebody is trying the harness out)."""

    scratch: Path
    rounds: int = 5
    epochs: int = 20

    @property
    def data(self) -> Path:
        """The four gzip IDX files; nothing else is ever written beside them."""
        return self.scratch / "raw"

    def program(self, *command: str | Path) -> Contestant:
        """`python *command`, keeping its caches between rounds: a peer is measured at its best."""
        return lambda _: run(command, self.scratch / "cache")

    def fresh(self, name: str, k: int) -> Path:
        """A folder of round `k` with the raw files in `data`, and no caches before its first use."""
        folder = self.scratch / name / str(k)
        if not folder.exists():
            self.offer_raw_files(folder / "data")
        return folder

    def offer_raw_files(self, folder: Path) -> None:
        """A data directory for the package, which keeps its decoded copy in there."""
        folder.mkdir(parents=True)
        for file in FILES.values():
            os.link(self.data / file, folder / file)


def write_raw_files(folder: Path) -> None:
    """Fashion-MNIST, from wherever the package finds it, as the four gzip IDX files that everyone starts from."""
    from jaxquard.data import load
    from jaxquard.data.idx import header

    dataset = load("fashion-mnist", report=lambda line: print(line, file=sys.stderr))
    folder.mkdir(parents=True)
    for role, file in FILES.items():
        values = getattr(dataset, role).astype("uint8").squeeze()
        (folder / file).write_bytes(gzip.compress(header(values.shape) + values.tobytes(), compresslevel=6))


LIBRARIES = ("jax", "numpy", "torch", "scikit-learn", "keras", "flax", "equinox", "optax")


def machine(libraries: Iterable[str] = LIBRARIES) -> dict[str, object]:
    """What the figures depend on besides the programs: processor, cores, Python and the libraries' versions."""
    return {
        "processor": processor()[0],
        "cores": len(os.sched_getaffinity(0)),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {library: version(library) for library in libraries},
    }

"""A tiny data set with its own catalogue entry, and mirrors that serve it, some of them wrongly."""

import gzip
import hashlib
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from jaxquard.data import catalogue, idx
from jaxquard.data.catalogue import Entry, File

from .mirror import Server, serving

SHAPES = {"train_images": (12, 5, 4), "train_labels": (12,), "test_images": (6, 5, 4), "test_labels": (6,)}
NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("JAXQUARD_DATA", str(tmp_path_factory.mktemp("cache")))


@dataclass
class Tiny:
    """The entry, its arrays by role, and its files as bytes: decoded, and gzipped as a mirror serves them."""

    entry: Entry
    arrays: dict[str, np.ndarray]
    plain: dict[str, bytes]
    gzipped: dict[str, bytes]
    reports: list[str] = field(default_factory=list)

    def put(self, folder: Path, *, gzipped: bool = True) -> Path:
        """Write the four files into a folder, as a user would."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in (self.gzipped if gzipped else self.plain).items():
            (folder / name).write_bytes(data)
        return folder

    def at(self, *mirrors: str, **changes) -> Entry:
        """Put the data set with other mirrors and changes into the catalogue."""
        self.entry = replace(self.entry, mirrors=mirrors, **changes)
        catalogue.CATALOGUE["tiny"] = self.entry
        return self.entry


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tiny:
    """A data set with the name "tiny", isolated: without cache and environment variables, and at home in tmp_path."""
    for variable in ("JAXQUARD_DATA", "JAXQUARD_OFFLINE", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home" / "cache"))
    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(0)
    arrays = {
        role: generator.integers(0, 256 if len(shape) == 3 else 3, shape, np.uint8) for role, shape in SHAPES.items()
    }
    plain = {
        name: idx.header(values.shape) + values.tobytes() for name, values in zip(NAMES, arrays.values(), strict=True)
    }
    files = tuple(
        File(role, name, len(arrays[role]), hashlib.sha256(plain[name]).hexdigest())
        for role, name in zip(SHAPES, NAMES, strict=True)
    )
    entry = Entry("tiny", "Tiny", ("a", "b", "c"), files, homepage="https://example.org/tiny")
    monkeypatch.setattr(catalogue, "CATALOGUE", {"tiny": entry})
    gzipped = {f"{name}.gz": gzip.compress(data) for name, data in plain.items()}
    return Tiny(entry, arrays, plain, gzipped)


@pytest.fixture
def server(tiny: Tiny) -> Iterator[Server]:
    with serving(tiny.gzipped) as server:
        yield server


@pytest.fixture
def opener(monkeypatch: pytest.MonkeyPatch) -> urllib.request.OpenerDirector:
    """An opener for plain HTTP, which replaces the one for HTTPS only."""
    from jaxquard.data import sources

    plain = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    monkeypatch.setattr(sources, "https_only", lambda: plain)
    return plain

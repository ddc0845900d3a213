"""`load`: names, paths, the cache, the ban on the network, and several processes at once."""

import importlib.util
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jaxquard.data import cache, catalogue, load, status
from jaxquard.errors import DataError, JaxquardError, UsageError


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Records all attempts to use the network, and blocks them: sockets, name look-ups, programs."""
    tried: list[str] = []

    def refusing(name: str):
        def refuse(*_: object, **__: object) -> None:
            tried.append(name)
            raise OSError(f"no {name} today")

        return refuse

    for module, name in ((socket, "socket"), (socket, "getaddrinfo"), (subprocess, "Popen")):
        monkeypatch.setattr(module, name, refusing(name))
    return tried


@pytest.fixture
def no_network(network: list[str]) -> Iterator[None]:
    """The test fails after an attempt to use the network."""
    yield
    assert network == []


def test_fetched_once_then_from_the_cache(tiny, server, opener) -> None:
    tiny.at(server.mirror("good"))
    first = load("tiny", report=tiny.reports.append)
    assert tiny.reports == ["testing which mirrors of Tiny answer", f"trying {server.mirror('good')}"]
    asked = len(server.asked)
    second = load("tiny", report=tiny.reports.append)
    assert (len(server.asked), len(tiny.reports)) == (asked, 2)
    for dataset in (first, second):
        np.testing.assert_array_equal(dataset.train_images[..., 0], tiny.arrays["train_images"])
        np.testing.assert_array_equal(dataset.test_labels, tiny.arrays["test_labels"])
        assert dataset.class_names == ("a", "b", "c")
        assert dataset.source == server.mirror("good")
        assert dataset.sha256 == {file.role: file.sha256 for file in tiny.entry.files}


def test_offline_touches_no_network(tiny, network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny.at("https://a.example/", debian_package="dataset-tiny")
    with pytest.raises(DataError):
        load("tiny", offline=True)
    monkeypatch.setenv("JAXQUARD_OFFLINE", "1")
    with pytest.raises(DataError) as caught:
        load("tiny", data_dir=tmp_path)
    assert "The network was not tried (--offline or JAXQUARD_OFFLINE)." in str(caught.value)
    assert network == []
    monkeypatch.setenv("JAXQUARD_OFFLINE", "0")
    with pytest.raises(DataError, match=r"https://a\.example/: no getaddrinfo today"):
        load("tiny")


def test_when_everything_fails_it_says_what_to_do(tiny, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        load("tiny", data_dir=tmp_path / "mine")
    assert str(caught.value).splitlines() == [
        "Tiny is not available from any source:",
        f"  {tmp_path}/mine: no such folder",
        f"  {tmp_path}/mine/tiny: no such folder",
        f"  {tmp_path}/home/cache/jaxquard/data/tiny: no such folder",
        "To supply the files by hand, get these from https://example.org/tiny",
        f"and put them into {tmp_path}/mine, or name their folder with --data-dir or JAXQUARD_DATA:",
        *(f"  {name}" for name in tiny.gzipped),
    ]
    assert not (tmp_path / "mine").exists()


@pytest.mark.parametrize("gzipped", [True, False])
def test_by_hand(gzipped: bool, tiny, no_network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tiny.put(tmp_path / "mine", gzipped=gzipped)
    assert load("tiny", data_dir=folder).source == str(folder)
    monkeypatch.setenv("JAXQUARD_DATA", str(folder))
    assert load("tiny").classes == 3
    assert status()[0].state == "ready"


def test_a_copy_of_another_program_is_found(tiny, no_network, tmp_path: Path) -> None:
    tiny.at(folders=("~/.other",))
    tiny.put(tmp_path / "home" / ".other")
    assert load("tiny").source == str(tmp_path / "home" / ".other")


def test_damage_in_the_cache_is_reported_and_repaired(tiny, server, opener) -> None:
    tiny.at(server.mirror("good"))
    load("tiny")
    path = cache.home() / "tiny" / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    assert [state.state for state in status()] == ["damaged"]
    np.testing.assert_array_equal(
        load("tiny", report=tiny.reports.append).train_images[..., 0], tiny.arrays["train_images"]
    )
    assert tiny.reports[0] == f"{path}: damaged (its checksum is wrong); looking for another copy"
    assert path.read_bytes() == tiny.plain[path.name]
    assert [state.state for state in status()] == ["ready"]


def test_damage_that_cannot_be_repaired_is_an_error(tiny, tmp_path: Path) -> None:
    tiny.put(cache.home())
    load("tiny", offline=True)
    for path in cache.home().glob("*.gz"):
        path.unlink()
    path = cache.home() / "tiny" / "t10k-labels-idx1-ubyte"
    path.write_bytes(b"")
    with pytest.raises(DataError, match="t10k-labels-idx1-ubyte: truncated"):
        load("tiny", offline=True)


def test_a_damaged_file_without_a_published_hash_is_not_used(tiny) -> None:
    """EMNIST: the checksums in the manifest are the only ones, so its cached files are unusable when these fail."""
    tiny.at(files=tuple(replace(file, sha256="") for file in tiny.entry.files))
    tiny.put(cache.home())
    load("tiny", offline=True)
    for path in cache.home().glob("*.gz"):
        path.unlink()
    path = cache.home() / "tiny" / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    with pytest.raises(DataError, match="is not available"):
        load("tiny", offline=True)


def test_a_complete_cache_needs_no_writing(tiny, no_network, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny.put(cache.home())
    load("tiny")
    monkeypatch.setattr(cache, "store", lambda *_: pytest.fail("written"))
    assert load("tiny", report=tiny.reports.append).classes == 3
    assert tiny.reports == []


def test_an_unwritable_cache_is_reported_and_no_other_is_used(tiny, tmp_path: Path) -> None:
    folder = tiny.put(tmp_path / "mine")
    (folder / "tiny").write_text("in the way")
    before = set(tmp_path.rglob("*"))
    assert load("tiny", data_dir=folder, report=tiny.reports.append).classes == 3
    assert tiny.reports[-1].startswith(f"not stored in the cache: {folder / 'tiny'}")
    assert set(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", ["tiny", "TINY"])
def test_a_name_wins_over_a_folder_of_that_name(name: str, tiny, tmp_path: Path) -> None:
    tiny.put(tmp_path / name.lower())
    with pytest.raises(DataError, match="is not available"):
        load(name, offline=True)
    assert load("./tiny").source == "tiny"
    assert load(Path("tiny")).name == "tiny"


@pytest.mark.parametrize("name", ["tini", ""])
def test_an_unknown_name_is_wrong_usage(name: str, tiny) -> None:
    with pytest.raises(UsageError, match="Known: tiny;"):
        load(name)


@pytest.mark.parametrize("name", ["nothing\0", "x" * 5000, "./" + "x" * 5000])
def test_an_impossible_path_is_wrong_usage(name: str, tiny) -> None:
    with pytest.raises(UsageError, match="dataset: must be at most 4,096 characters that a path can have, not '"):
        load(name)


@pytest.mark.parametrize("path", ["none/", "a/b", "none.npz", "none.csv", "~/none.npz", Path("none")])
def test_a_path_to_nothing_is_missing_data(path: str | Path, tiny) -> None:
    with pytest.raises(DataError, match="no such folder or file"):
        load(path)


def test_paths_are_loaded_as_what_they_are(tiny, tmp_path: Path) -> None:
    images, labels = tiny.arrays["train_images"], tiny.arrays["train_labels"]
    np.savez(tmp_path / "mine.npz", images=images, labels=labels)
    assert load(tmp_path / "mine.npz").name == load("mine.npz").name == "mine"
    (tmp_path / "text").write_text("no data")
    with pytest.raises(DataError, match=r"text: not a data set; give a folder"):
        load("./text")
    with pytest.raises(DataError, match="no data set"):
        load(str(tmp_path))


def test_emnist_is_turned_upright_and_counted_from_zero(tiny, tmp_path: Path) -> None:
    tiny.at(transposed=True, first_label=1, class_names=("a", "b"))
    labels = tiny.arrays["train_labels"]
    labels[:], tiny.arrays["test_labels"][:] = 1 + labels % 2, 1
    files = tuple(replace(file, sha256="") for file in tiny.entry.files)
    tiny.at(files=files)
    np_files = dict(zip(tiny.plain, tiny.arrays.values(), strict=True))
    (tmp_path / "mine").mkdir()
    for name, values in np_files.items():
        (tmp_path / "mine" / name).write_bytes(tiny.plain[name][: -values.size] + values.tobytes())
    dataset = load("tiny", data_dir=tmp_path / "mine")
    np.testing.assert_array_equal(dataset.train_labels, labels.astype(int) - 1)
    np.testing.assert_array_equal(dataset.train_images[..., 0], tiny.arrays["train_images"].transpose(0, 2, 1))


def test_status_looks_at_everything_and_fetches_nothing(tiny, no_network, tmp_path: Path) -> None:
    catalogue.CATALOGUE["digits"] = catalogue.Entry("digits", "Digits", ())
    catalogue.CATALOGUE["other"] = replace(tiny.entry, name="other")
    tiny.put(tmp_path)
    load("tiny", data_dir=tmp_path)
    states = {state.name: state for state in status(tmp_path)}
    assert set(states) == {"tiny", "other", "digits"}
    assert (states["digits"].state, states["digits"].detail) == ("ready", "scikit-learn")
    assert (states["tiny"].state, states["tiny"].size) == ("ready", 12 * 21 + 6 * 21)
    assert states["tiny"].detail == str(tmp_path)
    assert (states["other"].state, states["other"].folder) == ("absent", tmp_path / "other")


def test_status_checks_every_sha256(tiny) -> None:
    """A file and its manifest, changed together, pass the quick check at every start, but not the check of SHA-256."""
    tiny.put(cache.home())
    load("tiny")
    manifest = cache.home() / "tiny" / "manifest.json"
    cached = cache.load(tiny.entry, manifest.parent)
    assert cached is not None
    cached.arrays["t10k-labels-idx1-ubyte"] = cached.arrays["t10k-labels-idx1-ubyte"][::-1].copy()
    cache.store(manifest.parent, cached)
    assert cache.load(tiny.entry, manifest.parent) is not None
    assert status()[0].state == "damaged"
    assert "t10k-labels-idx1-ubyte: damaged (wrong SHA-256)" in status()[0].detail


def test_digits_come_with_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = load("digits")
    assert dataset.image_shape == (8, 8, 1)
    assert (len(dataset.train_labels), len(dataset.test_labels)) == (1497, 300)
    assert (dataset.train_images.max(), dataset.classes) == (255, 10)
    np.testing.assert_array_equal(load("digits").test_labels, dataset.test_labels)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(JaxquardError, match="pip install scikit-learn") as caught:
        load("digits")
    assert caught.value.exit_code == 1


def test_importing_the_data_brings_neither_jax_nor_the_network() -> None:
    code = "import sys, jaxquard.data; print({'jax', 'sklearn', 'urllib.request', 'PIL'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"

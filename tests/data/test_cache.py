"""The cache returns the stored bytes or an error, and never a half-written file."""

import errno
import os
import re
from pathlib import Path

import numpy as np
import pytest

from jaxquard import files
from jaxquard.data import cache
from jaxquard.data.cache import Cached
from jaxquard.errors import DataError, JaxquardError


@pytest.fixture
def cached(tiny) -> Cached:
    arrays = {file.name: tiny.arrays[file.role] for file in tiny.entry.files}
    return Cached(arrays, {file.name: file.sha256 for file in tiny.entry.files}, "a test")


@pytest.fixture
def folder(tmp_path: Path, cached: Cached) -> Path:
    cache.store(tmp_path / "data" / "tiny", cached)
    return tmp_path / "data" / "tiny"


def test_stored_and_loaded(tiny, folder: Path, cached: Cached) -> None:
    loaded = cache.load(tiny.entry, folder)
    assert loaded is not None
    assert (loaded.sha256, loaded.source) == (cached.sha256, cached.source)
    for name, values in cached.arrays.items():
        np.testing.assert_array_equal(loaded.arrays[name], values)
    assert sorted(os.listdir(folder)) == ["manifest.json", *sorted(cached.arrays)]


def test_the_manifest_is_written_last(folder: Path, cached: Cached, monkeypatch: pytest.MonkeyPatch) -> None:
    written = []
    monkeypatch.setattr(cache, "write_atomically", lambda path, *_: written.append(path.name))
    cache.store(folder, cached)
    assert written == [*cached.arrays, "manifest.json"]


def test_others_may_read_what_is_cached(folder: Path) -> None:
    (plain := folder / "plain").touch()
    assert {file.stat().st_mode for file in folder.iterdir()} == {plain.stat().st_mode}


def test_the_files_are_plain_idx(tiny, folder: Path) -> None:
    for name, data in tiny.plain.items():
        assert (folder / name).read_bytes() == data


def test_absent_until_the_manifest_is_there(tiny, folder: Path, tmp_path: Path) -> None:
    assert cache.load(tiny.entry, tmp_path / "nowhere") is None
    (folder / "manifest.json").unlink()
    assert cache.load(tiny.entry, folder) is None


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-labels-idx1-ubyte"])
def test_every_changed_byte_is_noticed(name: str, tiny, folder: Path) -> None:
    data = (folder / name).read_bytes()
    for offset in range(len(data)):
        (folder / name).write_bytes(data[:offset] + bytes([data[offset] ^ 4]) + data[offset + 1 :])
        with pytest.raises(DataError, match=name):
            cache.load(tiny.entry, folder)


def test_a_file_cut_or_lost_is_noticed(tiny, folder: Path) -> None:
    path = folder / "t10k-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match="truncated"):
        cache.load(tiny.entry, folder)
    path.unlink()
    with pytest.raises(DataError, match="No such file"):
        cache.load(tiny.entry, folder)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"source": "x"}', '{"source": "x", "files": []}', "[" * 100_000, "\xff", "NaN"]
)
def test_a_damaged_manifest_is_an_error(text: str, tiny, folder: Path) -> None:
    (folder / "manifest.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match=r"manifest\.json: damaged"):
        cache.load(tiny.entry, folder)


def test_a_huge_checksum_is_damage(tiny, folder: Path) -> None:
    manifest = folder / "manifest.json"
    manifest.write_text(re.sub(r'"crc32": \d+', '"crc32": 1e999', manifest.read_text()))
    with pytest.raises(DataError, match=r"manifest\.json: damaged"):
        cache.load(tiny.entry, folder)


def test_other_data_with_a_matching_manifest_are_refused(tiny, tmp_path: Path) -> None:
    """MNIST in the place of Fashion-MNIST: the manifest fits the files, but not the catalogue."""
    arrays = {file.name: tiny.arrays[file.role] // 2 for file in tiny.entry.files}
    cache.store(tmp_path / "other", Cached(arrays, dict.fromkeys(arrays, "0" * 64), "elsewhere"))
    with pytest.raises(DataError, match="damaged"):
        cache.load(tiny.entry, tmp_path / "other")


@pytest.mark.parametrize("call", ["open", "fsync", "replace"])
def test_a_full_disk_leaves_only_the_old_files(
    call: str, tiny, folder: Path, cached: Cached, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files if call == "open" else os, call, full, raising=False)
    with pytest.raises(JaxquardError, match="No space left"):
        cache.store(folder, cached)
    monkeypatch.undo()
    assert len(os.listdir(folder)) == 5
    assert cache.load(tiny.entry, folder) is not None


@pytest.mark.parametrize("by", ["storing", "loading"])
def test_only_old_temporary_files_are_removed(by: str, tiny, folder: Path, cached: Cached) -> None:
    old, young = (files.temporary(folder / "train-images-idx3-ubyte") for _ in range(2))
    old.touch()
    young.touch()
    os.utime(old, (0, 0))
    cache.store(folder, cached) if by == "storing" else cache.load(tiny.entry, folder)
    assert not old.exists()
    assert young.exists()


def test_where_the_home_is(tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache.home() == tmp_path / "home" / "cache" / "jaxquard" / "data"
    monkeypatch.setenv("JAXQUARD_DATA", "~/mine")
    assert cache.home() == tmp_path / "home" / "mine"
    assert cache.home(tmp_path / "given") == tmp_path / "given"

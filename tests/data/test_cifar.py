"""CIFAR's binary archives, made up in their format: verified, unpacked in memory, and in colour."""

import gzip
import hashlib
import io
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jaxquard.data import cache, catalogue, load, status
from jaxquard.errors import DataError

RNG = np.random.default_rng(0)


def made_up(classes: int, monkeypatch: pytest.MonkeyPatch, members: dict[str, bytes] | None = None) -> bytes:
    """An archive with 12 training and 6 test images, which the catalogue then expects."""
    entry = catalogue.CATALOGUE[f"cifar-{classes}"]
    assert entry.archive
    contents = {}
    for part, names in (("train", entry.archive.train), ("test", entry.archive.test)):
        n = (12 if part == "train" else 6) // len(names) + (len(names) == 5)
        for name in names:
            labels = RNG.integers(0, classes, (n, 1), np.uint8)
            coarse = RNG.integers(0, 20, (n, entry.archive.labels - 1), np.uint8)
            contents[name] = np.hstack([coarse, labels, RNG.integers(0, 256, (n, 3072), np.uint8)]).tobytes()
    with tarfile.open(fileobj=(buffer := io.BytesIO()), mode="w") as tar:
        for name, data in {**contents, **(members or {})}.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    archive = gzip.compress(buffer.getvalue(), 1)
    counts = {"train": 15 if classes == 10 else 12, "test": 6}
    files = tuple(replace(file, count=counts[file.role.partition("_")[0]]) for file in entry.files)
    known = replace(entry.archive, md5=hashlib.md5(archive).hexdigest())
    monkeypatch.setitem(catalogue.CATALOGUE, entry.name, replace(entry, files=files, archive=known))
    return archive


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JAXQUARD_OFFLINE", "1")
    monkeypatch.setenv("JAXQUARD_DATA", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("classes", [10, 100])
def test_an_archive_given_by_hand_is_read_once(classes, home, monkeypatch):
    archive = made_up(classes, monkeypatch)
    path = home / f"cifar-{classes}-binary.tar.gz"
    path.write_bytes(archive)
    dataset = load(f"cifar{classes}")
    with tarfile.open(path) as tar:
        known = catalogue.CATALOGUE[f"cifar-{classes}"].archive
        records = np.concatenate([np.frombuffer(tar.extractfile(name).read(), np.uint8) for name in known.train])
    records = records.reshape(-1, known.labels + 3072)
    np.testing.assert_array_equal(dataset.train_labels, records[:, known.labels - 1])
    for channel in range(3):
        plane = records[:, known.labels + 1024 * channel :][:, :1024].reshape(-1, 32, 32)
        np.testing.assert_array_equal(dataset.train_images[..., channel], plane)
    assert (dataset.test_images.shape, dataset.classes) == ((6, 32, 32, 3), classes)
    path.unlink()
    again = load(f"CIFAR-{classes}")
    assert again.sha256 == dataset.sha256
    np.testing.assert_array_equal(again.train_images, dataset.train_images)
    assert {one.state for one in status() if one.name == f"cifar-{classes}"} == {"ready"}


def test_the_published_archives_are_expected():
    for classes, md5 in ((10, "c32a1d4ab5d03f1284b67883e8d87530"), (100, "03b5dce01913d631647c71ecec9e9cb8")):
        entry = catalogue.CATALOGUE[f"cifar-{classes}"]
        assert entry.archive.md5 == md5
        assert [file.count for file in entry.files] == [50000, 50000, 10000, 10000]
        assert len(set(entry.class_names)) == classes
        assert entry.class_names == tuple(sorted(entry.class_names))


def test_without_the_archive_it_says_which_file_to_get(home):
    with pytest.raises(
        DataError, match=r"CIFAR-10 is not available(.*\n)+.*cs\.toronto\.edu(.*\n)+  cifar-10-binary\.tar\.gz$"
    ):
        load("cifar-10")


@pytest.mark.parametrize("fault", ["other", "missing", "short", "damaged", "folder"])
def test_a_wrong_archive_is_refused_and_nothing_is_stored(fault, home, monkeypatch):
    bad = {"short": {"cifar-100-binary/test.bin": bytes(3074 * 2 - 1)}, "missing": {}}.get(fault)
    archive = made_up(100, monkeypatch, bad)
    if fault == "other":
        archive += b"\0"
    elif fault in ("missing", "damaged"):
        archive = gzip.compress(gzip.decompress(archive)[: -1 if fault == "damaged" else 1024])
        archive = archive[:-30] if fault == "damaged" else archive
        entry = catalogue.CATALOGUE["cifar-100"]
        known = replace(entry.archive, md5=hashlib.md5(archive).hexdigest())
        monkeypatch.setitem(catalogue.CATALOGUE, "cifar-100", replace(entry, archive=known))
    path = home / "cifar-100-binary.tar.gz"
    path.mkdir() if fault == "folder" else path.write_bytes(archive)
    said = {"other": "not the expected file", "folder": "is not there"}.get(fault, "damaged")
    with pytest.raises(DataError, match=said):
        load("cifar-100")
    assert not (cache.home() / "cifar-100").exists()

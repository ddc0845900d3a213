"""A folder of four files becomes a data set, with each of the usual names."""

from pathlib import Path

import numpy as np
import pytest

from jaxquard.data.folder import load_folder
from jaxquard.data.npz import load_npz
from jaxquard.errors import DataError


@pytest.mark.parametrize("gzipped", [True, False])
def test_four_files(gzipped: bool, tiny, tmp_path: Path) -> None:
    dataset = load_folder(tiny.put(tmp_path / "mine", gzipped=gzipped))
    assert dataset.name == "mine"
    np.testing.assert_array_equal(dataset.train_images[..., 0], tiny.arrays["train_images"])
    np.testing.assert_array_equal(dataset.test_labels, tiny.arrays["test_labels"])
    assert dataset.class_names == ("0", "1", "2")
    assert dataset.sha256 == {file.role: file.sha256 for file in tiny.entry.files}
    np.savez(tmp_path / "same.npz", **{role: dict(tiny.arrays)[role] for role in reversed(tiny.arrays)})
    assert load_npz(tmp_path / "same.npz").sha256 == dataset.sha256


def test_other_spellings(tiny, tmp_path: Path) -> None:
    folder = tiny.put(tmp_path / "mine", gzipped=False)
    for path in list(folder.iterdir()):
        path.rename(folder / path.name.replace("-idx", ".idx").replace("t10k", "test"))
    assert load_folder(folder).image_shape == (5, 4, 1)


def test_missing_files_are_named(tiny, tmp_path: Path) -> None:
    folder = tiny.put(tmp_path / "mine")
    (folder / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DataError, match=r"mine: no data set: t10k-labels-idx1-ubyte\[.gz\] not found"):
        load_folder(folder)


def test_a_fault_names_its_file(tiny, tmp_path: Path) -> None:
    folder = tiny.put(tmp_path / "mine", gzipped=False)
    labels = folder / "train-labels-idx1-ubyte"
    labels.write_bytes(tiny.plain["t10k-labels-idx1-ubyte"])
    with pytest.raises(DataError, match=f"{labels}: 6 labels, but 12 images in {folder}/train-images-idx3-ubyte"):
        load_folder(folder)


def test_classes_can_be_named(tiny, tmp_path: Path) -> None:
    folder = tiny.put(tmp_path / "mine")
    (folder / "classes.txt").write_text("cat\ndog\n\n  Vögel \n", encoding="utf-8")
    assert load_folder(folder).class_names == ("cat", "dog", "Vögel")
    (folder / "classes.txt").write_text("cat\ndog\nbird\n", encoding="utf-8-sig")  # with a byte-order mark
    assert load_folder(folder).class_names == ("cat", "dog", "bird")
    (folder / "classes.txt").write_text("cat\ndog\n")
    with pytest.raises(DataError, match=r"label 2 at index \d+ is out of range: 0 to 1"):
        load_folder(folder)


@pytest.mark.parametrize("names", [b"", b"\n\n", b"cat\ncat\ndog", b"cat\n\x1b[31mdog\nbird", b"\xff\xfe"])
def test_class_names_that_are_none(names: bytes, tiny, tmp_path: Path) -> None:
    folder = tiny.put(tmp_path / "mine")
    (folder / "classes.txt").write_bytes(names)
    with pytest.raises(DataError, match=r"classes\.txt: "):
        load_folder(folder)

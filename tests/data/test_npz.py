"""An .npz is read by usual names of its arrays; pickles, bombs and false sizes are refused."""

import contextlib
import io
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jaxquard.data.npz import load_npz
from jaxquard.errors import DataError

IMAGES = np.arange(12 * 6, dtype=np.uint8).reshape(12, 2, 3)
WIDE = np.stack([IMAGES.repeat(2, axis=2)] * 3, axis=1)
LABELS = np.array([0, 1, 2] * 4)
FOUR = {"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES[:2], "y_test": LABELS[:2]}


def npz(path: Path, **arrays: np.ndarray) -> Path:
    np.savez_compressed(path / "some.npz", **arrays)
    return path / "some.npz"


def zipped(path: Path, *members: tuple[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path / "some.npz", "w", compression) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return path / "some.npz"


def npy(values: np.ndarray, *, version: tuple[int, int] = (1, 0)) -> bytes:
    np.lib.format.write_array(buffer := io.BytesIO(), values, version=version)
    return buffer.getvalue()


def with_header(text: str, body: bytes = b"") -> bytes:
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode() + body


@pytest.mark.parametrize(
    "names",
    [
        ("x_train", "y_train", "x_test", "y_test"),
        ("X_train", "Y_train", "X_test", "Y_test"),
        ("train_images", "train_labels", "test_images", "test_labels"),
    ],
)
def test_four_arrays_under_the_names_people_use(names: tuple[str, ...], tmp_path: Path) -> None:
    path = npz(tmp_path, **dict(zip(names, FOUR.values(), strict=True)), extra=np.zeros(3))
    dataset = load_npz(path)
    np.testing.assert_array_equal(dataset.train_images[..., 0], IMAGES)
    np.testing.assert_array_equal(dataset.test_labels, LABELS[:2])
    assert dataset.train_labels.dtype == np.int32
    assert dataset.name == "some"
    assert dataset.class_names == ("0", "1", "2")
    assert set(dataset.sha256) == {"train_images", "train_labels", "test_images", "test_labels"}


def test_of_two_spellings_the_first_that_is_known_is_taken(tmp_path: Path) -> None:
    dataset = load_npz(npz(tmp_path, **FOUR, train_images=IMAGES[::-1]))
    np.testing.assert_array_equal(dataset.train_images[..., 0], IMAGES[::-1])


def test_images_and_labels_alone_are_split_the_same_way_every_time(tmp_path: Path) -> None:
    path = npz(tmp_path, images=IMAGES, labels=LABELS)
    first, second = load_npz(path), load_npz(path)
    assert (len(first.train_labels), len(first.test_labels)) == (10, 2)
    np.testing.assert_array_equal(first.test_images, second.test_images)
    every = np.concatenate([first.train_images, first.test_images])
    np.testing.assert_array_equal(np.sort(every[:, 0, 0, 0]), IMAGES[:, 0, 0])


def test_a_class_seen_only_in_the_held_out_sixth_still_counts(tmp_path: Path) -> None:
    for index in range(12):
        rare = np.zeros(12, int)
        rare[index] = 5
        assert load_npz(npz(tmp_path, images=IMAGES, labels=rare)).classes == 6


@pytest.mark.parametrize(
    "convert",
    [
        lambda a: a.astype(np.int64),
        lambda a: a.astype(">u2"),
        lambda a: np.asfortranarray(a),
        lambda a: a[..., np.newaxis],
    ],
)
def test_other_layouts_of_the_same_images(convert, tmp_path: Path) -> None:
    dataset = load_npz(npz(tmp_path, **FOUR | {"x_train": convert(IMAGES), "x_test": convert(IMAGES[:2])}))
    np.testing.assert_array_equal(dataset.train_images[..., 0], IMAGES)


def test_masks_are_black_and_white(tmp_path: Path) -> None:
    masks = {"x_train": IMAGES > 35, "x_test": IMAGES[:2] > 35}
    dataset = load_npz(npz(tmp_path, **FOUR | masks))
    np.testing.assert_array_equal(dataset.train_images[..., 0], np.where(IMAGES > 35, 255, 0))


def test_uncompressed_members_and_a_column_of_labels(tmp_path: Path) -> None:
    np.savez(tmp_path / "some.npz", images=IMAGES, labels=LABELS[:, np.newaxis])
    assert load_npz(tmp_path / "some.npz").train_labels.shape == (10,)


def test_shapes_as_python_2_wrote_them(tmp_path: Path) -> None:
    members = {"images.npy": npy(IMAGES).replace(b"(12, 2, 3), }   ", b"(12L, 2L, 3L), }"), "labels.npy": npy(LABELS)}
    members["labels.npy"] = members["labels.npy"].replace(b"(12,), } ", b"(12L,), }")
    assert all(b"12L" in member for member in members.values())
    assert load_npz(zipped(tmp_path, *members.items())).image_shape == (2, 3, 1)


def test_format_2_of_an_array(tmp_path: Path) -> None:
    path = zipped(tmp_path, ("images.npy", npy(IMAGES, version=(2, 0))), ("labels.npy", npy(LABELS)))
    assert load_npz(path).classes == 3


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"x_train": IMAGES[:-1]}, "some.npz:train_images: 11 images, but 12 labels"),
        ({"y_train": LABELS / 2}, "train_labels: holds fractions, huge numbers or NaN, the first at index 1: 0.5"),
        ({"x_train": IMAGES / 255}, "some.npz:train_images: values up to 0.278431, but up to 11 elsewhere; use one"),
        ({"y_train": np.array(["a", "b"] * 6)}, "some.npz:test_labels: label '0' is not a class; the classes are a, b"),
        ({"y_test": np.array(["a", "b"])}, "some.npz:test_labels: label 'a' is not a class; the classes are 0, 1, 2"),
        (
            {"y_train": np.array([{}] * 12, object)},
            "y_train: holds objects; save images as numbers, labels as numbers or",
        ),
        ({"y_train": np.array([b"a"] * 12)}, "y_train: holds bytes; save images as numbers"),
        (
            {"x_train": IMAGES.astype(int) * 9},
            "values from 0 to 639; if 0 is black and 639 white: images = (images - 0) / 639",
        ),
        ({"x_train": IMAGES.astype(int) - 1}, "some.npz:train_images: values from -1 to 70"),
        ({"x_train": IMAGES.astype(int) + 185}, "some.npz:train_images: values from 0 to 256"),
        (
            {"x_train": IMAGES.reshape(12, 6)},
            "some.npz:train_images: rows of 6 numbers: images = rows.reshape(-1, *(he",
        ),
        ({"class_names": np.array(["a", "a"])}, "some.npz:class_names: two classes are called 'a'"),
        ({"class_names": np.array([])}, "class names are an empty list"),
        ({"class_names": np.array(["a", "b"])}, "some.npz:train_labels: label 2 at index 2 is out of range: 0 to 1"),
        ({"x_train": np.zeros((12, 2, 3, 4), np.uint8)}, "shape (12, 2, 3, 4), expected"),
        ({"x_train": np.zeros((12, 0, 3), np.uint8)}, "shape (12, 0, 3), expected"),
        ({"y_train": LABELS.reshape(6, 2)}, "some.npz:train_labels: shape (6, 2), expected (n,)"),
        ({"y_train": LABELS - 1}, "some.npz:train_labels: labels from -1 to 1"),
        ({"y_train": LABELS + 10**12}, "some.npz:train_labels: labels from 1000000000000"),
        ({"y_test": LABELS[:2] + 7}, "some.npz:test_labels: label 7 at index 0 is out of range: 0 to 2"),
    ],
)
def test_arrays_that_are_no_data_set(changes: dict[str, np.ndarray], expected: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        load_npz(npz(tmp_path, **FOUR | changes))
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "names", "note"),
    [
        ({"x_train": IMAGES / 71, "x_test": IMAGES[:2] / 71}, "0 1 2", "floats from 0 to 1: 0 is taken for black"),
        ({"y_train": LABELS.astype(float), "y_test": LABELS[:2].astype(">f8")}, "0 1 2", ""),
        ({"y_train": np.eye(3, dtype=np.float32)[LABELS]}, "0 1 2", "train_labels is one-hot: its columns"),
        ({"class_names": np.array(["x", "y", "zebra"])}, "x y zebra", ""),
        ({"y_train": np.array(["c", "a", "b"])[LABELS], "y_test": np.array(["a", "c"])}, "a b c", ""),
        ({"class_names": np.array([5, 6, 7])}, "5 6 7", ""),
        ({"x_train": WIDE, "x_test": np.moveaxis(WIDE[:2], 1, -1)}, "0 1 2", "the channels came first"),
    ],
)
def test_what_can_mean_only_one_thing_is_read(changes, names, note, tmp_path: Path) -> None:
    dataset = load_npz(npz(tmp_path, **FOUR | changes))
    assert dataset.class_names == tuple(names.split())
    np.testing.assert_array_equal(
        [dataset.class_names[k] for k in dataset.train_labels][:3],
        np.ravel(["c", "a", "b"] if names == "a b c" else names.split()),
    )
    assert note in " ".join(dataset.notes)


@pytest.mark.parametrize(
    "names", [("images", "labels"), ("x_train", "y_train"), ("X_train", "y_train", "x_val", "y_val")]
)
@pytest.mark.parametrize("labels", [LABELS, np.array(["a", "b", "c"])[LABELS]])
def test_a_sixth_becomes_the_missing_test_part(names, labels, tmp_path: Path) -> None:
    values = (IMAGES, labels, IMAGES[:3], labels[:3])[: len(names)]
    dataset = load_npz(npz(tmp_path, **dict(zip(names, values, strict=True))))
    assert (len(dataset.train_labels), len(dataset.test_labels)) == (10, 2)
    assert len(dataset.val_labels) == 3 * (len(names) > 2)
    assert dataset.by_class
    assert not load_npz(npz(tmp_path, **FOUR)).by_class


def test_the_test_part_has_a_sixth_of_each_class(tmp_path: Path) -> None:
    labels = np.repeat([0, 1, 2], [24, 12, 6])
    dataset = load_npz(npz(tmp_path, images=np.zeros((42, 2, 2), np.uint8), labels=labels))
    assert np.bincount(dataset.test_labels).tolist() == [4, 2, 1]


def test_unknown_names(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"holds a, x_train;\nexpected x_train and y_train, perhaps x_test and y_test, or images and"
    ):
        load_npz(npz(tmp_path, a=IMAGES, x_train=IMAGES))
    with pytest.raises(DataError, match="no examples"):
        load_npz(npz(tmp_path, images=IMAGES[:1], labels=LABELS[:1]))
    with pytest.raises(DataError, match="11 images, but 12 labels"):
        load_npz(npz(tmp_path, images=IMAGES[:11], labels=LABELS))


HEADER = "{{'descr': '{}', 'fortran_order': False, 'shape': {}, }}\n"
LIES = {
    "not a zip file": (b"\x1f\x8b", "damaged, or not an .npz file"),
    "more values than bytes": (
        with_header(HEADER.format("|u1", "(99, 9, 9)"), bytes(50)),
        "declares 8019 bytes of values",
    ),
    "fewer values than bytes": (
        with_header(HEADER.format("|u1", "(1, 1, 1)"), bytes(50)),
        "declares 1 bytes of values",
    ),
    "six gigabytes": (with_header(HEADER.format("<i8", "(1000, 900, 900)")), "declares 6480000000 bytes of values"),
    "overflow": (with_header(HEADER.format("|u1", f"({2**62}, 2, 2)")), "bytes of values, but holds 0"),
    "bits": (with_header(HEADER.format("|b4", "(1, 1, 1)"), bytes(4)), "holds values of type |b4"),
    "an object": (with_header(HEADER.format("|O", "(1, 1, 1)"), b"cos\nsystem"), "holds objects"),
    "not Unicode": (with_header(HEADER.format("<U1", "(1,)"), b"\xff" * 4), "holds text that is not Unicode"),
    "half a letter": (with_header(HEADER.format("<U1", "(1,)"), b"\x00\xd8\0\0"), "holds text that is not Unicode"),
    "much text": (with_header(HEADER.format("<U99999", "(1,)")), "holds long text"),
    "an expression": (with_header("__import__('os').abort()\n"), "not an array of numbers or text"),
    "a deep expression": (with_header("(" * 9000), "not an array of numbers or text"),
    "an endless header": (b"\x93NUMPY\x02\x00\xff\xff\xff\xff{", "not an array of numbers or text"),
    "half a header": (b"\x93NUMPY\x01", "damaged, or not an .npz file"),
    "format 3": (b"\x93NUMPY\x03\x00" + bytes(9), "not a NumPy array (of format 1 or 2)"),
    "no array": (b"something else", "not a NumPy array"),
    "nothing": (b"", "damaged, or not an .npz file"),
}


@pytest.mark.parametrize("lie", LIES)
def test_each_false_declaration_is_one_error(lie: str, tmp_path: Path) -> None:
    data, expected = LIES[lie]
    path = zipped(tmp_path, ("images.npy", data), ("labels.npy", npy(LABELS)))
    if lie == "not a zip file":
        path.write_bytes(data)
    with pytest.raises(DataError) as caught:
        load_npz(path)
    assert str(path) in str(caught.value)
    assert expected in str(caught.value)


def test_a_bomb_is_refused_before_it_is_decompressed(tmp_path: Path) -> None:
    """100 MB of zeros in 440 KB with correct sizes: the array's header is enough to refuse them."""
    with zipfile.ZipFile(tmp_path / "some.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("images.npy", "w") as stream:
            stream.write(with_header(HEADER.format("|u1", "(9, 9, 9)")))
            for _ in range(10):
                stream.write(bytes(10_000_000))
        archive.writestr("labels.npy", npy(LABELS))
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="declares 729 bytes of values, but holds 100000000"):
            load_npz(tmp_path / "some.npz")
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_an_array_larger_than_any_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = npz(tmp_path, images=IMAGES, labels=LABELS)
    monkeypatch.setattr("jaxquard.data.idx.MAX_BYTES", 128 + IMAGES.nbytes)
    load_npz(npz(tmp_path, images=IMAGES, labels=LABELS.astype(np.uint8)))
    monkeypatch.setattr("jaxquard.data.idx.MAX_BYTES", 127 + IMAGES.nbytes)
    with pytest.raises(DataError, match="images declares 200 bytes, more than"):
        load_npz(path)


def test_sizes_that_no_compression_reaches(tmp_path: Path) -> None:
    path = zipped(tmp_path, ("images.npy", npy(IMAGES)), ("labels.npy", npy(LABELS)))
    data = bytearray(path.read_bytes())
    entry = data.index(b"PK\x01\x02")
    data[entry + 24 : entry + 28] = (1 << 30).to_bytes(4, "little")  # the uncompressed size in the directory
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"images declares 1073741824 bytes, more than \d+ can hold"):
        load_npz(path)
    data[entry + 20 : entry + 24] = (1 << 30).to_bytes(4, "little")  # and the compressed one
    path.write_bytes(data)
    with pytest.raises(DataError, match="its members declare more bytes than the file has"):
        load_npz(path)


def test_long_names_in_an_archive_are_shortened(tmp_path: Path) -> None:
    np.savez(tmp_path / "some.npz", images=IMAGES, labels=LABELS)
    data = (tmp_path / "some.npz").read_bytes()
    (tmp_path / "some.npz").write_bytes(data.replace(b"images.npy", b"imagos.npy", 1))
    local = bytearray((tmp_path / "some.npz").read_bytes())
    local[26:28] = (2000).to_bytes(2, "little")  # the length of the name in the first local header
    (tmp_path / "some.npz").write_bytes(bytes(local) + bytes(2000))
    with pytest.raises(DataError, match="damaged, or not") as caught:
        load_npz(tmp_path / "some.npz")
    assert len(str(caught.value)) < 300 + len(str(tmp_path))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_archives_numpy_would_not_write(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds images twice"):
        load_npz(
            zipped(tmp_path, ("images.npy", npy(IMAGES)), ("images.npy", npy(IMAGES)), ("labels.npy", npy(LABELS)))
        )
    with pytest.raises(DataError, match="images is compressed in a way NumPy does not use"):
        load_npz(zipped(tmp_path, ("images.npy", npy(IMAGES)), compression=zipfile.ZIP_LZMA))
    with pytest.raises(DataError, match="holds nothing;"):
        load_npz(zipped(tmp_path))


def test_a_changed_byte_is_noticed(tmp_path: Path) -> None:
    np.savez(tmp_path / "some.npz", images=IMAGES, labels=LABELS)
    data = bytearray((tmp_path / "some.npz").read_bytes())
    data[data.index(IMAGES.tobytes()) + 5] ^= 1
    (tmp_path / "some.npz").write_bytes(data)
    with pytest.raises(DataError, match=r"damaged, or not an .npz file .*CRC"):
        load_npz(tmp_path / "some.npz")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(start=st.integers(0, 1000), cut=st.integers(0, 4), patch=st.binary(max_size=4))
def test_no_mutant_raises_anything_else(start: int, cut: int, patch: bytes, tmp_path: Path) -> None:
    path = npz(tmp_path, images=IMAGES, labels=LABELS)
    data = path.read_bytes()
    start %= len(data)
    path.write_bytes(data[:start] + patch + data[start + cut :])
    with contextlib.suppress(DataError):
        assert len(load_npz(path).train_labels) == 10

"""A folder of pictures: classes, parts, files that are left out, links, and mistakes."""

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import io

from jaxquard.data import load
from jaxquard.errors import DataError

RNG = np.random.default_rng(0)


def put(folder: Path, *names: str, side: int = 8) -> Path:
    """Pictures of these names, each of its own random pixels."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(RNG.integers(0, 256, (side, side), np.uint8)).save(path)
    return folder


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))[..., None]


@pytest.mark.parametrize(
    "names", [("train", "val", "test"), ("training", "VALID", "testing"), ("Train", "validation", "Test")]
)
def test_parts_and_classes(names, tmp_path):
    train, val, test = names
    for part, count in ((train, 3), (val, 2), (test, 1)):
        put(tmp_path, *(f"{part}/{kind}/{k}.png" for kind in ("class 10", "class 2", "B") for k in range(count)))
    dataset = load(tmp_path)
    assert dataset.class_names == ("B", "class 2", "class 10")
    assert dataset.train_labels.tolist() == [0] * 3 + [1] * 3 + [2] * 3
    assert (dataset.val_labels.tolist(), dataset.test_labels.tolist()) == ([0, 0, 1, 1, 2, 2], [0, 1, 2])
    np.testing.assert_array_equal(dataset.test_images[1], pixels(tmp_path / test / "class 2" / "0.png"))
    np.testing.assert_array_equal(dataset.val_images[-1], pixels(tmp_path / val / "class 10" / "1.png"))


def test_without_a_test_part_a_sixth_of_each_class_is_held_out(tmp_path):
    put(tmp_path, *(f"a/{k}.png" for k in range(60)), *(f"b/{k}.png" for k in range(12)))
    dataset = load(str(tmp_path))
    assert np.bincount(dataset.train_labels).tolist() == [50, 10]
    assert np.bincount(dataset.test_labels).tolist() == [10, 2]
    assert load(tmp_path).sha256 == dataset.sha256


def test_classes_may_be_called_train_and_test(tmp_path):
    put(tmp_path, *(f"{kind}/{k}.png" for kind in ("train", "test", "testing", "bus") for k in range(6)))
    assert load(tmp_path).class_names == ("bus", "test", "testing", "train")


def test_what_is_left_out_is_counted(tmp_path):
    put(tmp_path, *(f"train/{kind}/{k}.png" for kind in "ab" for k in range(3)), "train/a/more/1.png", "train/1.png")
    for name in ("train/a/.hidden.png", ".DS_Store", "train/a/Thumbs.db", "labels.csv", "train/b/notes.txt"):
        (tmp_path / name).write_text("")
    for name in ("train/empty", "extra", ".git"):
        (tmp_path / name).mkdir()
    put(tmp_path, *(f"test/{kind}/{k}.png" for kind in "ab" for k in range(2)))
    assert load(tmp_path).notes == (
        "not used, beside train: extra, labels.csv",
        "left out: pictures outside the class folders (1), other folders (2), other files (2)",
    )


@pytest.mark.posix
def test_links_must_stay_inside(tmp_path):
    outside = put(tmp_path / "outside", "1.png") / "1.png"
    inside = put(tmp_path / "set", *(f"{kind}/{k}.png" for kind in "ab" for k in range(6)))
    (inside / "a" / "copy.png").symlink_to("../b/1.png")
    assert len(load(inside).train_labels) + len(load(inside).test_labels) == 13
    for link, target in (
        (inside / "b" / "x.png", outside),
        (inside / "c", outside.parent),
        (inside / "a" / "up", ".."),
    ):
        link.symlink_to(target)
        if target == "..":
            load(inside)
            continue
        with pytest.raises(DataError, match=f"^{link}: a link that leads outside"):
            load(inside)
        link.unlink()


def test_mistakes_are_explained(tmp_path):
    def refused(folder: Path) -> str:
        with pytest.raises(DataError) as caught:
            load(folder)
        assert str(caught.value).count("\n") < 2
        return str(caught.value)

    assert "no data set: no pictures, and no IDX, CSV or Parquet files; put the pictures of each class" in refused(
        tmp_path
    )
    flat = put(tmp_path / "flat", "1.png", "2.png")
    assert "2 pictures, but no class folders; put the pictures of each class into a folder" in refused(flat)
    parts = put(tmp_path / "parts", "train/1.png", "train/2.png", "test/1.png")
    (parts / "train.csv").write_text("id,label\n1,cat\n2,dog\n")
    assert "3 pictures, but no class folders" in refused(parts)
    assert "only one picture, in cat; a classifier needs" in refused(put(tmp_path / "one", "cat/1.png"))
    put(flat, "cat/1.png", "cat/2.png", "dog/1.png", "dog/2.png")
    (flat / "cat" / "1\n.png").write_text("not a picture")
    assert r"1\n.png: not a picture" in refused(flat)
    (flat / "cat" / "1\n.png").unlink()
    (flat / "cat" / "2.png").write_text("not a picture")
    assert refused(flat).startswith(f"{flat / 'cat' / '2.png'}: not a picture in a supported format")
    split = put(tmp_path / "split", "train/cat/1.png", "train/dog/1.png", "test/dgo/1.png")
    assert "'dgo' is none of the 2 labels to learn; is it misspelled?" in refused(split)
    put(split, "training/cat/1.png")
    assert "has train and training; keep one of them" in refused(split)


def test_the_size_and_colour_can_be_chosen_and_are_recorded(tmp_path):
    put(tmp_path, *(f"{kind}/{k}.png" for kind in "ab" for k in range(6)))
    dataset = load(tmp_path, image_size="4x6", color="rgb", skip_damaged=True)
    assert dataset.image_shape == (4, 6, 3)
    assert dataset.reading == {"image_size": "4x6", "color": "rgb", "skip_damaged": True}
    assert load(tmp_path).reading == {"image_size": "8x8", "color": "grey", "skip_damaged": False}
    assert load(tmp_path, **dataset.reading).sha256 == dataset.sha256


def by_pillow(path: Path, image: np.ndarray) -> None:
    Image.fromarray(image).convert("P").save(path.with_suffix(".gif"))


def by_scikit_image(path: Path, image: np.ndarray) -> None:
    io.imsave(path.with_suffix(".tif"), image, check_contrast=False)


def by_imagemagick(path: Path, image: np.ndarray) -> None:
    pgm = b"P5 %d %d 255\n" % image.shape[::-1] + image.tobytes()
    options = ["-interlace", "PNG", "-define", "png:bit-depth=16", "-depth", "16"]
    subprocess.run(["convert", "pgm:-", *options, path.with_suffix(".png")], input=pgm, check=True)


@pytest.mark.check
@pytest.mark.parametrize("write", [by_pillow, by_scikit_image, by_imagemagick])
def test_folders_made_by_other_programs(write, tmp_path):
    images = RNG.integers(0, 256, (2, 6, 12, 10), np.uint8)
    for kind, each in zip("ab", images, strict=True):
        for part, count in (("train", 4), ("test", 2)):
            (tmp_path / part / kind).mkdir(parents=True)
            for k in range(count):
                write(tmp_path / part / kind / str(k), each[k + 4 * (part == "test")])
    dataset = load(tmp_path)
    np.testing.assert_array_equal(dataset.train_images[..., 0], images[:, :4].reshape(8, 12, 10))
    np.testing.assert_array_equal(dataset.test_images[..., 0], images[:, 4:].reshape(4, 12, 10))
    (file, *_) = (tmp_path / "train" / "a").iterdir()
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(DataError, match=f"^{re.escape(str(file))}: the [A-Z]+ picture is damaged"):
        load(tmp_path)

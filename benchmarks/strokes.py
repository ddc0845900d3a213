"""Drawings on the studio's sheet: strokes traced from images of two data sets, which a mouse replays on the real page.

`python -m benchmarks.strokes` writes `drawings/`: ten drawings of each digit and five of each kind of clothing, from
images that are not used in any measurement.
"""

import itertools
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Page, sync_playwright
from scipy import ndimage
from scipy.sparse.csgraph import depth_first_order
from scipy.spatial.distance import cdist

from benchmarks.studio import CHROMIUM, studio

RECORDED = Path(__file__).with_name("drawings")
EACH = {"digits": 10, "clothes": 5}  # drawings of a class
ENLARGED = 4
APART = 6  # pixels of the enlarged image between the lines that fill in a piece of clothing
EVERY = 8  # pixels of the enlarged image between two points of a stroke
SHORT = 10  # pixels: a stroke that is not longer is an artefact of thinning
THIN = (  # hit and miss patterns of pixels to remove: https://en.wikipedia.org/wiki/Thinning_(morphology)
    ([[0, 0, 0], [0, 1, 0], [1, 1, 1]], [[1, 1, 1], [0, 0, 0], [0, 0, 0]]),
    ([[0, 0, 0], [1, 1, 0], [0, 1, 0]], [[0, 1, 1], [0, 0, 1], [0, 0, 0]]),
)


def thinned(mask: np.ndarray) -> np.ndarray:
    """The mask (h, w) reduced to lines one pixel wide along its middle."""
    before = np.zeros_like(mask)
    while (mask != before).any():
        before = mask
        for turn in range(4):
            for hit, miss in THIN:
                gone = ndimage.binary_hit_or_miss(mask, np.rot90(hit, turn), np.rot90(miss, turn))
                mask = mask & np.logical_not(gone)
    return mask


def trace(image: np.ndarray) -> list[np.ndarray]:
    """Strokes (k, 2) of x and y along the middle of a digit's lines, from its top down; the digit is uint8 (28, 28)."""
    ink = ndimage.gaussian_filter(ndimage.zoom(image / 255, ENLARGED), ENLARGED / 2)
    along = np.argwhere(thinned(ink > 0.3))[:, ::-1]
    touching = cdist(along, along) < 1.5
    left, strokes = set(range(len(along))), []
    while left:
        order, before = depth_first_order(touching, min(left), directed=False)
        left -= set(order)
        strokes.append([order[0]])
        for last, node in itertools.pairwise(order):
            if before[node] != last:
                strokes.append([before[node]])
            strokes[-1].append(node)
    return [along[[*stroke[::EVERY], stroke[-1]]] for stroke in strokes if len(stroke) > SHORT]


def shade(image: np.ndarray) -> list[np.ndarray]:
    """Strokes (k, 2) of x and y to and fro over a piece of clothing, uint8 (28, 28); each leg or sleeve has its own."""
    mask = np.asarray(ndimage.zoom(image / 255, ENLARGED, order=1)) > 0.2
    parts: dict[int, list[tuple[int, int]]] = {}
    for row in range(APART // 2, len(mask), APART):
        ends = np.flatnonzero(np.diff(np.pad(mask[row], 1).astype(int))).reshape(-1, 2).tolist()
        for number, (left, right) in enumerate(ends):
            part = parts.setdefault(number, [])
            line = [(left, row), (right - 1, row)]
            part += line if len(part) % 4 else line[::-1]
    return [np.array(part) for part in parts.values()]


def record(name: str, images: np.ndarray, labels: np.ndarray, classes: Sequence[str]) -> None:
    """Trace EACH images of every class, and place them on a sheet of 1 x 1 with a random size and position."""
    rng, lines = np.random.default_rng(0), []
    for number in range(EACH[name] * len(classes)):
        image = images[np.flatnonzero(labels == number % len(classes))[number // len(classes)]]
        strokes = trace(image) if name == "digits" else shade(image)
        low, high = (pick([pick(stroke, axis=0) for stroke in strokes], axis=0) for pick in (np.min, np.max))
        size = rng.uniform(0.5, 0.8)
        corner = 0.08 + rng.uniform(0, 1, 2) * (0.84 - size)
        placed = [(corner + (stroke - low) * size / max(high - low)).round(3).tolist() for stroke in strokes]
        lines.append(json.dumps({"label": classes[number % len(classes)], "strokes": placed}))
    RECORDED.mkdir(exist_ok=True)
    (RECORDED / f"{name}.json").write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")


def accuracy(runs: Path, name: str, model: str, count: int) -> float:
    """The share of the first `count` drawings that a model recognises. A mouse draws them on the studio's page."""
    drawings = json.loads((RECORDED / f"{name}.json").read_text(encoding="utf-8"))[:count]
    with studio(runs) as (_, port), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM)
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{port}/#/draw/{model}")
        return float(np.mean([replayed(page, one["strokes"]) == one["label"] for one in drawings]))


def replayed(page: Page, strokes: Any) -> str:
    """The page's label for these strokes on a new sheet."""
    label = ""
    page.get_by_role("button", name="New sheet").click()
    sheet = page.get_by_label("Sheet to draw on").bounding_box()
    assert sheet
    for stroke in strokes:
        with page.expect_response("**/api/predict**") as answered:
            for k, (x, y) in enumerate(stroke):
                page.mouse.move(sheet["x"] + x * sheet["width"], sheet["y"] + y * sheet["height"], steps=2)
                if k == 0:
                    page.mouse.down()
            page.mouse.up()
        label = answered.value.json()["predictions"][0]["label"]
    return label


if __name__ == "__main__":
    from benchmarks.pictures import LEARNED, digits
    from jaxquard.data import load

    every, numbers = digits()
    record("digits", every[:LEARNED], numbers[:LEARNED], tuple("0123456789"))
    clothes = load("fashion-mnist")
    record("clothes", clothes.train_images[..., 0], clothes.train_labels, clothes.class_names)

"""How long `jaxquard export` takes, and how large its files are: `make bench-export`, some five minutes.

Each command is a process of its own, on a model of the package or on a run of a small CNN on colour images. The program
for PyTorch in docs/EXPORT.md classifies the images of each model, too.
"""

import argparse
import contextlib
import datetime
import io
import json
import re
import runpy
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

import jaxquard
from benchmarks import report
from benchmarks.arena import machine
from benchmarks.bench import warn_if_busy
from benchmarks.measures.prediction import COMMAND
from benchmarks.process import ROOT, run
from benchmarks.rows import Spread
from jaxquard.config import Config
from jaxquard.data import load
from jaxquard.exporting import FORMATS
from jaxquard.files import write_atomically
from jaxquard.runs.directory import shipped

RESULTS, PAGE = ROOT / "benchmarks" / "results" / "export.json", ROOT / "docs" / "EXPORT.md"
RUN = "colour"
LIBRARIES = ("jax", "onnx", "safetensors", "tensorboardX", "torch")


def main() -> None:
    """Measure every format, save the figures as JSON, and write the table into the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="repetitions of each export")
    options = parser.parse_args()
    warn_if_busy()
    with tempfile.TemporaryDirectory(prefix="jaxquard-export-") as scratch:
        here = Path(scratch)
        colours = train(here)
        images = dict.fromkeys(shipped(), load("fashion-mnist").test_images) | {RUN: colours}
        exports = [measure(name, to, here, options.rounds) for name in images for to in FORMATS if fits(name, to)]
        torch = {name: torch_differs(name, here, pixels) for name, pixels in images.items()}
    found = {"date": f"{datetime.date.today()}", "machine": machine(LIBRARIES), "exports": exports, "torch": torch}
    write_atomically(RESULTS, (json.dumps(found, indent=1) + "\n").encode())
    page = report.replace_section(PAGE.read_text(encoding="utf-8"), "export", section(found))
    write_atomically(PAGE, page.encode())
    print(section(found))


def fits(name: str, to: str) -> bool:
    """Whether the model has what the format holds: only a run has a journal."""
    return name == RUN or not FORMATS[to].journal


def train(runs: Path) -> np.ndarray:
    """Train the run on made-up images, 32×32 in colour. Returns its test images."""
    rng = np.random.default_rng(0)
    labels = np.arange(2_000) % 10
    images = rng.integers(0, 156, (2_000, 32, 32, 3), dtype=np.uint8)
    for k in range(10):
        images[labels == k, :, 3 * k : 3 * k + 3, k % 3] += 100
    config = Config(model="cnn", widths=(16, 32, 64), stem=2, epochs=10, activation="leaky_relu")
    jaxquard.train(config, data=(images[1_000:], labels[1_000:], images[:1_000], labels[:1_000]), runs=runs, name=RUN)
    return images[:1_000]


def measure(name: str, to: str, here: Path, rounds: int) -> dict[str, Any]:
    """The seconds of an export from process start, after one that fills the caches; the bytes that it wrote."""
    out = here / f"{name}{FORMATS[to].suffix}"
    command = (COMMAND, "export", name, "--to", to, "--out", out, "--overwrite", "--runs", here, "--json", "--quiet")
    outcomes = [run(command, here / "cache") for _ in range(rounds + 1)]
    seconds = asdict(Spread.of(outcome.seconds for outcome in outcomes[1:]))
    print(f"  {name}, {to}: {seconds['median']:.2f} s", file=sys.stderr)
    return {"model": name, "format": to, "bytes": outcomes[0].report["bytes"], "seconds": seconds}


def torch_differs(name: str, here: Path, images: np.ndarray) -> dict[str, Any]:
    """How much the probabilities of the page's program for PyTorch differ from ours, at most."""
    programs = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    program = next(program for program in programs if "import torch" in program)
    (here / "classify.py").write_text(program, encoding="utf-8")
    np.save(here / "images.npy", images[:1])
    arguments = ["classify.py", str(here / f"{name}.safetensors"), str(here / "images.npy")]
    with mock.patch.object(sys, "argv", arguments), contextlib.redirect_stdout(io.StringIO()):
        classify = runpy.run_path(str(here / "classify.py"))["probabilities"]
    ours = jaxquard.load_model(name, runs=here).predict_proba(images)
    return {"images": len(images), "difference": float(np.abs(ours - classify(images, 0).numpy()).max())}


def section(found: dict[str, Any]) -> str:
    """The tables, below a description of the machine."""
    where, names = found["machine"], list(found["torch"])
    cells = {(one["format"], one["model"]): one for one in found["exports"]}
    rows = [[f"`{to}`", *(cell(cells.get((to, name))) for name in names)] for to in FORMATS if (to, RUN) in cells]
    most, images = (max(one[what] for one in found["torch"].values()) for what in ("difference", "images"))
    versions = ", ".join(f"{library} {number}" for library, number in where["versions"].items())
    about = (
        f"Seconds from process start (medians of {found['exports'][0]['seconds']['n']}), and bytes. `{RUN}` is a run: "
        f"10 epochs of a CNN on images of 32×32 pixels in colour. Measured by `make bench-export` on {found['date']}: "
        f"{where['processor']}, {where['cores']} cores, Python {where['python']}; {versions}."
    )
    torch = (
        f"The probabilities of the program for PyTorch below differ from those of JAX by at most {most:.6f}, on up to "
        f"{images:,} images of each model."
    )
    return "\n\n".join([about, report.table(["format", *(f"`{name}`" for name in names)], rows), torch])


def cell(one: dict[str, Any] | None) -> str:
    """The time and the size of an export."""
    return f"{one['seconds']['median']:.1f} s, {one['bytes']:,}" if one else "–"


if __name__ == "__main__":
    main()

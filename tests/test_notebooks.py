"""The notebooks of docs/notebooks, and an interrupted training, in real Jupyter kernels."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from PIL import Image

FOLDER = Path(__file__).parents[1] / "docs" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
PART_OF_THE_DATA = """
import jaxquard, numpy
rng = numpy.random.default_rng(0)
labels = numpy.arange(600) % 10
images = rng.integers(0, 200, (10, 28, 28))[labels] + rng.integers(0, 55, (600, 28, 28))
data = jaxquard.Dataset.from_arrays(images, labels)
"""


@pytest.fixture
def run_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """`run_cells(notebook)` runs its cells in a new kernel, in `tmp_path`, and returns it with its outputs."""
    monkeypatch.setenv("JAXQUARD_DATA", str(tmp_path / "data"))
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))

    def run(notebook: Any, **options: Any) -> Any:
        about = {"metadata": {"path": str(tmp_path)}}
        return NotebookClient(notebook, timeout=300, resources=about, **options).execute()

    return run


def outputs(notebook: Any) -> str:
    """All outputs of a notebook, as text."""
    return "\n".join(str(output) for cell in notebook.cells for output in cell.get("outputs", ()))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_without_outputs(path: Path):
    notebook = nbformat.read(path, 4)
    nbformat.validate(notebook)
    assert not outputs(notebook)
    assert {cell.execution_count for cell in notebook.cells if cell.cell_type == "code"} == {None}


@pytest.mark.check
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, run_cells: Callable[..., Any], tmp_path: Path):
    notebook = nbformat.read(path, 4)
    if path.stem == "your-own-images":
        rng = np.random.default_rng(0)
        for k, name in enumerate(("red", "green", "blue")):
            (tmp_path / "photos" / name).mkdir(parents=True)
            for number in range(20):
                pixels = rng.integers(0, 99, (40, 50, 3), np.uint8)
                pixels[..., k] += 120
                Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{number}.png")
    else:
        part = nbformat.v4.new_code_cell(PART_OF_THE_DATA + "jaxquard.load = lambda name: data")
        notebook.cells.insert(0, part)
    said = outputs(run_cells(notebook))
    assert "<script" not in said
    assert ("<progress" in said) == (path.stem != "inside")


@pytest.mark.check
def test_an_interrupted_kernel_has_saved_a_checkpoint(run_cells: Callable[..., Any]):
    cells = [
        PART_OF_THE_DATA,
        "import os, signal\n"
        "observer = jaxquard.Observer(event=lambda event: event.epoch == 3 and os.kill(os.getpid(), signal.SIGINT))\n"
        "jaxquard.train(jaxquard.Config(epochs=100), data=data, name='stopped', observer=observer)",
        "run, = jaxquard.list_runs()\n"
        "epochs = len(run.epochs())\n"
        "assert 3 <= epochs < 100\n"
        "assert jaxquard.train(resume=run, data=data, until=epochs + 1).epochs == epochs + 1",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.cells[1].metadata["tags"] = ["raises-exception"]
    (error,) = [output for output in run_cells(notebook).cells[1].outputs if output.output_type == "error"]
    assert error.ename == "KeyboardInterrupt"
    assert "jaxquard.train(resume=" in error.evalue

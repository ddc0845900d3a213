"""A network's weights as pictures: each layer's histogram against its start, and the first layer's as images."""

from typing import Any

import numpy as np
from anyio import to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from jaxquard.charts import pictures
from jaxquard.errors import RunError
from jaxquard.runs.directory import Run
from jaxquard.studio.watch import Sight

BINS, UNITS = 41, 64


def weights(sight: Sight, network: int) -> dict[str, Any]:
    """The newest snapshot of one network of a run beside its first. HTTPException 422 for a network it has not."""
    run = sight.run
    if not 0 <= network < len(run.config.networks()):
        raise HTTPException(422, "this run has no network of that number")
    epochs = run.snapshot_epochs()
    if not epochs:
        raise HTTPException(404, "this run has kept no snapshots")
    start, now = snapshot(run, epochs[0], network), snapshot(run, epochs[-1], network)
    layers = [
        {"name": f"layer {k + 1}", "shape": list(now[name].shape), "histogram": histogram(start[name], now[name])}
        for k, name in enumerate(now)
    ]
    first = next(iter(now))
    shape = tuple(run.environment["dataset"]["image_shape"])
    images = first_layer(as_pixels(now[first] - start[first], shape, run.config.stem))
    return {"epoch": epochs[-1], "epochs_with_snapshot": epochs, "layers": layers, "first_layer": images}


def snapshot(run: Run, epoch: int, network: int) -> dict[str, np.ndarray]:
    """One network's weights (no biases) after an epoch, first layer first. RunError where they are damaged."""
    from jaxquard.runs import tensors  # with JAX

    file = run.snapshot(epoch)
    try:
        arrays = tensors.from_bytes(file.read_bytes(), str(file))
    except OSError as error:
        raise RunError(f"{file}: cannot be read: {error.strerror}") from error
    names = [name for name in arrays if name.startswith("0/") and name.endswith("/w")]  # 1/… is the layers' own state
    names.sort(key=lambda name: [int(part) if part.isdecimal() else part for part in name.split("/")])
    return {name: arrays[name][network] for name in names}


def histogram(start: np.ndarray, now: np.ndarray) -> dict[str, list[float]]:
    """Counts of both in the same bins; what is not finite is in none."""
    start, now = (array[np.isfinite(array)] for array in (start, now))
    edges = np.histogram_bin_edges(np.concatenate([start, now]), BINS)
    counts = {name: np.histogram(array, edges)[0].tolist() for name, array in (("start", start), ("now", now))}
    return {"edges": edges.tolist(), **counts}


def as_pixels(w: np.ndarray, image_shape: tuple[int, ...], stem: int) -> np.ndarray:
    """First-layer weights laid out like the pixels they meet, (h, w, c, units): a dense layer's (h·w·c, units), or
    kernels (rows, columns, stem²·c, units), where each stem × stem square of pixels was taken as one."""
    if w.ndim == 2:
        return w.reshape(*image_shape, -1)
    rows, columns, _, units = w.shape
    squares = w.reshape(rows, columns, stem, stem, -1, units).swapaxes(1, 2)
    return squares.reshape(rows * stem, columns * stem, -1, units)


def first_layer(change: np.ndarray) -> dict[str, Any]:
    """What training changed in each unit's weights (h, w, c, units), as pictures, the mean of their channels."""
    units = np.moveaxis(change.mean(axis=2), -1, 0)[:UNITS]
    colors, limit = pictures.signed(units)
    said = f"What training changed in the weights of {len(units)} of {change.shape[-1]} units. "
    return {
        "width": units.shape[2],
        "height": units.shape[1],
        "limit": limit,
        "images": [pictures.data_uri(picture) for picture in colors],
        "sentence": said + pictures.scale_sentence(limit),
    }


async def show(request: Request) -> JSONResponse:
    """The weights of `?network=`, the first one where that is left out."""
    reader, asked = request.app.state.reader, request.query_params.get("network", "0")
    network = int(asked) if asked.isdecimal() and len(asked) < 6 else -1
    sight = reader.find(request.path_params["run"])
    return JSONResponse(await to_thread.run_sync(weights, sight, network))


routes = [Route("/api/runs/{run}/weights", show)]

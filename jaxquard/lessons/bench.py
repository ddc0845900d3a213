"""`jaxquard lesson backprop --mine FILE` finds the first equation and layer that are wrong in a learner's function.

The network is Nielsen's of chapter 2: sigmoid neurons in every layer, the mean over the batch of C = ½‖y - a‖². FILE
defines `backprop(params, x, y) -> grads` in NumPy or JAX: `params` is a list of `{"w": (in, out), "b": (out,)}`, the
first layer first; `x` is (batch, in), `y` (batch, out), examples as rows; `grads` is shaped like `params`.

The numbers show which mistake was made. In the first network all layers and the batch have the same size, so that a
wrong transpose or axis causes no error. A second network, of different sizes, finds what works only in a square.
"""

import contextlib
import importlib.util
import sys
import traceback
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxquard.errors import UsageError

Params = list[dict[str, np.ndarray]]
Backprop = Callable[[Params, np.ndarray, np.ndarray], Any]
SIZES = ((4, 4, 4, 4), 4), ((6, 5, 4, 3), 7)  # layers and batch, of the square network and of the other
TOLERANCE = 1e-4  # relative: enough for 32 bits


def sigmoid(z: np.ndarray) -> np.ndarray:
    """σ(z) = 1/(1 + e⁻ᶻ); σ′ = σ(1 - σ)."""
    return 1 / (1 + np.exp(-z))


def forward(params: Params, x: np.ndarray) -> list[np.ndarray]:
    """The activations of every layer, the input first."""
    activations = [x]
    for layer in params:
        activations.append(sigmoid(activations[-1] @ layer["w"] + layer["b"]))
    return activations


def deltas(params: Params, activations: list[np.ndarray], y: np.ndarray) -> list[np.ndarray]:
    """δˡ of every layer, (batch, out) each: BP1 for the last, then BP2 backwards (Nielsen, chapter 2)."""
    a = activations[-1]
    found = [(a - y) * a * (1 - a)]  # BP1: δᴸ = ∇ₐC ⊙ σ′(zᴸ)
    for layer, a in zip(params[:0:-1], activations[-2:0:-1], strict=True):
        found.insert(0, (found[0] @ layer["w"].T) * a * (1 - a))  # BP2: δˡ = (wˡ⁺¹ᵀ δˡ⁺¹) ⊙ σ′(zˡ)
    return found


def by_hand(params: Params, x: np.ndarray, y: np.ndarray) -> Params:
    """The gradient of the mean of ½‖y - a‖² over the batch, by the four equations."""
    activations = forward(params, x)
    return [
        {"w": a.T @ delta / len(x), "b": delta.mean(axis=0)}  # BP4: ∂C/∂w = aˡ⁻¹ δˡ, and BP3: ∂C/∂b = δˡ
        for a, delta in zip(activations, deltas(params, activations, y), strict=False)
    ]


class Problem(NamedTuple):
    """A network and a batch."""

    params: Params
    x: np.ndarray
    y: np.ndarray


def make_problem(sizes: tuple[int, ...], batch: int) -> Problem:
    """Random numbers, always the same."""
    rng = np.random.default_rng(2)
    params = [{"w": rng.normal(size=shape), "b": rng.normal(size=shape[1])} for shape in pairwise(sizes)]
    return Problem(params, rng.normal(size=(batch, sizes[0])), np.eye(sizes[-1])[rng.integers(0, sizes[-1], batch)])


def check(path: Path) -> dict[str, Any]:
    """`{"right", "equation", "layer", "message"}`: the first error of the function in a file. Raises UsageError."""
    backprop = load(path)
    for number, (sizes, batch) in enumerate(SIZES):
        problem = make_problem(sizes, batch)
        grads = call(path, backprop, problem)
        if fault := first_fault(problem, grads):
            equation, layer, slip = fault
            where = "" if number == 0 else " (in a network of unequal layers; with layers of one size it was right)"
            message = f"{path}: {equation} is wrong in layer {layer} of {len(problem.params)}: {slip}{where}"
            return {"right": False, "equation": equation, "layer": layer, "message": message}
    message = f"{path}: right. BP1 to BP4 agree with the reference in every layer."
    return {"right": True, "equation": None, "layer": None, "message": message}


def load(path: Path) -> Backprop:
    """The function `backprop` of a Python file, which is run."""
    if not path.is_file():
        raise UsageError(f"{path}: no such file")
    spec = importlib.util.spec_from_file_location("mine", path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path}: not a Python file (.py)")
    module = importlib.util.module_from_spec(spec)
    with _their_code(path):
        spec.loader.exec_module(module)
    found = getattr(module, "backprop", None)
    if not callable(found):
        raise UsageError(f"{path}: defines no function backprop(params, x, y)")
    return found


def call(path: Path, backprop: Backprop, problem: Problem) -> Params:
    """The gradients of the learner's function, checked for shape. The function gets copies, which it may change."""
    params = [{name: leaf.copy() for name, leaf in layer.items()} for layer in problem.params]
    with _their_code(path):
        grads = backprop(params, problem.x.copy(), problem.y.copy())
        layers = [{name: np.asarray(layer[name], np.float64) for name in ("w", "b")} for layer in grads]
    if len(layers) != len(params):
        raise UsageError(f"{path}: backprop returned {len(layers)} layers for a network of {len(params)}")
    for number, (layer, true) in enumerate(zip(layers, problem.params, strict=True), 1):
        for name, leaf in layer.items():
            if leaf.shape != true[name].shape:
                expected = f"{true[name].shape} was expected, the shape of the parameter itself"
                raise UsageError(f"{path}: backprop's {name} of layer {number} has shape {leaf.shape}; {expected}")
    return layers


@contextlib.contextmanager
def _their_code(path: Path) -> Iterator[None]:
    """Run a learner's code: its prints go to stderr, and its errors become one line that says where."""
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except SyntaxError as error:
        raise UsageError(f"{path}: line {error.lineno}: {error.msg}") from error
    except (Exception, SystemExit) as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        at = f"line {lines[-1]}" if lines else "what backprop returned is not a list of {'w': …, 'b': …}"
        first = (str(error).strip().splitlines() or [""])[0][:200]
        raise UsageError(f"{path}: {at}: {type(error).__name__}: {first}") from error


def first_fault(problem: Problem, grads: Params) -> tuple[str, int, str] | None:
    """(equation, layer, slip) of the first error in the order of the backward pass; None if there is none."""
    activations = forward(problem.params, problem.x)
    right = by_hand(*problem)
    for number in reversed(range(len(right))):
        wrong = {name for name in ("w", "b") if not same(grads[number][name], right[number][name])}
        if wrong:
            equation, slip = _diagnose(problem, activations, number, grads[number], wrong)
            return equation, number + 1, slip
    return None


def same(mine: np.ndarray, right: np.ndarray) -> bool:
    """Equal up to rounding."""
    return mine.shape == right.shape and bool(np.linalg.norm(mine - right) <= TOLERANCE * np.linalg.norm(right))


def _diagnose(
    problem: Problem, activations: list[np.ndarray], number: int, grads: dict[str, np.ndarray], wrong: set[str]
) -> tuple[str, str]:
    """Which equation of a layer is wrong, and by which slip. If w and b are both wrong, δ is."""
    a, delta = activations[number], deltas(problem.params, activations, problem.y)[number]
    bias = _named(grads["b"], bias_slips(delta))
    weight = _named(grads["w"], weight_slips(a, delta, activations[number + 1]))
    if wrong == {"b"}:
        return "BP3", bias or UNKNOWN
    if wrong == {"w"}:
        return "BP4", weight or UNKNOWN
    last = number == len(problem.params) - 1
    out = activations[-1]
    slips = delta_slips(out - problem.y, out) if last else hidden_slips(problem, activations, number)
    shared = {slip: np.vstack([a.T @ slipped, slipped.sum(axis=0)]) / len(a) for slip, slipped in slips.items()}
    slip = _named(np.vstack([grads["w"], grads["b"]]), shared)
    if not slip and bias and weight:
        return "BP3", f"{bias}; and BP4: {weight}"
    return "BP1" if last else "BP2", slip or UNKNOWN


UNKNOWN = "the numbers match neither the equation nor a known mistake"
FLIPPED = "its sign is flipped"
NO_SLOPE = "the factor σ′(z) is missing"
SLOPE_AT_A = "σ′ was taken at a instead of at z"
NOT_DIVIDED = "the sum over the batch was not divided by its size"


def _named(found: np.ndarray, slips: dict[str, np.ndarray]) -> str:
    return next((slip for slip, slipped in slips.items() if same(found, slipped)), "")


def delta_slips(back: np.ndarray, a: np.ndarray) -> dict[str, np.ndarray]:
    """δ = back ⊙ σ′(z) after each of the usual slips in BP1 and BP2, where a = σ(z)."""
    again = sigmoid(a)
    return {FLIPPED: -back * a * (1 - a), NO_SLOPE: back, SLOPE_AT_A: back * again * (1 - again)}


def hidden_slips(problem: Problem, activations: list[np.ndarray], number: int) -> dict[str, np.ndarray]:
    """δˡ after each of the usual slips in BP2, with the right δˡ⁺¹. Layers of one size permit more of them."""
    above = deltas(problem.params, activations, problem.y)[number + 1]
    w, a = problem.params[number + 1]["w"], activations[number + 1]
    back, slope = above @ w.T, a * (1 - a)
    slips = delta_slips(back, a)
    if len({size for layer in problem.params for size in layer["w"].shape}) == 1:
        behind, beyond = problem.params[number]["w"], activations[number + 2]
        slips |= {
            "the weights are not transposed": (above @ w) * slope,
            "the weights are those of the layer itself, not of the next": (above @ behind.T) * slope,
            "σ′(z) is that of the next layer": back * beyond * (1 - beyond),
        }
    return slips


def bias_slips(delta: np.ndarray) -> dict[str, np.ndarray]:
    """The gradient of b after each of the usual slips in BP3."""
    return {
        FLIPPED: -delta.mean(axis=0),
        NOT_DIVIDED: delta.sum(axis=0),
        "δ was summed on the wrong axis, over neurons instead of examples": delta.mean(axis=1),
        "δ was summed on the wrong axis, over neurons instead of examples, and not divided": delta.sum(axis=1),
        "it is zero": np.zeros(delta.shape[1]),
    }


def weight_slips(a: np.ndarray, delta: np.ndarray, own: np.ndarray) -> dict[str, np.ndarray]:
    """The gradient of w after each of the usual slips in BP4; `own` are the layer's own activations."""
    n = len(a)
    slips = {
        FLIPPED: -a.T @ delta / n,
        NOT_DIVIDED: a.T @ delta,
        "a transpose is missing: this is the gradient's transpose, δᵀa": delta.T @ a / n,
        "the activations are the layer's own, not those that come in": own.T @ delta / n,
    }
    if a.shape[0] == a.shape[1]:
        slips["a transpose is missing: aδ instead of aᵀδ"] = a @ delta / n
    return slips

"""The bench names the slip in a learner's function, or says why it cannot be checked."""

import textwrap

import jax
import numpy as np
import pytest

from jaxquard.errors import UsageError
from jaxquard.lessons import bench

RIGHT = """
import numpy as np

def sigmoid(z):
    return 1 / (1 + np.exp(-z))

def backprop(params, x, y):
    zs, activations = [], [x]
    for layer in params:
        zs.append(activations[-1] @ layer["w"] + layer["b"])
        activations.append(sigmoid(zs[-1]))
    slope = [sigmoid(z) * (1 - sigmoid(z)) for z in zs]
    delta = (activations[-1] - y) * slope[-1]
    grads = []
    for l in reversed(range(len(params))):
        if l < len(params) - 1:
            delta = (delta @ params[l + 1]["w"].T) * slope[l]
        grads.insert(0, {"w": activations[l].T @ delta / len(x), "b": delta.mean(axis=0)})
    return grads
"""
BP1 = "(activations[-1] - y) * slope[-1]"
BP2 = '(delta @ params[l + 1]["w"].T) * slope[l]'
BP3 = "delta.mean(axis=0)"
BP4 = "activations[l].T @ delta / len(x)"


@pytest.fixture
def mine(tmp_path):
    def write(code: str):
        path = tmp_path / "my_backprop.py"
        path.write_text(textwrap.dedent(code), encoding="utf-8")
        return path

    return write


def test_the_reference_is_jax_grad():
    problem = bench.make_problem(*bench.SIZES[1])

    def cost(params):
        a = problem.x
        for layer in params:
            a = jax.nn.sigmoid(a @ layer["w"] + layer["b"])
        return 0.5 * ((problem.y - a) ** 2).sum() / len(problem.x)

    with jax.enable_x64(True):
        jax.tree.map(
            lambda mine, theirs: np.testing.assert_allclose(mine, theirs, rtol=1e-10, atol=1e-14),
            bench.by_hand(*problem),
            jax.jit(jax.grad(cost))(problem.params),
        )


def test_a_right_one_is_right(mine):
    report = bench.check(mine(RIGHT))
    assert report["right"]
    assert (report["equation"], report["layer"]) == (None, None)


def test_one_in_jax_is_right_too(mine):
    assert bench.check(mine(RIGHT.replace("import numpy as np", "import jax.numpy as np")))["right"]


@pytest.mark.parametrize(
    ("line", "slipped", "equation", "layer", "slip"),
    [
        (BP1, "(y - activations[-1]) * slope[-1]", "BP1", 3, "sign is flipped"),
        (BP1, "activations[-1] - y", "BP1", 3, "σ′(z) is missing"),
        (BP1, "2 * (activations[-1] - y) * slope[-1]", "BP1", 3, "nor a known mistake"),
        (BP2, "-" + BP2, "BP2", 2, "sign is flipped"),
        (BP2, '(delta @ params[l + 1]["w"].T)', "BP2", 2, "σ′(z) is missing"),
        (BP2, '(delta @ params[l + 1]["w"]) * slope[l]', "BP2", 2, "not transposed"),
        (BP2, '(delta @ params[l]["w"].T) * slope[l]', "BP2", 2, "not of the next"),
        (BP2, '(delta @ params[l + 1]["w"].T) * slope[l + 1]', "BP2", 2, "that of the next layer"),
        (BP2, f"({BP2}) * (1 if l else 3)", "BP2", 1, "nor a known mistake"),
        (BP3, "delta.mean(axis=1)", "BP3", 3, "wrong axis"),
        (BP3, "delta.sum(axis=1)", "BP3", 3, "wrong axis"),
        (BP3, "delta.sum(axis=0)", "BP3", 3, "not divided"),
        (BP3, "0 * delta.mean(axis=0)", "BP3", 3, "zero"),
        (BP4, "delta.T @ activations[l] / len(x)", "BP4", 3, "transpose is missing"),
        (BP4, "activations[l] @ delta / len(x)", "BP4", 3, "transpose is missing"),
        (BP4, "activations[l].T @ delta", "BP4", 3, "not divided"),
        (BP4, "activations[l + 1].T @ delta / len(x)", "BP4", 3, "layer's own"),
        (BP4, f"-({BP4}) if l == 0 else {BP4}", "BP4", 1, "sign is flipped"),
    ],
)
def test_a_slip_is_named(mine, line: str, slipped: str, equation: str, layer: int, slip: str):
    assert line in RIGHT
    report = bench.check(mine(RIGHT.replace(line, slipped)))
    assert not report["right"]
    assert (report["equation"], report["layer"]) == (equation, layer)
    assert slip in report["message"]
    assert "\n" not in report["message"]


def test_a_slip_without_effect_in_a_square_network_is_found_in_the_other(mine):
    report = bench.check(mine(RIGHT.replace(BP3, "delta.sum(axis=0) / 4")))
    assert (report["equation"], report["layer"]) == ("BP3", 3)
    assert "unequal layers" in report["message"]


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("def forward(): pass", "defines no function backprop"),
        ("backprop = 3", "defines no function backprop"),
        ("def backprop(params, x, y)\n    pass", "line 1: expected ':'"),
        ("import no_such_module_here", "line 1: ModuleNotFoundError"),
        ("raise SystemExit(3)", "line 1: SystemExit"),
        ("def backprop(params, x, y):\n    return 1 / 0", "line 2: ZeroDivisionError: division by zero"),
        ("def backprop(params): pass", "TypeError"),
        ("def backprop(params, x, y): pass", "not a list of"),
        ("def backprop(params, x, y): return [{'w': 1}] * 3", "not a list of"),
        ("def backprop(params, x, y): return params[1:]", "returned 2 layers for a network of 3"),
        (RIGHT.replace(BP3, "delta.mean(axis=0, keepdims=True)"), r"b of layer 1 has shape \(1, 4\); \(4,\) was"),
        (RIGHT.replace(BP4, "0"), r"w of layer 1 has shape \(\)"),
    ],
)
def test_an_unusable_function_is_refused_in_one_line(mine, code: str, says: str):
    with pytest.raises(UsageError, match=says) as caught:
        bench.check(mine(code))
    assert "my_backprop.py: " in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match=r"nothing\.py: no such file"):
        bench.check(tmp_path / "nothing.py")


def test_prints_of_the_function_go_to_stderr(mine, capsys):
    bench.check(mine("print('loading')\n" + RIGHT))
    assert capsys.readouterr() == ("", "loading\n")


def test_a_function_may_change_its_arguments(mine):
    spoiling = RIGHT.replace("    return grads", "    params[0]['w'] *= 0\n    return grads")
    assert bench.check(mine(spoiling))["right"]

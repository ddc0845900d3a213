"""`mlp_fashion_mnist.py` trains exactly like the package, and its errors are single lines."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import jaxquard
from jaxquard.config import Config
from jaxquard.data import Dataset
from jaxquard.errors import DataError, DivergedError, JaxquardError, UsageError
from jaxquard.training.data import prepare
from jaxquard.training.fit import make_run
from jaxquard.training.program import start
from jaxquard.training.randomness import INIT, stream

SCRIPT = Path(jaxquard.__file__).parent.parent / "mlp_fashion_mnist.py"
sys.path.insert(0, str(SCRIPT.parent))
import mlp_fashion_mnist as script  # noqa: E402


def test_it_is_the_packages_own_training(stripes: Dataset):
    """The same key gives the same parameters, and two epochs over the same batches the same again, to rounding.

    Not to the bit: the package has mean and deviation as constants.
    """
    config, data = prepare(Config(hidden=(8, 5), batch_size=25, learning_rate=0.1, epochs=2), stripes)
    task, program = make_run(config, data)
    ts = start(program, task, config.networks())
    params = script.init_params(stream(jax.random.key(0), INIT), (36, 8, 5, 3))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b[0], rtol=1e-5, atol=1e-6), params, ts.params)
    for epoch in range(2):
        order = program.orders(ts.key, epoch)
        ts = program.run(ts, order, data.images, data.labels, 0, 4)
        batches = order[0, :100].reshape(4, 25)
        params, loss = script.train_epoch(
            params, data.images, data.labels, batches, 0.1, config.pixel_mean, config.pixel_std
        )
        assert float(loss) == pytest.approx(float(ts.totals.loss[0]) / 100, rel=1e-5)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b[0], rtol=1e-5, atol=1e-6), params, ts.params)
    (logits,) = program.logits(ts.params, ts.state, data.images)
    share = np.mean(np.argmax(logits, axis=-1) == stripes.train_labels)
    statistics = (config.pixel_mean, config.pixel_std)
    assert float(script.accuracy(params, data.images, data.labels, *statistics)) == pytest.approx(share)


def test_batches_are_whole_and_use_no_image_twice():
    key, batches = script.create_batches(jax.random.key(0), 205, 32)
    assert batches.shape == (6, 32)
    visited = np.unique(batches)
    assert len(visited) == 6 * 32
    assert visited.min() >= 0
    assert visited.max() < 205
    _, following = script.create_batches(key, 205, 32)
    assert np.any(batches != following)
    assert sorted(np.ravel(script.create_batches(key, 64, 32)[1])) == list(range(64))


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, stripes: Dataset, capsys: pytest.CaptureFixture) -> Any:
    """`run(**settings)`: the output of `main` on the synthetic data."""

    def called(**settings: Any) -> str:
        monkeypatch.setattr(script, "load", lambda name, **options: stripes)
        script.main(**{"hidden": (8, 5), "batch_size": 20, "learning_rate": 0.1, "epochs": 3} | settings)
        out, err = capsys.readouterr()
        assert err == ""
        return out

    return called


def test_a_run_from_end_to_end(run: Any, stripes: Dataset):
    out = run(epochs=12)
    header, table, figures, following = out.strip().split("\n\n")
    assert [line.split()[0] for line in header.splitlines()] == ["device", "data", "network"]
    assert f"JAX {jax.__version__}" in header
    assert f"120 training and 40 test images ({stripes.source})" in header
    assert "36-8-5-3, 359 parameters" in header  # 36·8 + 8 + 8·5 + 5 + 5·3 + 3
    title, *rows = table.splitlines()
    assert title.split() == ["epoch", "loss", "seconds"]
    ends = [title.index(word) + len(word) for word in title.split()]
    for number, row in enumerate(rows, 1):
        assert re.match(r"^ *\d+ +\d+\.\d{4} +\d+\.\d\d$", row)
        assert [match.end() for match in re.finditer(r"\S+", row)][:3] == ends
        assert int(row.split()[0]) == number
    assert len(rows) == 12
    losses = [float(row.split()[1]) for row in rows]
    assert losses[-1] < 0.5 < losses[0]
    loss, correct = (line.rsplit(maxsplit=1) for line in figures.splitlines())
    assert loss == ["final training loss", f"{losses[-1]:.4f}"]
    assert correct[0] == "test accuracy"
    assert float(correct[1].rstrip("%")) > 80
    assert "jaxquard train" in following


def test_the_same_seed_prints_the_same_figures_and_another_does_not(run: Any):
    once, again, other = (
        [row.split()[1] for row in run(seed=seed).split("\n\n")[1].splitlines()[1:]] for seed in (0, 0, 1)
    )
    assert once == again != other


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"batch_size": 121}, UsageError, "^batch_size: 121 is more than the 120 training images$"),
        ({"learning_rate": 1e30}, DivergedError, "^the loss is not finite in epoch 1: try a smaller learning rate$"),
        (
            {"learning_rate": 1e30, "batch_size": 120, "epochs": 1},
            DivergedError,
            "^the parameters are not finite after the last update: ",
        ),
    ],
)
def test_impossible_settings_and_divergence_are_errors(
    run: Any, settings: dict[str, Any], error: type[JaxquardError], message: str
):
    with pytest.raises(error, match=message):
        run(**settings)


def test_options_for_data_are_passed_to_load(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    def load(name: str, **options: Any) -> Dataset:
        calls.append((name, options["data_dir"], options["offline"]))
        raise DataError("nowhere")

    calls: list[tuple[Any, ...]] = []
    monkeypatch.setattr(script, "load", load)
    for options in ({"data_dir": tmp_path, "offline": True}, {}):
        with pytest.raises(DataError, match="nowhere"):
            script.main(**options)
    assert calls == [("fashion-mnist", tmp_path, True), ("fashion-mnist", None, None)]  # None: as the environment says


# cyclopts warns if a test lets it read sys.argv, which is intended here
from_argv = pytest.mark.filterwarnings("ignore:Cyclopts application invoked:UserWarning")


def by_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, *arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of the script with these arguments."""
    import runpy

    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *arguments])
    with pytest.raises(SystemExit) as caught:
        runpy.run_path(str(SCRIPT), run_name="__main__")
    code = caught.value.code
    return int(code or 0), *capsys.readouterr()


@from_argv
@pytest.mark.parametrize(
    ("arguments", "about"),
    [
        ("--epochs -3", "epochs"),
        ("--epochs x", "epochs"),
        ("--epochs", "epochs"),
        ("--learning-rate nan", "--learning-rate"),
        ("--learning-rate 0", "learning_rate"),
        ("--batch-size 0", "batch_size"),
        ("--batch-size 70000", "batch_size"),
        ("--hidden 0", "hidden"),
        ("--hidden 5 -1", "hidden"),
        ("--seed 99999999999", "seed"),
        ("--bogus", "--bogus"),
        ("stray", "stray"),
    ],
)
def test_wrong_flags_are_one_line_and_exit_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, stripes: Dataset, arguments: str, about: str
):
    monkeypatch.setattr("jaxquard.data.load", lambda name, **options: stripes)
    code, out, err = by_command(monkeypatch, capsys, *arguments.split())
    assert (code, out) == (2, "")
    (line,) = err.splitlines()
    assert line.startswith("mlp_fashion_mnist: ")
    assert about in line


@from_argv
def test_divergence_exits_4_and_missing_data_3(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, stripes: Dataset
):
    monkeypatch.setattr("jaxquard.data.load", lambda name, **options: stripes)
    code, _, err = by_command(monkeypatch, capsys, "--learning-rate", "1e30", "--batch-size", "32", "--hidden=8")
    assert (code, err) == (4, "mlp_fashion_mnist: the loss is not finite in epoch 1: try a smaller learning rate\n")

    def missing(name: str, **options: Any) -> Dataset:
        raise DataError(f"{name}: nowhere to be found")

    monkeypatch.setattr("jaxquard.data.load", missing)
    assert by_command(monkeypatch, capsys) == (3, "", "mlp_fashion_mnist: fashion-mnist: nowhere to be found\n")


ON_MADE_UP_DATA = """
import runpy, sys
import numpy as np
import jaxquard.data
x, y = np.arange(4096, dtype=np.uint8).reshape(64, 8, 8, 1), np.arange(64, dtype=np.int32) % 3
jaxquard.data.load = lambda name, **_: jaxquard.data.Dataset("m", x, y, x, y, ("a", "b", "c"), {}, "made up")
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_a_closed_pipe_gives_no_traceback():
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w", encoding="utf-8") as gone:
        command = [sys.executable, "-c", ON_MADE_UP_DATA, SCRIPT, "--epochs", "1", "--batch-size", "32"]
        done = subprocess.run(command, stdout=gone, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 130
    assert "Error" not in done.stderr


@pytest.mark.posix
def test_a_full_disk_gives_one_line():
    with open("/dev/full", "w", encoding="utf-8") as full:
        command = [sys.executable, "-c", ON_MADE_UP_DATA, SCRIPT, "--epochs", "1", "--batch-size", "32"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "mlp_fashion_mnist: No space left on device\n")


def test_it_is_short_and_imports_little():
    text = SCRIPT.read_text(encoding="utf-8")
    packages = set(re.findall(r"^from jaxquard\.(\w+)", text, flags=re.MULTILINE))
    assert packages <= {"nn", "data", "errors", "cli", "compilation", "streams"}
    assert len(text.splitlines()) <= 142

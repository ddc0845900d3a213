"""With every setting of JAX and Python in the environment, everything works, or is refused in one line."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from jaxquard.config import Config
from jaxquard.nn.losses import LOSSES
from jaxquard.training import diagnosis, steps
from jaxquard.training.data import prepare
from jaxquard.training.task import make_hyper, make_task

SCRIPT = Path(__file__).parents[1] / "mlp_fashion_mnist.py"
PROGRAM = """
import sys
from pathlib import Path
import jaxquard
from jaxquard.errors import JaxquardError

data, picture, *settings = sys.argv[1:]
base = jaxquard.Config(dataset=data, hidden=(5,), batch_size=20, epochs=2, learning_rate=0.01, patience=5)
everything = base.replace(
    seeds=2, optimizer="adamw", weight_decay=0.1, schedule="one_cycle", ema=0.9, clip_norm=1, l2=0.1,
    flip=True, shift=1, cutout=2, erasing=0.5, mixup=0.2, label_smoothing=0.1, batch_norm=True, dropout=0.1,
)
convolutions = base.replace(
    patience=0, model="cnn", widths=(2,), optimizer="muon", schedule="step", warmup=0.5, half_size_share=0.5,
    tta="mirror",
)
try:
    for config in {"plain": [base], "all": [base, everything, convolutions]}[settings[0]]:
        result = jaxquard.train(config, until=1)
        jaxquard.train(resume=result.run)
        found, *_ = jaxquard.evaluate(result)
        name = result.run.id + ("@1" if config.seeds == 2 else "")
        (predicted,) = jaxquard.predict(name, [picture])
        assert found.n == 40 and abs(sum(predicted.probabilities.values()) - 1) < 1e-6
except JaxquardError as error:
    sys.exit(f"refused: {error}")
"""
WORKS = {  # one process with each of these
    "strict": {"JAX_NUMPY_DTYPE_PROMOTION": "strict", "PYTHONWARNINGS": "error", "JAX_ENABLE_CUSTOM_PRNG": "1"},
    "debugging": {"JAX_DEBUG_INFS": "1", "JAX_DEBUG_NANS": "1", "JAX_CHECK_TRACER_LEAKS": "1"},
    "other numbers": {"JAX_THREEFRY_PARTITIONABLE": "0", "JAX_DEFAULT_MATMUL_PRECISION": "highest"},
    "bare": {"PYTHONOPTIMIZE": "2", "PYTHONUTF8": "0"},
    "slow": {"JAX_DISABLE_JIT": "1"},
}
REFUSED = {
    "JAX_PLATFORMS": ("cuda", "JAX_PLATFORMS"),
    "JAX_PLATFORMS ": ("nonsense", "JAX_PLATFORMS"),
    "JAX_PLATFORM_NAME": ("gpu", "unset JAX_PLATFORM_NAME"),
    "JAX_ENABLE_X64": ("1", "single precision"),
    "JAX_TRANSFER_GUARD": ("disallow", "jax_transfer_guard"),
    "JAX_NUMPY_RANK_PROMOTION": ("raise", "jax_numpy_rank_promotion"),
}


@pytest.fixture
def called(npz, tmp_path, tmp_path_factory):
    """`called(how much, settings)`: the program with these environment variables, in an empty folder.

    Settings that make the same programs share what is compiled.
    """
    programs = {"JAX_COMPILATION_CACHE_DIR": str(tmp_path_factory.getbasetemp() / "programs")}
    programs["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    with np.load(npz) as arrays:
        Image.fromarray(arrays["x_test"][0]).save(tmp_path / "a.png")

    def call(command, settings):
        environment = os.environ | programs | settings
        return subprocess.run(
            [sys.executable, *command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )

    return lambda much, settings: call(["-c", PROGRAM, npz, tmp_path / "a.png", much], settings), call


@pytest.mark.parametrize(
    ("much", "name"),
    [
        *(("plain", name) for name in ("strict", "debugging")),
        *(pytest.param("all", name, marks=pytest.mark.check) for name in WORKS if name != "slow"),
        pytest.param("plain", "slow", marks=pytest.mark.check),
    ],
)
def test_works_without_a_word(called, much, name):
    done = called[0](much, WORKS[name])
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


BASE = Config(batch_size=20, validation=20)
TRACED = (
    BASE.replace(optimizer="adamw", weight_decay=0.1, schedule="cosine", warmup=0.5, ema=0.9, clip_norm=1, l2=0.1),
    BASE.replace(optimizer="nesterov", schedule="one_cycle", mixup=0.2, erasing=0.5, cutout=2, shift=1, flip=True),
    BASE.replace(model="cnn", optimizer="muon", schedule="step", dropout=0.1, label_smoothing=0.1, activation="gelu"),
)


@pytest.mark.parametrize("config", TRACED, ids=lambda config: config.optimizer)
@pytest.mark.parametrize("loss", LOSSES)
def test_a_step_needs_no_implicit_promotion(stripes, config, loss):
    config, data = prepare(config.replace(loss=loss), stripes)
    task = make_task(config, stripes.image_shape, stripes.classes, len(data.images))
    with jax.numpy_dtype_promotion("strict"):
        ts = jax.eval_shape(partial(steps.init_state, task), jnp.uint32(0), make_hyper(task, config))
        after = jax.eval_shape(partial(steps.train_step, task), ts, data.images[:20], data.labels[:20])
        jax.eval_shape(partial(diagnosis.diagnose, task), ts, data.images[:20], data.labels[:20])
    assert jax.tree.map(lambda leaf: leaf.dtype, after) == jax.tree.map(lambda leaf: leaf.dtype, ts)


@pytest.mark.parametrize("name", REFUSED)
def test_is_refused_in_a_line(called, name):
    value, message = REFUSED[name]
    (program, call), settings = called, {name.strip(): value}
    for done in (program("plain", settings), call([SCRIPT, "--epochs", "1", "--offline"], settings)):
        assert len(done.stderr.splitlines()) == 1
        assert message in done.stderr
        assert done.returncode in (1, 2)
        assert done.stdout == ""


def test_help_is_there_without_docstrings(called):
    done = called[1](["-c", "from jaxquard.cli import main; main(['train', '--help'])"], {"PYTHONOPTIMIZE": "2"})
    assert (done.stderr, done.returncode) == ("", 0)
    assert "--learning-rate" in done.stdout

"""The cache of compiled programs: a second process uses it, and everything works without it."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from jaxquard import compilation, systems

CODE = """
from jaxquard.compilation import folder, keep_compiled_programs
keep_compiled_programs()
import jax, jax.numpy as jnp
print(jax.config.jax_compilation_cache_dir or "none")
print(jax.config.jax_persistent_cache_min_compile_time_secs)
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
print(jax.jit(lambda x: jnp.tanh(x @ x).sum())(jnp.eye(64)))
"""


def compiled(cache: Path, **environment: str) -> list[str]:
    """The output of a new process with its own cache folder."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
    settings = inherited | {"XDG_CACHE_HOME": str(cache), **environment}
    done = subprocess.run([sys.executable, "-c", CODE], env=settings, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.split()


def test_a_second_process_uses_the_programs_of_the_first(tmp_path: Path) -> None:
    where, least, first = compiled(tmp_path)
    kept = {file: file.stat().st_mtime_ns for file in Path(where).rglob("*-cache")}
    assert Path(where).is_relative_to(tmp_path)
    assert kept
    assert least == "0.05"  # seconds; faster compilations are not stored
    assert compiled(tmp_path) == [where, least, first]
    assert {file: file.stat().st_mtime_ns for file in Path(where).rglob("*-cache")} == kept


def test_objects_of_jax_are_left_out_of_garbage_collections() -> None:
    code = """if True:
        import gc
        from jaxquard.compilation import import_jax
        import_jax()
        frozen = gc.get_freeze_count()
        later = [[] for _ in range(1000)]
        import_jax()
        print(frozen > 100_000, gc.get_freeze_count() == frozen, gc.isenabled())"""
    assert subprocess.check_output([sys.executable, "-c", code], text=True).split() == ["True"] * 3


def test_each_processor_and_jaxlib_has_its_own_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    def folder(processor: str, jaxlib: str = "1.2.3") -> Path:
        systems.processor.cache_clear()
        monkeypatch.setattr(Path, "read_text", lambda *_, **__: processor)
        monkeypatch.setattr("importlib.metadata.version", lambda _: jaxlib)
        return compilation.folder()

    ours = "model name\t: loom\ncpu MHz\t\t: 2000.0\nflags\t\t: avx2\n\nmodel name\t: loom"
    others = {folder(ours), folder(ours, "1.2.4"), folder(ours.replace("loom", "jenny"))}
    assert len(others | {folder(ours.replace("avx2", "avx2 avx512f"))}) == 4
    assert folder(ours.replace("2000", "3000")) == folder(ours)  # the same one, at another moment
    systems.processor.cache_clear()


def test_without_a_writable_folder_there_is_no_cache(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert compiled(tmp_path / "file")[0] == "none"


def test_the_users_settings_are_kept(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    assert compiled(tmp_path, JAX_COMPILATION_CACHE_DIR=str(mine))[0] == str(mine)
    for no in ("false", "off", "0"):
        assert compiled(tmp_path, JAX_ENABLE_COMPILATION_CACHE=no)[0] == "none"


def test_functions_compiled_ahead_are_not_compiled_again(caplog: pytest.LogCaptureFixture) -> None:
    grow = jax.jit(lambda x, by: x + by, static_argnums=1)
    compilation.compile_ahead((grow, jax.ShapeDtypeStruct((3,), "float32"), 1), (grow, np.ones(2, np.float32), 2))
    with jax.log_compiles():
        assert grow(np.zeros(3, np.float32), 1).tolist() == [1, 1, 1]
        assert grow(np.ones(2, np.float32), 2).tolist() == [3, 3]
        assert not caplog.records
        grow(np.zeros(4, np.float32), 1)
        assert "XLA compilation" in caplog.text

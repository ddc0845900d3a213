"""The doctor finds no fault in this installation, and finds each fault that a test simulates."""

import errno
import json
import os
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

import jax
import numpy as np
import pytest

from jaxquard import doctor
from jaxquard.cli.display import check_table
from jaxquard.doctor import Check

T = TypeVar("T")
PYPROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]


def only(items: Iterable[T]) -> T:
    [item] = items
    return item


def test_this_installation_is_healthy_and_every_check_reports(tmp_path):
    checks = doctor.run_checks(tmp_path, tmp_path / "runs")
    found = {check.name: check for check in checks}
    assert all(found[name].ok is not False for name in ("Python", "JAX", "devices", "arithmetic", "compiled programs"))
    assert {"data: fashion-mnist", "data folder", "disk for data", "disk for runs", "extras"} <= found.keys()
    assert found["data: fashion-mnist"].ok is None
    assert all(check.remedy for check in checks if not check.ok)
    assert list(tmp_path.iterdir()) == []


def test_json_says_the_same():
    checks = [Check("a", True, "well"), Check("b", None, "so so", "rest")]
    assert json.loads(json.dumps(doctor.as_json(checks))) == {
        "healthy": True,
        "checks": [
            {"name": "a", "ok": True, "detail": "well", "remedy": None},
            {"name": "b", "ok": None, "detail": "so so", "remedy": "rest"},
        ],
    }
    assert not doctor.healthy([*checks, Check("c", False, "ill", "lie down")])


@pytest.mark.parametrize(
    ("error", "detail", "remedy"),
    [
        (ZeroDivisionError("first line\nsecond"), "ZeroDivisionError: first line second", "unset JAX_PLATFORMS"),
        (AssertionError(), "AssertionError", 'unset JAX_PLATFORMS, which asks for cuda; or pip install --upgrade "jax'),
    ],
)
def test_a_check_that_crashes_has_failed_and_the_others_continue(monkeypatch, tmp_path, error, detail, remedy):
    """JAX 0.10 raises an AssertionError for JAX_PLATFORMS=cuda without such a device."""

    def crash():
        raise error
        yield

    monkeypatch.setattr(doctor, "check_devices", crash)
    monkeypatch.setenv("JAX_PLATFORMS", "cuda")
    checks = doctor.run_checks(tmp_path, tmp_path / "runs")
    crashed = only(check for check in checks if check.name == "devices")
    assert (crashed.ok, crashed.detail) == (False, f"could not be checked: {detail}")
    assert str(crashed.remedy).startswith(remedy)
    assert checks[-1].name == "extras"


@pytest.mark.parametrize("release", ["0.10.2", "0.11.0"])
def test_releases_known_to_be_wrong(monkeypatch, release):
    monkeypatch.setattr(doctor, "version", lambda _: release)
    check = only(doctor.check_jax())
    assert check.ok is False
    assert "jax-ml/jax#39" in check.detail


def test_jax_and_jaxlib_of_different_releases(monkeypatch):
    releases = {"jax": "0.12.0.1", "jaxlib": "0.12.0"}
    monkeypatch.setattr(doctor, "version", releases.get)
    assert only(doctor.check_jax()).ok is True
    releases["jaxlib"] = "0.12.1"
    assert only(doctor.check_jax()).ok is None


@pytest.mark.parametrize(
    ("plugin", "release", "needed", "extra"),
    [
        ("jax-cuda12-plugin", "0.9.2", "jax-cuda12-plugin[with-cuda]<=0.12.0,>=0.12.0", "cuda12"),
        ("jax-rocm7-plugin", "0.12.1", "jax-rocm7-plugin==0.12.0.*", "rocm7-local"),
        ("libtpu", "0.0.40", "libtpu==0.0.41.*", "tpu"),
    ],
)
def test_a_plugin_of_another_version_than_jax_needs(monkeypatch, plugin, release, needed, extra):
    """As on Colab after pip has upgraded JAX alone."""
    releases = {"jax": "0.12.0", "jaxlib": "0.12.0", plugin: release}
    packages = {"jax": ["numpy>=2.0", f'{needed}; extra == "{extra}"', 'xprof; extra == "xprof"'], "jaxquard": ["jax"]}
    monkeypatch.setattr(doctor, "version", releases.get)
    monkeypatch.setattr("importlib.metadata.version", releases.get)
    monkeypatch.setattr("importlib.metadata.requires", packages.get)
    jax, check = doctor.check_jax()
    assert (jax.ok, check.ok) == (True, None)
    assert f"{plugin} {release}: jax 0.12.0 needs 0." in check.detail
    assert check.remedy == f'pip install --upgrade "jax" "jax[{extra}]", then restart Python'
    releases[plugin] = re.findall(r"=([\d.]*\d)", needed)[0]
    assert only(doctor.check_jax()).ok is True


def test_the_wrong_releases_and_the_extras_are_those_of_pyproject():
    requirement = only(text for text in PYPROJECT["dependencies"] if text.startswith("jaxlib"))
    assert set(re.findall(r"!=([\d.]+)", requirement)) == set(doctor.WRONG_JAXLIB)
    assert set(doctor.EXTRAS) == set(PYPROJECT["optional-dependencies"]) - {"bench", "cuda", "dev"}


def test_double_precision_is_no_wrong_answer():
    with jax.enable_x64(True):
        check = only(doctor.check_arithmetic())
    assert (check.ok, check.remedy) == (False, "unset JAX_ENABLE_X64")
    assert "double precision" in check.detail


def test_a_wrong_answer_is_named_with_both_numbers(monkeypatch):
    right_bits = jax.random.bits
    monkeypatch.setattr(jax.random, "bits", lambda key: right_bits(key) + 1)
    check = only(doctor.check_arithmetic())
    assert check.ok is False
    assert check.detail == "random bits: 4070199208 where 4070199207 is right"


def test_a_sum_that_is_wrong_once_in_a_while_is_found(monkeypatch):
    monkeypatch.setattr(jax, "device_get", lambda sums: [*map(float, sums[:-1]), float(sums[-1]) + 128])
    check = only(doctor.check_arithmetic())
    assert check.ok is False
    assert check.detail.startswith("the same sum, 200 times: 1048704 where 1048576 is right")


def test_one_wrong_row_among_thousands_is_found():
    right = np.arange(32_769, dtype=np.float32) ** 2
    computed = right.copy()
    computed[-1] = 1065369600  # what jaxlib 0.10.2 makes of it
    assert doctor._difference("p", computed, right) == "p: 1065369600 where 1073741824 is right"
    assert "shape" in doctor._difference("p", computed[1:], right)


def test_an_accelerator_that_jax_does_not_see(monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "cpu")
    monkeypatch.setattr(doctor, "_accelerator", lambda: "an NVIDIA GPU")
    monkeypatch.delenv("JAX_PLATFORMS", raising=False)
    check = only(doctor.check_devices())
    assert check.ok is None
    assert "does not see an NVIDIA GPU" in check.detail
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    assert "unset JAX_PLATFORMS" in str(only(doctor.check_devices()).remedy)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert only(doctor.check_devices()).ok is True


@pytest.mark.parametrize(
    ("device", "driver", "found"),
    [
        ("nvidia0", False, "an NVIDIA GPU"),
        ("null", True, "an NVIDIA GPU"),
        ("kfd", False, "an AMD GPU"),
        ("accel0", False, "a TPU"),
        ("null", False, None),
    ],
)
def test_accelerators_are_known_by_their_devices_or_their_driver(monkeypatch, tmp_path, device, driver, found):
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / device).touch()
    monkeypatch.setattr(doctor, "Path", lambda path: tmp_path / path.lstrip("/"))
    monkeypatch.setattr(doctor, "_runs", lambda *command: driver and command == ("nvidia-smi", "-L"))
    assert doctor._accelerator() == found


def test_a_program_that_is_missing_fails_or_prints_nothing_shows_no_accelerator():
    assert doctor._runs("echo", "GPU 0")
    assert not doctor._runs("true")
    assert not doctor._runs("false")
    assert not doctor._runs("jaxquard-has-no-such-program")


def test_damaged_data(tmp_path):
    folder = tmp_path / "fashion-mnist"
    folder.mkdir()
    (folder / "manifest.json").write_text("{")
    check = next(doctor.check_data(tmp_path))
    assert check.ok is False
    assert check.name == "data: fashion-mnist"
    assert str(folder) in str(check.remedy)


def test_a_folder_for_runs_that_cannot_be_written(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "is_writable", lambda folder: False)
    check = next(doctor.check_disk(tmp_path, tmp_path / "runs"))
    assert (check.name, check.ok) == ("runs folder", False)
    assert str(check.detail) == f"{tmp_path / 'runs'} cannot be written"


def test_a_folder_for_runs_without_locks(monkeypatch, tmp_path):
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("filelock.FileLock.acquire", refuse)
    check = next(doctor.check_disk(tmp_path, tmp_path / "runs"))
    assert (check.name, check.ok) == ("runs folder", False)
    assert str(check.detail) == f"{tmp_path}: cannot lock: {os.strerror(errno.ENOLCK)}"
    assert check.remedy == "a run needs locks; choose a folder on another disk with --runs"
    assert list(tmp_path.iterdir()) == []


def test_places_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("in the way")
    check = only(doctor.check_data_folder(tmp_path / "file" / "data"))
    assert check.ok is None
    assert "JAXQUARD_DATA" in str(check.remedy)
    assert only(doctor.check_data_folder(tmp_path / "new" / "data")).ok is True
    assert not (tmp_path / "new").exists()


def test_too_little_disk(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "ENOUGH", 10**18)
    data, runs = doctor.check_disk(tmp_path, tmp_path / "runs")
    assert (data.ok, runs.ok) == (False, False)


def test_a_drive_that_is_not_there(monkeypatch, tmp_path):
    def refuse(_):
        raise FileNotFoundError(errno.ENOENT, "The system cannot find the path specified")

    monkeypatch.setattr("shutil.disk_usage", refuse)
    data, _ = doctor.check_disk(tmp_path, tmp_path / "runs")
    assert (data.ok, data.detail) == (False, f"{tmp_path}: The system cannot find the path specified")


def machine(root: Path, *, available_kb: int, limit: str | None = None, used: int = 0, cached: int = 0) -> Path:
    (root / "proc").mkdir()
    (root / "proc/meminfo").write_text(f"MemTotal: 9 kB\nMemAvailable: {available_kb} kB\n")
    if limit is not None:
        (group := root / "sys/fs/cgroup").mkdir(parents=True)
        (group / "memory.max").write_text(f"{limit}\n")
        (group / "memory.current").write_text(f"{used}\n")
        (group / "memory.stat").write_text(f"anon 5\ninactive_file {cached}\n")
    return root


@pytest.mark.parametrize(
    ("description", "free"),
    [
        ({}, 2048),
        ({"limit": "max"}, 2048),
        ({"limit": "9999999"}, 2048),
        ({"limit": "1000", "used": 400, "cached": 100}, 700),
    ],
)
def test_memory_is_what_the_machine_and_the_container_leave(tmp_path, description, free):
    assert doctor._available_memory(machine(tmp_path, available_kb=2, **description)) == free


def test_too_little_memory(monkeypatch):
    for free, ok in [(10**8, False), (10**10, True), (None, True)]:
        monkeypatch.setattr(doctor, "_available_memory", lambda free=free: free)
        assert only(doctor.check_memory()).ok is ok


def test_missing_extras_are_one_warning(monkeypatch):
    absent = ("numpy", "jaxquard_has_no_such_module")
    monkeypatch.setattr(doctor, "EXTRAS", {"charts": absent, "core": ("numpy",), "studio": absent})
    check = only(doctor.check_extras())
    assert (check.ok, check.detail) == (None, "installed: core; not installed: charts, studio")
    assert "[charts,studio]" in str(check.remedy)
    monkeypatch.setattr(doctor, "EXTRAS", {"core": ("numpy",)})
    check = only(doctor.check_extras())
    assert (check.ok, check.detail) == (True, "installed: core")


def test_where_compiled_programs_are_kept(tmp_path):
    def kept(folder):
        before = jax.config.jax_compilation_cache_dir  # pyright: ignore[reportAttributeAccessIssue]
        jax.config.update("jax_compilation_cache_dir", folder)
        try:
            return only(doctor.check_compilation_cache())
        finally:
            jax.config.update("jax_compilation_cache_dir", before)

    (tmp_path / "program").write_bytes(bytes(3_000_000))
    assert "every start compiles" in kept(None).detail
    assert f"1 file, 3 MB in {tmp_path}" in kept(str(tmp_path)).detail
    assert kept(str(tmp_path / "program" / "x")).ok is None


def test_the_table_marks_notes_and_faults(capsys):
    check_table([Check("a", None, "b", "c"), Check("d", False, "e", "f"), Check("g", True, "h", "i")])
    assert capsys.readouterr().out == "note   a: b\n       → c\nWRONG  d: e\n       → f\nok     g: h\n"

"""Differences between operating systems. The modules and errors of other systems are simulated here."""

import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

from jaxquard import doctor, files, systems
from jaxquard.errors import JaxquardError, RunError
from jaxquard.runs.directory import free_path, parted, runs_directory


def refusing(times, real):
    """`real`, but the first calls fail, as on Windows while another program has the file open."""
    left = [times]

    def action(*arguments):
        if left[0]:
            left[0] -= 1
            raise PermissionError(13, "The process cannot access the file because it is being used by another process")
        return real(*arguments)

    return action


@pytest.fixture
def windows(monkeypatch):
    monkeypatch.setattr(systems, "WINDOWS", True)
    monkeypatch.setattr(systems, "PAUSES", (0.0, 0.0))


@pytest.mark.parametrize("name", ["replace", "rename"])
def test_a_rename_that_windows_refuses_is_repeated(monkeypatch, windows, tmp_path, name):
    monkeypatch.setattr(os, name, refusing(2, getattr(os, name)))
    if name == "replace":
        files.write_atomically(tmp_path / "new", b"1")
    else:
        files.write_directory(tmp_path / "new", {"file": b"1"})
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def test_a_file_held_for_long_is_an_error_and_nothing_is_left(monkeypatch, windows, tmp_path):
    monkeypatch.setattr(os, "replace", refusing(9, os.replace))
    with pytest.raises(JaxquardError, match="being used by another process"):
        files.write_atomically(tmp_path / "new", b"1")
    assert not list(tmp_path.iterdir())


def test_other_systems_do_not_repeat(monkeypatch, tmp_path):
    monkeypatch.setattr(systems, "WINDOWS", False)
    monkeypatch.setattr(os, "replace", refusing(1, os.replace))
    with pytest.raises(JaxquardError):
        files.write_atomically(tmp_path / "new", b"1")


def test_a_mac_syncs_to_the_disk_itself(monkeypatch, tmp_path):
    asked = []
    mac = types.SimpleNamespace(F_FULLFSYNC=51, fcntl=lambda file, what: asked.append(what))
    monkeypatch.setitem(sys.modules, "fcntl", mac)
    monkeypatch.setattr(os, "fsync", lambda descriptor: asked.append("fsync"))
    with open(tmp_path / "file", "wb") as file:
        systems.sync(file)
    assert asked == [51]


def test_a_journal_has_one_writer_at_a_time_on_windows_too(monkeypatch, windows, tmp_path):
    locked = []

    def locking(descriptor, mode, count):
        locked.append((os.lseek(descriptor, 0, os.SEEK_CUR), mode, count))

    monkeypatch.setitem(sys.modules, "msvcrt", types.SimpleNamespace(LK_LOCK=1, locking=locking))
    with open(tmp_path / "file", "w+b", buffering=0) as file:
        file.write(b"line\n")
        systems.await_other_writers(file)
    assert locked == [(systems.LOCKED_BYTE, 1, 1)]
    assert (tmp_path / "file").read_bytes() == b"line\n"


@pytest.mark.parametrize(
    ("word", "written"),
    [
        (r"C:\runs\a", r"C:\runs\a"),
        (r"C:\my runs", r'"C:\my runs"'),
        ("run@2", "run@2"),
        ("@run", '"@run"'),
        ("a&b", '"a&b"'),
        ("100%", '"100%"'),
        ("a;b,c", '"a;b,c"'),
        ("", '""'),
        ("it's", '"it\'s"'),
    ],
)
def test_a_command_is_quoted_for_the_shells_of_windows(windows, word, written):
    assert systems.quoted(["jaxquard", word]) == f"jaxquard {written}"


def test_a_command_is_quoted_for_a_unix_shell(monkeypatch):
    monkeypatch.setattr(systems, "WINDOWS", False)
    assert systems.quoted(["jaxquard", "my runs"]) == "jaxquard 'my runs'"


def test_a_path_of_windows_holds_an_at_sign(windows):
    assert parted(r"C:\Users\me@work\runs\x") == (r"C:\Users\me@work\runs\x", "", "")
    assert parted(r"C:\Users\me@work\runs\x@2") == (r"C:\Users\me@work\runs\x", "@", "2")
    assert parted(r"runs\x@all") == (r"runs\x", "@", "all")


def test_a_drive_that_is_not_there_is_named(monkeypatch):
    for name in ("exists", "isdir"):
        monkeypatch.setattr(os.path, name, lambda path: False)
    with pytest.raises(RunError, match="/: there is no such drive"):
        runs_directory("/no-such-drive/runs")


def test_a_name_that_differs_only_by_case_is_taken(monkeypatch, tmp_path):
    """On Windows and Macs it is the same folder."""
    stat = os.stat

    def stat_of_any_case(path, **options):
        path = Path(path)
        found = (each for each in os.listdir(path.parent) if each.lower() == path.name.lower())
        return stat(path.with_name(next(found, path.name)), **options)

    (tmp_path / "one").mkdir()
    assert free_path(tmp_path, "ONE") == tmp_path / "ONE"
    monkeypatch.setattr(os, "stat", stat_of_any_case)
    with pytest.raises(RunError, match="ONE: already there"):
        free_path(tmp_path, "ONE")


def test_windows_has_ctrl_break_and_no_hangup():
    code = "import signal; vars(signal).pop('SIGHUP', None); signal.SIGBREAK = signal.SIGABRT\n"
    code += "import importlib; from jaxquard import systems; importlib.reload(systems)\n"
    code += "print([number.name for number in systems.SIGNALS])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['SIGINT', 'SIGTERM', 'SIGABRT']"


def test_the_exit_message_is_printed_if_select_supports_only_sockets():
    code = "import select; from jaxquard import systems; from jaxquard.runs import interrupts\n"
    code += "systems.WINDOWS, select.select = True, None\ninterrupts.leave()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "jaxquard: interrupted\n")


def test_the_doctor_names_the_library_that_windows_lacks():
    def check_jax():
        raise ImportError("DLL load failed while importing _jax: The specified module could not be found.")
        yield

    (check,) = doctor._attempt("JAX", check_jax)
    assert "Visual C++" in str(check.remedy)


def named(monkeypatch, text=None, brand=None):
    """The processor's name if /proc/cpuinfo has this `text` (None: no such file), or a Mac reports this `brand`."""

    def read(*_, **__):
        if text is None:
            raise FileNotFoundError
        return text

    def run(command, **_):
        if brand is None:
            raise FileNotFoundError(command[0])
        return types.SimpleNamespace(stdout=brand)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_text", read)
        patch.setattr(subprocess, "run", run)
        patch.setattr("platform.machine", lambda: "machine")
        patch.setattr("platform.processor", lambda: "Intel64 Family 6")
        return systems.processor.__wrapped__()


def test_a_processor_has_a_name_on_every_system(monkeypatch):
    assert named(monkeypatch, "model name\t: loom 5\nflags\t\t: avx2 sse\n\nmodel name: x") == (
        "loom 5",
        ["avx2", "sse"],
    )
    arm = "processor\t: 0\nFeatures\t: asimd sve\nCPU implementer\t: 0x41\nCPU part\t: 0xd40\n"
    assert named(monkeypatch, arm) == ("machine 0x41 0xd40", ["asimd", "sve"])
    assert named(monkeypatch, brand="Apple M2\n") == ("Apple M2", [])
    assert named(monkeypatch) == ("Intel64 Family 6", [])


@pytest.mark.check
def test_the_script_that_the_workflow_runs_on_every_system():
    script = Path(__file__).with_name("systems.py")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=600, check=False)
    assert done.stdout.endswith("everything works\n"), done.stderr[-3000:]

"""Two shell scripts simulate the package manager. The tests check their arguments and the handling of their results."""

import subprocess
import tempfile
from pathlib import Path

import pytest

from jaxquard.data import debian
from jaxquard.data.debian import unpacked
from jaxquard.errors import DataError

pytestmark = pytest.mark.posix

APT = """#!/bin/sh
echo "$@" >> "$LOG"
cat apt.conf > "$LOG.conf"
test "$3" = update || touch "$4_1.0_all.deb"
"""
DPKG = """#!/bin/sh
echo "$@" >> "$LOG"
mkdir -p root/usr/share/datasets
echo data > root/usr/share/datasets/file
"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with the two scripts and little else; temporary files are under tmp_path."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, script in {"apt-get": APT, "dpkg-deb": DPKG}.items():
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv("LOG", str(tmp_path / "log"))
    return folder


def test_the_package_is_removed_at_the_end(programs: Path, tmp_path: Path) -> None:
    with unpacked("dataset-tiny") as root:
        assert (root / "usr/share/datasets/file").read_text() == "data\n"
    assert not list((tmp_path / "temporary").iterdir())
    assert (tmp_path / "log").read_text().splitlines() == [
        "-c apt.conf update",
        "-c apt.conf download dataset-tiny",
        "-x dataset-tiny_1.0_all.deb root",
    ]


def test_the_lists_and_the_cache_are_private(programs: Path, tmp_path: Path) -> None:
    with unpacked("dataset-tiny") as root:
        work = root.parent
        assert work.is_relative_to(tmp_path)
    settings = (tmp_path / "log.conf").read_text()
    assert f'Dir::State::Lists "{work}/lists";' in settings
    assert f'Dir::Cache "{work}/cache";' in settings
    assert "#clear APT::Update::Post-Invoke;" in settings


@pytest.mark.parametrize("missing", ["apt-get", "dpkg-deb"])
def test_not_on_debian(missing: str, programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (programs / missing).unlink()
    monkeypatch.setenv("PATH", str(programs))
    with pytest.raises(DataError, match=f"there is no {missing} on this machine"), unpacked("dataset-tiny"):
        pass


def test_an_error_quotes_the_last_line_of_the_program(programs: Path, tmp_path: Path) -> None:
    (programs / "apt-get").write_text(
        "#!/bin/sh\necho W: mirror >&2\necho E: Unable to locate package $4 >&2\nexit 100\n"
    )
    with pytest.raises(DataError, match=r"^apt-get: Unable to locate package"), unpacked("dataset-tiny"):
        pass
    (programs / "apt-get").write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(DataError, match=r"^apt-get: failed$"), unpacked("dataset-tiny"):
        pass
    assert not list((tmp_path / "temporary").iterdir())


def test_no_package_arrives(programs: Path) -> None:
    (programs / "apt-get").write_text("#!/bin/sh\n")
    with pytest.raises(DataError, match=r"apt-get: downloaded no package"), unpacked("dataset-tiny"):
        pass


def test_a_slow_program_is_stopped(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (programs / "apt-get").write_text("#!/bin/sh\nexec sleep 60\n")
    monkeypatch.setattr(debian, "_SECONDS", 0.1)
    with (
        pytest.raises(DataError, match=r"apt-get -c apt.conf update: not finished after 0.1 s"),
        unpacked("dataset-tiny"),
    ):
        pass


def test_an_interruption_leaves_nothing(programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "run", interrupted)
    with pytest.raises(KeyboardInterrupt), unpacked("dataset-tiny"):
        pass
    assert not list((tmp_path / "temporary").iterdir())

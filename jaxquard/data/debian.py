"""A data set from its Debian package, with the system's apt-get and dpkg-deb, but without root.

Some machines can reach only the package mirror. apt-get uses its own lists and cache in a temporary folder, so the
system's are not changed; it verifies the mirror's signature as usual.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jaxquard.errors import DataError

_SECONDS = 600.0
# The system's hooks are cleared, because they would run after our update and change the system's files.
_APT_CONF = """
Dir::State::Lists "{work}/lists";
Dir::Cache "{work}/cache";
Acquire::Languages "none";
Acquire::Retries "0";
Acquire::http::Timeout "10";
Acquire::https::Timeout "10";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
"""


@contextmanager
def unpacked(package: str) -> Iterator[Path]:
    """The root of the unpacked package, which is removed at the end of the context. Raises DataError."""
    for program in ("apt-get", "dpkg-deb"):
        if shutil.which(program) is None:
            raise DataError(f"there is no {program} on this machine")
    with tempfile.TemporaryDirectory(prefix="jaxquard-", ignore_cleanup_errors=True) as name:
        work = Path(name)
        for folder in ("lists/partial", "cache/archives/partial", "root"):
            (work / folder).mkdir(parents=True)
        (work / "apt.conf").write_text(_APT_CONF.format(work=work), encoding="utf-8")
        _run(work, "apt-get", "-c", "apt.conf", "update")
        _run(work, "apt-get", "-c", "apt.conf", "download", package)
        downloaded = next(work.glob("*.deb"), None)
        if downloaded is None:
            raise DataError("apt-get: downloaded no package")
        _run(work, "dpkg-deb", "-x", downloaded.name, "root")
        yield work / "root"


def _run(work: Path, *command: str) -> None:
    """Run a command without output. DataError, with the last line of its stderr, if it fails."""
    try:
        done = subprocess.run(
            command,
            cwd=work,
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise DataError(f"{' '.join(command)}: not finished after {_SECONDS:g} s") from None
    if done.returncode != 0:
        complaint = (done.stderr.strip().splitlines() or ["failed"])[-1]
        raise DataError(f"{command[0]}: {complaint.removeprefix('E: ')}")

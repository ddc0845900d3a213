"""A data set out of its Debian package, with the machine's own apt-get and dpkg-deb, but without root.

On many machines the package mirror is the only way out. apt-get works here on lists and a cache of its own in a
temporary folder, so the system's are neither needed nor touched; it checks the mirror's signature as ever.
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
# The system's hooks are cleared: they would run after our update, on files that are not ours.
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
    """The root of the unpacked package, as long as the context lasts. Raises DataError."""
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
    """Run quietly; on failure the reason is the command's last complaint."""
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

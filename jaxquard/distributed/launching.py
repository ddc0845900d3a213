"""The launcher: starts several processes on this machine that train one run, watches them, and ends them together."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

from jaxquard.arguments import checked, checked_number
from jaxquard.distributed.hub import Hub, Verdict
from jaxquard.distributed.wire import Limits
from jaxquard.errors import JaxquardError, UsageError
from jaxquard.runs.interrupts import AT_ONCE, INTERRUPTED, SIGNALS
from jaxquard.streams import say
from jaxquard.systems import NEW_GROUP, WINDOWS, quoted

LOOK = 0.1  # seconds between two looks at the processes
STOPPING = 2.0  # seconds in which they save a checkpoint; until a rank reports its signal, up to 0.6 s have passed
REAPING = 1.0  # seconds in which a process ends after its connection
INTERRUPTIONS = {INTERRUPTED, *(-int(number) for number in SIGNALS)}  # exit codes
PASSED = re.compile(  # the variables that a training may need; no other reaches it
    "PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_.*|TZ|TERM|COLORTERM|COLUMNS|NO_COLOR|TMPDIR|TEMP|TMP|VIRTUAL_ENV|"
    "LD_LIBRARY_PATH|DYLD_.*|PYTHON.*|XDG_CACHE_HOME|SSL_CERT_.*|JAX_.*|JAXQUARD_.*|XLA_.*|TF_CPP_.*|TPU_.*|CUDA_.*|"
    "NVIDIA_.*|NCCL_.*|ROCM?_.*|HIP_.*|OMP_.*|MKL_.*|SYSTEMROOT|SYSTEMDRIVE|WINDIR|COMSPEC|PATHEXT|APPDATA|"
    "LOCALAPPDATA|USERPROFILE|PROGRAMDATA|NUMBER_OF_PROCESSORS|PROCESSOR_.*|.*_PROXY",
    re.IGNORECASE,
)
SECRET = re.compile("TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|API_?KEY", re.IGNORECASE)


class Ended(JaxquardError):
    """The training has ended with this exit code. The message is empty if a process has said it."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.line)
        self.exit_code = verdict.code


@checked
def launch(
    command: Sequence[str], *, processes: int, devices_per_process: int | None = None, restarts: int = 0
) -> None:
    """Train one run by several processes on this machine, connected over the loopback interface.

    command: a command line without its program, such as ["train", "--recipe", "quick"]. restarts: how many
    times to resume the run if a process dies or is stuck. devices_per_process: CPU devices of each process, or GPUs of
    its own (default: as JAX chooses).
    Raises UsageError for wrong arguments, and Ended, with the exit code of the command, if the training fails.
    """
    count = checked_number("processes", int, processes, low=1, high=1 << 10)
    devices = devices_per_process
    if devices is not None:
        devices = checked_number("devices_per_process", int, devices, low=1, high=1 << 10)
    left = checked_number("restarts", int, restarts, low=0)
    if not command or command[0] != "train":
        raise UsageError("launch: needs a train command: jaxquard launch --processes 2 -- train …")
    resumed = ""
    while True:
        verdict, run = _Launch(command, count, devices, resumed).result()
        if verdict is None:
            return
        resumed = run or resumed
        if verdict.rank is None or verdict.code != 1 or not left:
            again = f"; resume with: {_again(count, devices, resumed)}" if verdict.line and resumed else ""
            raise Ended(verdict._replace(line=verdict.line + again))
        left -= 1
        again = f"starting again{f', resuming {resumed}' if resumed else ''} (restarts left: {left})"
        say(f"jaxquard: {verdict.line}; {again}")


def _again(count: int, devices: int | None, run: str) -> str:
    options = ["--processes", str(count), *(["--devices-per-process", str(devices)] if devices else [])]
    return quoted(["jaxquard", "launch", *options, "--", "train", "--resume", run])


@dataclass
class _Launch:
    """One start of all processes. `resumed`: the path of the run that they resume instead."""

    command: Sequence[str]
    count: int
    devices: int | None
    resumed: str
    children: list[subprocess.Popen[bytes]] = field(default_factory=list)
    errors: list[IO[bytes]] = field(default_factory=list)
    asked: int = 0  # how often it was asked to stop

    def result(self) -> tuple[Verdict | None, str]:
        """Why it failed, None if it did not; and the run."""
        limits = Limits.of_environment()
        with socket.create_server(("127.0.0.1", 0)) as listener, _signals(self):
            self.hub = Hub(listener, self.count, limits)
            try:
                for number in range(self.count):
                    self._start(number, listener.getsockname()[1])
                verdict = self._watch()
            finally:
                self._end()
        return verdict, self.hub.run

    def _start(self, number: int, port: int) -> None:
        own = {"COORDINATOR": f"127.0.0.1:{port}", "PROCESS_ID": number, "PROCESSES": self.count, "LAUNCHED": 1}
        own |= {"RESTARTED": self.resumed} if self.resumed else {}
        variables = environment(os.environ) | {f"JAXQUARD_{name}": str(value) for name, value in own.items()}
        if self.devices:
            of_gpus = range(number * self.devices, (number + 1) * self.devices)
            variables["JAX_NUM_CPU_DEVICES"] = str(self.devices)
            variables["JAX_CUDA_VISIBLE_DEVICES"] = ",".join(map(str, of_gpus))
        quiet: dict[str, Any] = {}
        if number:  # the first process shows progress and results
            self.errors.append(tempfile.TemporaryFile())  # noqa: SIM115 - closed in _end
            quiet = {"stdout": subprocess.DEVNULL, "stderr": self.errors[-1]}
        options: dict[str, Any] = {"creationflags": NEW_GROUP} if WINDOWS else {"process_group": 0}
        options |= {"stdin": subprocess.DEVNULL, "env": variables} | quiet
        self.children.append(
            subprocess.Popen[bytes]([sys.executable, "-P", "-m", "jaxquard", *self.command], **options)
        )

    def _watch(self) -> Verdict | None:
        """Until all have ended: None if they have trained."""
        while True:
            self.hub.poll(LOOK)
            codes = [child.poll() for child in self.children]
            if not any(codes) and None not in codes:
                return None
            if self.asked or self.hub.stopping or INTERRUPTIONS & {code for code in codes if code}:
                return self._stop(codes)
            if verdict := self._early(codes) or self.hub.verdict():
                return self._explained(verdict)

    def _early(self, codes: list[int | None]) -> Verdict | None:
        """A process that ended before it connected. If by an error, then probably all of them, and rank 0 says it."""
        early = [(number, code) for number, code in enumerate(codes) if code and number not in self.hub.ranks]
        if not early:
            return None
        number, code = early[0]
        if code > 0 and 0 not in self.hub.ranks:
            return Verdict(codes[0], "") if codes[0] else None  # rank 0 soon ends or connects
        return Verdict(max(code, 1), f"rank {number} on {socket.gethostname()}: closed", number)

    def _explained(self, verdict: Verdict) -> Verdict:
        """The verdict with the exit code of the rank's process, if it has ended without a word."""
        number = verdict.rank
        if number is None:
            return verdict
        rank = self.hub.ranks.get(number)
        if rank and (rank.word or not rank.closed):
            return verdict
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = self.children[number].wait(REAPING)
            name, place = verdict.line.partition(":")[0], rank.place if rank else "at its start"
            how = f"killed by signal {-code}" if code < 0 else f"exited with code {code}"
            return verdict._replace(line=f"{name}: {how} {place}{self._last_words(number)}")
        return verdict

    def _last_words(self, number: int) -> str:
        """The last line of a rank's stderr, which nobody has seen; rank 0 has shown its own."""
        if not number:
            return ""
        file = self.errors[number - 1]
        file.seek(max(0, file.seek(0, os.SEEK_END) - 2000))
        lines = file.read().decode(errors="replace").strip().splitlines()
        return f" ({lines[-1].strip()[:300]})" if lines else ""

    def _stop(self, codes: list[int | None]) -> Verdict:
        """Let all ranks save a checkpoint and end."""
        end = time.monotonic() + (STOPPING if self.hub.run else REAPING)  # without a run there is nothing to save
        self.hub.stop()
        while None in codes and self.asked < 2 and time.monotonic() < end:
            self.hub.poll(LOOK)
            codes = [child.poll() for child in self.children]
        rank = self.hub.ranks.get(0)
        said = codes[0] == INTERRUPTED or (rank and rank.word and rank.word.code == INTERRUPTED)
        return Verdict(INTERRUPTED, "" if said else AT_ONCE if self.hub.run else "interrupted")

    def _end(self) -> None:
        """Nothing is left running."""
        for child in self.children:
            with contextlib.suppress(OSError):
                child.kill() if WINDOWS else os.killpg(child.pid, signal.SIGKILL)
        for child in self.children:
            child.wait()
        for file in self.errors:
            file.close()
        self.hub.close()


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables that a training may need. None that looks like a secret, such as a proxy's password."""
    return {
        name: value
        for name, value in variables.items()
        if PASSED.fullmatch(name) and not SECRET.search(name) and not (name.lower().endswith("proxy") and "@" in value)
    }


@contextlib.contextmanager
def _signals(launch: _Launch) -> Iterator[None]:
    """Signals ask to stop. In another thread than the main one, nothing changes."""

    def ask(*_: object) -> None:
        launch.asked += 1

    try:
        handlers = {number: signal.signal(number, ask) for number in SIGNALS}
    except ValueError:
        yield
        return
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)

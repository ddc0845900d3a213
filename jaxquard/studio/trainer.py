"""The queue of trainings: each is a `jaxquard train` in its own process and session, one at a time.

A file `stop` makes a training save a checkpoint and stop; `--resume` continues it. The studio reads the files that the
training writes, so neither process depends on the other. Trainings started in a terminal, or by an earlier studio, are
jobs, too. A job's id is its run's.
"""

import asyncio
import contextlib
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from typing import IO, Any, Literal

from anyio import to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from jaxquard.config import Config
from jaxquard.data import catalogue
from jaxquard.errors import RunError, UsageError
from jaxquard.runs import directory
from jaxquard.runs.interrupts import AT_ONCE, INTERRUPTED
from jaxquard.runs.lock import ask_to_stop
from jaxquard.studio import Studio
from jaxquard.studio.learn import arguments, checked
from jaxquard.studio.security import read_json, without_paths
from jaxquard.studio.watch import TICK, Watch, status_of
from jaxquard.systems import NEW_GROUP

JAXQUARD = [sys.executable, "-P", "-c", "from jaxquard.cli import main; main()"]
MAX_JOBS = 100  # waiting, and as many ended
LOST = "its process ended without an error message; it can continue from the newest checkpoint"
Status = Literal["queued", "running", "pausing", "paused", "stopping", "stopped", "finished", "failed"]
ACTIVE = ("running", "pausing", "stopping")
ENDS: dict[str, Status] = {"pausing": "paused", "stopping": "stopped"}
Document = dict[str, Any]


@dataclass
class Job:
    """One training: its arguments, its status, and its process if the studio started it."""

    run: str
    arguments: list[str]
    until: int | None = None
    status: Status = "queued"
    ended_early: bool = False  # before its first checkpoint
    error: str | None = None
    process: subprocess.Popen[bytes] | None = None
    said: IO[bytes] | None = None

    @property
    def words(self) -> list[str]:
        """The arguments of `jaxquard train`."""
        return [*self.arguments, *(["--until", str(self.until)] if self.until else [])]


class Trainer:
    """The queue and the running training. Thread-safe; call `tick` often."""

    def __init__(self, studio: Studio, watch: Watch) -> None:
        self.studio, self.watch = studio, watch
        self.jobs: dict[str, Job] = {}
        self._lock = threading.RLock()

    def documents(self) -> dict[str, Document]:
        """Every job by its id, in the order of the queue."""
        with self._lock:
            sights = self.watch.look()
            return {name: self._document(job, name in sights) for name, job in self.jobs.items()}

    def _document(self, job: Job, begun: bool) -> Document:
        command = self.studio.command("train", *job.words)
        facts = {"job": job.run, "run": job.run if begun else None, "status": job.status}
        return facts | {"command": command, "error": job.error}

    def start(self, config: Config, name: str | None = None) -> Document:
        """Queue a new run. UsageError or RunError if its name is invalid or taken."""
        with self._lock:
            if name is None:
                name = directory.new_name(config)
            directory.free_path(self.studio.runs, name)
            if name in self.jobs and self.jobs[name].status != "stopped":
                raise RunError(f"{name}: already there; choose another name")
            return self._queue(Job(name, [*arguments(config), "--name", name]))

    def resume(self, name: str, *, one_epoch: bool = False) -> Document:
        """Queue a stopped run, or a job that was stopped before it had a run: to its end, or for one epoch."""
        with self._lock:
            sight, job = self.watch.look(force=True).get(name), self.jobs.get(name)
            if (sight and sight.training) or (job and job.status in ("queued", *ACTIVE)):
                raise RunError(f"{name}: is training or waiting already")
            if sight and status_of(sight) == "finished":
                raise RunError(f"{name}: has finished; start a new run to train longer")
            if sight and sight.run.config.dataset == catalogue.ARRAYS:
                raise catalogue.only_in_python()
            if not sight and not job:
                raise HTTPException(404, "there is no run of this name")
            epochs = sight.run.epochs() if sight else []
            until = (epochs[-1]["epoch"] if epochs else 0) + 1 if one_epoch else None
            return self._queue(Job(name, ["--resume", name] if sight or not job else job.arguments, until))

    def end(self, name: str, then: Literal["pausing", "stopping"]) -> Document:
        """Let a training save a checkpoint and stop, or take it out of the queue."""
        with self._lock:
            job = self.jobs.get(name)
            if not job:
                raise HTTPException(404, "there is no job of this name")
            if job.status == "running":
                self._terminate(job)
            if job.status in ACTIVE:
                job.status = then
            elif job.status in ("queued", "paused") or (job.status == "failed" and then == "stopping"):
                job.status, job.error = ENDS[then], None
            else:
                raise RunError(f"{name}: is not training")
            return self._document(job, name in self.watch.look())

    def tick(self) -> None:
        """Update the jobs, and start the next one if none is running."""
        with self._lock:
            for name, sight in self.watch.look().items():
                if sight.training and not (name in self.jobs and self.jobs[name].status in ACTIVE):
                    self.jobs[name] = Job(name, ["--resume", name], status="running")
            active = [job for job in self.jobs.values() if job.status in ACTIVE]
            for job in active:
                if self._has_ended(job):
                    self._conclude(job)
            waiting = [job for job in self.jobs.values() if job.status == "queued"]
            if waiting and not active:
                self._spawn(waiting[0])

    async def run(self) -> None:
        """Call `tick` until the studio ends. An error is printed once, and the calls continue."""
        said = None
        while True:
            fault = None
            try:
                await to_thread.run_sync(self.tick)
            except Exception as error:  # any: without this task the queue would stand still
                fault = repr(error)
            if fault and fault != said:
                print(f"jaxquard: the queue of trainings: {fault}", file=sys.stderr, flush=True)
            said = fault
            await asyncio.sleep(TICK)

    def _queue(self, job: Job) -> Document:
        """Put a job last. Of the ended jobs, only the last MAX_JOBS are kept."""
        if [other.status for other in self.jobs.values()].count("queued") >= MAX_JOBS:
            raise RunError(f"{MAX_JOBS} trainings are waiting already")
        self.jobs.pop(job.run, None)
        ended = [name for name, other in self.jobs.items() if other.status in ("finished", "stopped", "failed")]
        for name in ended[: max(0, len(ended) - MAX_JOBS)]:
            del self.jobs[name]
        self.jobs[job.run] = job
        return self._document(job, job.run in self.watch.look())

    def _spawn(self, job: Job) -> None:
        studio = self.studio
        places = ["--runs", str(studio.runs), *(["--data-dir", str(studio.data_dir)] if studio.data_dir else [])]
        words = ["train", "--json", "--quiet", *places, *(["--offline"] if studio.offline else []), *job.words]
        nowhere = subprocess.DEVNULL
        try:
            # not a pipe, which would break if the studio is killed
            job.said = tempfile.TemporaryFile()  # noqa: SIM115 - closed by _conclude
            job.process = subprocess.Popen(
                [*JAXQUARD, *words],
                stdin=nowhere,
                stdout=nowhere,
                stderr=job.said,
                start_new_session=True,
                creationflags=NEW_GROUP,
            )
            job.status = "running"
        except OSError as error:
            job.status, job.error = "failed", f"cannot be started: {error.strerror}"
            if job.said:
                job.said.close()

    def _terminate(self, job: Job) -> None:
        sight = self.watch.look(force=True).get(job.run)
        if sight and sight.training:
            ask_to_stop(sight.run.path)
        elif job.process:  # it has nothing to save yet
            job.process.terminate()
            job.ended_early = True

    def _has_ended(self, job: Job) -> bool:
        if job.process:
            return job.process.poll() is not None
        sight = self.watch.look().get(job.run)
        return sight is None or not sight.training

    def _conclude(self, job: Job) -> None:
        """Set how a training ended: by its run's status, else by the request to stop, else by its process's error."""
        sight = self.watch.look(force=True).get(job.run)
        outcome = None
        with contextlib.suppress(RunError):  # damaged: then only the process's error is known
            outcome = status_of(sight) if sight else None
        said = self._last_words(job.said) if job.said else None
        if job.process:
            code = job.process.returncode
            saved = code in (0, INTERRUPTED) and said != AT_ONCE
            saved |= job.ended_early and said is None and outcome != "interrupted"
        else:
            saved = outcome == "stopped"
        if outcome == "finished":
            job.status = "finished"
        elif saved and outcome != "diverged":
            job.status = ENDS.get(job.status, "paused")
        else:
            job.status, job.error = "failed", said or ("the training diverged" if outcome == "diverged" else LOST)
        job.process = job.said = None

    def _last_words(self, file: IO[bytes]) -> str | None:
        """The last error message of a training; None if the last one comes from a library."""
        with file:
            file.seek(0)
            text = file.read(100_000).decode(errors="replace")
        ours = [line.removeprefix("jaxquard: ") for line in text.splitlines() if line.startswith("jaxquard: ")]
        if not ours or "JAXQUARD_DEBUG" in ours[-1]:
            return None
        return without_paths(ours[-1], self.studio.runs, self.studio.data_dir)


def list_jobs(request: Request) -> JSONResponse:
    """Every job."""
    return JSONResponse({"jobs": list(request.app.state.trainer.documents().values())})


async def new_job(request: Request) -> JSONResponse:
    """Queue a training of `{"recipe", "settings", "name"}`."""
    document, state = await read_json(request), request.app.state
    name = document.get("name")
    if not isinstance(name, str | None):
        raise UsageError("name: must be text")
    config, _ = await to_thread.run_sync(checked, state, document)
    return JSONResponse(await to_thread.run_sync(state.trainer.start, config, name or None), 202)


async def resume(request: Request) -> JSONResponse:
    """Queue the run `{"run"}` again, to its end."""
    document, state = await read_json(request), request.app.state
    sight = state.reader.find(str(document.get("run")))
    return JSONResponse(await to_thread.run_sync(state.trainer.resume, sight.run.id), 202)


def steer(request: Request) -> JSONResponse:
    """Pause, continue, continue for one epoch, or stop."""
    trainer: Trainer = request.app.state.trainer
    actions = {
        "pause": lambda name: trainer.end(name, "pausing"),
        "stop": lambda name: trainer.end(name, "stopping"),
        "continue": trainer.resume,
        "one-epoch": lambda name: trainer.resume(name, one_epoch=True),
    }
    if request.path_params["action"] not in actions:
        raise HTTPException(404)
    return JSONResponse(actions[request.path_params["action"]](request.path_params["job"]), 202)


routes = [
    Route("/api/jobs", list_jobs),
    Route("/api/jobs", new_job, methods=["POST"]),
    Route("/api/jobs/resume", resume, methods=["POST"]),
    Route("/api/jobs/{job}/{action}", steer, methods=["POST"]),
]

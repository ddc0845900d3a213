"""The queue: one training at a time, steered by a file and --resume; its end is read from its run."""

import asyncio
import json
import re
import shlex
import shutil
import signal
import subprocess
import sys

import pytest

from jaxquard.config import Config
from jaxquard.errors import RunError, UsageError
from jaxquard.runs.directory import Run
from jaxquard.runs.interrupts import AT_ONCE
from jaxquard.studio import trainer as module
from jaxquard.studio.trainer import LOST

# A replacement for `jaxquard train`: it copies `part` as its run, trains nothing, and obeys the file `order`.
STAND_IN = """
import json, os, pathlib, shutil, signal, sys, time
from jaxquard.runs.interrupts import AT_ONCE
words = sys.argv[1:]
value = lambda flag: words[words.index(flag) + 1]
ends = {"full": (1, "/some/where/disk: cannot write: full"), "late": (130, AT_ONCE)}
def end(*_):
    code, words = ends.get(order, (130, "interrupted"))
    os.write(2, f"jaxquard: {words}\\n".encode())
    os._exit(code)
signal.signal(signal.SIGTERM, end)
runs = pathlib.Path(value("--runs"))
run = runs / value("--resume" if "--resume" in words else "--name")
order = (runs.parent / "order").read_text()
with open(runs.parent / "started", "a") as log:
    log.write(json.dumps([os.getpid(), hasattr(os, 'getsid') and os.getsid(0), words]) + "\\n")
if order != "nothing" and not run.exists():
    os.rename(shutil.copytree(runs / "part", runs.parent / f"copy-{os.getpid()}"), run)  # a run appears complete
if order == "finish":
    with open(run / "journal.jsonl", "a") as journal:
        journal.write('{"event": "finished", "step": 18}\\n')
elif order == "diverge":
    with open(run / "journal.jsonl", "a") as journal:
        journal.write('{"event": "diverged", "step": 18, "network": 0}\\n')
    print("a warning\\njaxquard: diverged: loss not finite\\n(kept)", file=sys.stderr)
    sys.exit(4)
elif order == "fail":
    print("jaxquard: /some/where/disk: cannot write: full", file=sys.stderr)
    sys.exit(1)
elif order == "break":
    print("jaxquard: TypeError: of a library (JAXQUARD_DEBUG=1 shows where)", file=sys.stderr)
    sys.exit(1)
elif order in ("wait", "nothing", *ends):
    for _ in range(6000):  # a signal just before a long sleep would wait until it ends
        time.sleep(0.01)
"""


@pytest.fixture(autouse=True)
def _stand_in(monkeypatch):
    monkeypatch.setattr(module, "JAXQUARD", [sys.executable, "-c", STAND_IN])


@pytest.fixture
def order(root):
    """`order("finish")`: the behaviour of the next training."""
    return (root.parent / "order").write_text


@pytest.fixture
def trainer(app):
    yield app.state.trainer
    for job in app.state.trainer.jobs.values():
        if job.process:
            job.process.kill()
            job.process.wait()
            job.said.close()


@pytest.fixture
def wait_for(trainer, wait_until):
    """`wait_for(name, status)`: run the queue until the job has that status; returns its document."""

    def ended(name: str, status: str) -> dict | None:
        trainer.tick()
        job = trainer.documents()[name]
        return job if job["status"] == status else None

    return lambda name, status: wait_until(lambda: ended(name, status))


def started(root) -> list[list]:
    file = root.parent / "started"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


@pytest.fixture
def begin(trainer, root, wait_until):
    """`begin()`: start the training `x`, and wait until its process runs."""

    def one() -> None:
        trainer.start(Config(), "x")
        trainer.tick()
        wait_until(lambda: started(root))

    return one


def test_a_training_from_queue_to_end(root, trainer, order, wait_for):
    order("finish")
    config = Config(hidden=(7,), epochs=3)
    first = trainer.start(config, "mine")
    command = "jaxquard train --hidden 7 --epochs 3 --name mine"
    whole = f"{command} --runs {root}"
    assert first == {"job": "mine", "run": None, "status": "queued", "command": whole, "error": None}
    assert wait_for("mine", "finished")["run"] == "mine"
    pid, session, words = started(root)[0]
    assert session in (
        pid,
        False,
    )  # Ctrl-C in the studio's terminal must not reach it
    assert words == ["train", "--json", "--quiet", "--runs", str(root), "--offline", *shlex.split(command)[2:]]


def test_one_training_at_a_time_in_order(root, trainer, order, wait_for):
    order("finish")
    for name in ("c", "a", "b"):
        trainer.start(Config(), name)
    trainer.tick()
    assert [job["status"] for job in trainer.documents().values()] == ["running", "queued", "queued"]
    wait_for("b", "finished")
    assert [words[-1] for _, _, words in started(root)] == ["c", "a", "b"]


def test_pause_one_epoch_continue(root, trainer, order, wait_for, begin, wait_until):
    order("wait")
    begin()
    wait_until((root / "x").exists)
    for _ in range(2):  # only the first request sends a signal: a second one would kill it
        assert trainer.end("x", "pausing")["status"] == "pausing"
    assert wait_for("x", "paused")["error"] is None
    done = Run(root / "x").epochs()[-1]["epoch"]
    order("stay")
    assert (
        trainer.resume("x", one_epoch=True)["command"] == f"jaxquard train --resume x --until {done + 1} --runs {root}"
    )
    assert wait_for("x", "paused")["error"] is None  # ended without an error, but not finished
    order("finish")
    assert trainer.resume("x")["command"] == f"jaxquard train --resume x --runs {root}"
    wait_for("x", "finished")
    with pytest.raises(RunError, match="has finished"):
        trainer.resume("x")
    assert [words[5:] for _, _, words in started(root)][1:] == [
        ["--offline", "--resume", "x", "--until", str(done + 1)],
        ["--offline", "--resume", "x"],
    ]


def test_a_training_paused_before_it_had_a_run_starts_again(root, trainer, order, wait_for, begin):
    order("nothing")
    begin()
    trainer.end("x", "pausing")
    assert wait_for("x", "paused")["run"] is None
    order("finish")
    trainer.resume("x")
    wait_for("x", "finished")
    assert started(root)[0][2] == started(root)[1][2]


def test_stopping_starts_the_next_one(root, trainer, order, wait_for, begin):
    order("wait")
    begin()
    trainer.start(Config(), "y")
    trainer.start(Config(), "z")
    order("finish")
    assert trainer.end("y", "stopping")["status"] == "stopped"
    assert trainer.end("x", "stopping")["status"] == "stopping"
    wait_for("z", "finished")
    assert trainer.documents()["x"]["status"] == "stopped"
    assert [words[-1] for _, _, words in started(root)] == ["x", "z"]
    with pytest.raises(RunError, match="is not training"):
        trainer.end("z", "pausing")


@pytest.mark.parametrize(
    ("what", "said"), [("diverge", "diverged: loss not finite"), ("fail", "disk: cannot write: full"), ("break", LOST)]
)
def test_a_failed_training_shows_its_own_error(trainer, order, what, said, wait_for):
    order(what)
    trainer.start(Config(), "x")
    assert wait_for("x", "failed")["error"] == said


def test_a_killed_training_can_continue(trainer, order, wait_for, begin):
    order("wait")
    begin()
    trainer.jobs["x"].process.kill()
    assert wait_for("x", "failed")["error"] == LOST
    order("finish")
    trainer.resume("x")
    wait_for("x", "finished")


def test_a_run_of_arrays_continues_only_in_python(trainer, root):
    shutil.copytree(root / "part", root / "x")
    config = root / "x" / "config.toml"
    config.write_text(re.sub('dataset = ".*"', 'dataset = "arrays"', config.read_text()))
    for one_epoch in (False, True):
        with pytest.raises(UsageError, match="arrays in Python"):
            trainer.resume("x", one_epoch=one_epoch)


def test_a_training_with_a_damaged_run_fails_and_the_queue_continues(root, trainer, order, wait_for, begin, wait_until):
    order("wait")
    begin()
    trainer.start(Config(), "y")
    wait_until((root / "x" / "evaluations.jsonl").exists)
    (root / "x" / "journal.jsonl").write_bytes(b"\xff\n")
    trainer.jobs["x"].process.kill()
    order("finish")
    assert wait_for("x", "failed")["error"] == LOST
    wait_for("y", "finished")


@pytest.mark.posix  # Windows ends a process without asking it
@pytest.mark.parametrize(("what", "said"), [("full", "disk: cannot write: full"), ("late", AT_ONCE)])
@pytest.mark.parametrize("then", ["pausing", "stopping"])
def test_a_training_that_cannot_save_on_request_fails(trainer, order, what, said, then, wait_for, begin):
    order(what)
    begin()
    trainer.end("x", then)
    assert wait_for("x", "failed")["error"] == said


def test_the_queue_survives_an_error_and_reports_it_once(trainer, monkeypatch, capsys):
    monkeypatch.setattr(module, "TICK", 0)
    ticks = []

    def tick() -> None:
        ticks.append(len(ticks))
        raise KeyError("a mistake") if len(ticks) < 4 else SystemExit

    monkeypatch.setattr(trainer, "tick", tick)
    with pytest.raises(SystemExit):
        asyncio.run(trainer.run())
    assert capsys.readouterr().err == "jaxquard: the queue of trainings: KeyError('a mistake')\n"


def test_a_training_that_cannot_be_started_fails(trainer, order, monkeypatch, wait_for):
    monkeypatch.setattr(module, "JAXQUARD", ["/no/such/program"])
    trainer.start(Config(), "x")
    assert wait_for("x", "failed")["error"] == "cannot be started: No such file or directory"


def test_a_training_without_a_file_for_its_errors_fails_and_the_queue_continues(trainer, order, monkeypatch, wait_for):
    order("finish")
    faults, make = [OSError(28, "No space left on device")], module.tempfile.TemporaryFile

    def full():
        if faults:
            raise faults.pop()
        return make()

    monkeypatch.setattr(module.tempfile, "TemporaryFile", full)
    trainer.start(Config(), "x")
    trainer.start(Config(), "y")
    assert wait_for("x", "failed")["error"] == "cannot be started: No space left on device"
    wait_for("y", "finished")


def test_names(trainer):
    with pytest.raises(RunError, match="already there"):
        trainer.start(Config(), "part")
    trainer.start(Config(), "x")
    with pytest.raises(RunError, match="already there"):
        trainer.start(Config(), "x")
    for name in ("../x", "a/b", "", ".hidden", "x" * 200):
        with pytest.raises(UsageError):
            trainer.start(Config(), name)
    assert trainer.start(Config())["job"].startswith("mlp-fashion-mnist-")


def test_the_queue_has_a_limit(trainer, monkeypatch):
    monkeypatch.setattr(module, "MAX_JOBS", 2)
    trainer.start(Config())
    trainer.start(Config())
    with pytest.raises(RunError, match="2 trainings are waiting already"):
        trainer.start(Config())


def test_the_oldest_ended_jobs_are_dropped_first(trainer, monkeypatch):
    monkeypatch.setattr(module, "MAX_JOBS", 2)
    for name in "abcd":
        trainer.start(Config(), name)
        trainer.end(name, "stopping")
    trainer.start(Config(), "e")
    assert list(trainer.documents()) == ["c", "d", "e"]


HOLD = """
import pathlib, sys, time
from jaxquard.runs.lock import is_asked_to_stop, locked
run = pathlib.Path(sys.argv[1])
with locked(run):
    print("held", flush=True)
    while not is_asked_to_stop(run):
        time.sleep(0.01)
sys.exit(130)
"""


@pytest.fixture
def elsewhere(root):
    """A training of `part` from a terminal, or from a studio that was killed."""
    with subprocess.Popen([sys.executable, "-c", HOLD, root / "part"], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout.readline().strip() == b"held"
            yield process
        finally:
            process.kill()


def test_a_training_from_elsewhere_is_a_job_and_the_queue_waits_for_it(trainer, order, elsewhere, wait_for):
    order("finish")
    trainer.start(Config(), "x")
    for _ in range(3):
        trainer.tick()
    assert {name: job["status"] for name, job in trainer.documents().items()} == {"x": "queued", "part": "running"}
    with pytest.raises(RunError, match="is training"):
        trainer.resume("part")
    assert trainer.end("part", "pausing")["status"] == "pausing"
    assert elsewhere.wait(60) == 130
    wait_for("part", "paused")
    wait_for("x", "finished")


@pytest.mark.parametrize("stopping", [False, pytest.param(True, marks=pytest.mark.posix)])
def test_a_training_from_elsewhere_that_dies_is_reported(trainer, elsewhere, stopping, wait_for):
    trainer.tick()
    if stopping:
        elsewhere.send_signal(signal.SIGSTOP)  # it cannot react
        trainer.end("part", "pausing")
    elsewhere.kill()
    elsewhere.wait()
    assert wait_for("part", "failed")["error"] == LOST


def test_a_training_on_another_machine_can_be_paused(trainer, root, elsewhere):
    (root / "part" / "holder.json").write_text('{"pid": 1, "host": "elsewhere"}')
    trainer.tick()
    trainer.end("part", "pausing")
    assert elsewhere.wait(60) == 130


def test_the_jobs_of_the_api(get, post, order, wait_for):
    order("finish")
    assert get("/api/jobs") == {"jobs": []}
    document = {"settings": {"epochs": 2, "hidden": [3]}, "name": "mine"}
    answer = post("/api/jobs", document)
    assert (answer.status, answer.json["status"]) == (202, "queued")
    assert answer.json["command"].startswith("jaxquard train --hidden 3 --epochs 2 --name mine --runs ")
    assert post("/api/jobs", document).status == 409
    assert post("/api/jobs/resume", {"run": "part"}).json["command"].startswith("jaxquard train --resume part --runs ")
    wait_for("part", "finished")
    assert [job["status"] for job in get("/api/jobs")["jobs"]] == ["finished", "finished"]
    assert "mine" in [run["run"] for run in get("/api/runs")["runs"]]


@pytest.mark.parametrize(
    ("status", "path", "document"),
    [
        (404, "/api/jobs/resume", {"run": "none"}),
        (404, "/api/jobs/resume", {}),
        (404, "/api/jobs/resume", {"run": ["part"]}),
        (409, "/api/jobs/resume", {"run": "fast"}),
        (404, "/api/jobs/none/pause", {}),
        (404, "/api/jobs/none/continue", {}),
        (404, "/api/jobs/fast/explode", {}),
        (404, "/api/jobs/fast/pause", {}),
        (409, "/api/jobs/fast/one-epoch", {}),
        (422, "/api/jobs", {"name": 3}),
        (422, "/api/jobs", {"name": "../x"}),
        (409, "/api/jobs", {"name": "fast"}),
        (422, "/api/jobs", {"settings": {"epochs": 0}}),
        (422, "/api/jobs", {"recipe": "none"}),
    ],
)
def test_impossible_actions_are_refused(post, app, status, path, document):
    answer = post(path, document)
    assert answer.status == status
    assert answer.json["error"]
    assert app.state.trainer.documents() == {}

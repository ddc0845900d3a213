"""The verb `train`: trains one or several configs, with progress on stderr and results on stdout."""

import itertools
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from jaxquard import compilation, distributed, recipes, sweeps
from jaxquard.cli.options import (
    COMMON,
    SETTINGS,
    SOURCE,
    Common,
    Settings,
    Shared,
    SkipDamaged,
    Sourced,
    data_options,
    print_json,
    where_data_are,
)
from jaxquard.config import SCALARS, Config, flag, option, read_toml, why_no_effect
from jaxquard.distributed.places import place
from jaxquard.errors import DivergedError, JaxquardError, UsageError
from jaxquard.runs.interrupts import Interrupted, Interrupts, interruptible
from jaxquard.streams import say
from jaxquard.systems import quoted

if TYPE_CHECKING:
    from jaxquard.distributed.member import Member
    from jaxquard.runs.results import TrainResult

STARTED = time.time()
SEVERAL = "Several processes"


def train(
    *,
    recipe: Annotated[str | None, Parameter(help="Start from a named recipe (default: original).")] = None,
    config: Annotated[Path | None, Parameter(help="Start from a TOML file, such as a run's config.toml.")] = None,
    settings: Annotated[Settings, Parameter(name="*")] = SETTINGS,  # type: ignore[valid-type]  # a class made at run time
    sweep: Annotated[
        tuple[str, ...], Parameter(help="Try values: learning_rate=0.003,0.01 or hidden=128-64,256. May be repeated.")
    ] = (),
    name: Annotated[str | None, Parameter(help="The new run's name.")] = None,
    resume: Annotated[
        str | None,
        Parameter(help="Continue this run; no setting can change, but --dataset gives the place of moved data."),
    ] = None,
    until: Annotated[int | None, Parameter(help="Stop after this epoch; resume later.")] = None,
    checkpoint_every: Annotated[int | None, Parameter(help="Also save a checkpoint every N steps.")] = None,
    devices: Annotated[
        int | Literal["all"] | None,
        Parameter(help="Use this many devices, or all (default: one CPU, or all accelerators that have work)."),
    ] = None,
    data_on: Annotated[
        Literal["host", "device"] | None,
        Parameter(help="Keep images in main memory or on the device (default: device, if half its memory holds them)."),
    ] = None,
    skip_damaged: SkipDamaged = False,
    coordinator: Annotated[
        str | None, Parameter(group=SEVERAL, help="HOST:PORT of rank 0, the first process (default: the cluster's).")
    ] = None,
    process_id: Annotated[int | None, Parameter(group=SEVERAL, help="This process's rank, from 0.")] = None,
    processes: Annotated[int | None, Parameter(group=SEVERAL, help="How many processes train this run.")] = None,
    source: Sourced = SOURCE,
    common: Shared = COMMON,
) -> None:
    """Train a network and evaluate it once on the test set."""
    from jaxquard.runs.directory import runs_directory, wanted

    if restarted := os.environ.get("JAXQUARD_RESTARTED"):  # by `jaxquard launch`
        recipe = config = name = None
        settings, sweep, resume = SETTINGS, (), restarted
    given = {key: value for key, value in vars(settings).items() if value is not None}
    moved = given.pop("dataset", None) if resume is not None else None
    if resume is not None and (given or sweep or recipe or config or name):
        raise UsageError("--resume uses the settings of the run: give no other setting (for others, start a new run)")
    swept = sweeps.parse(sweep)
    configs = _configs(recipe, config, given, swept, quiet=common.quiet) if resume is None else [None]
    if name is not None and len(configs) > 1:
        raise UsageError(f"--name: this sweep makes {len(configs)} runs, each with its own name; leave out --name")
    member = _joined(coordinator, process_id, processes)
    if len(configs) > 1 and member:
        raise UsageError(f"--sweep: this sweep makes {len(configs)} runs; several processes train one run")
    if not member or member.first:
        wanted(runs_directory(common.runs), name, resume)  # errors come before JAX is loaded
    options = {"resume": resume, "runs": common.runs, "name": name, "until": until, "dataset": moved}
    options |= {"checkpoint_every": checkpoint_every, "devices": devices, "data_on": data_on}
    options |= {"skip_damaged": skip_damaged} | data_options(source, common)
    where = where_data_are(source)
    if member:
        options["processes"] = member
    if member and not member.first:
        return _follow(configs[0], options, member)
    ended, started, failure = _train_each(configs, options, where, common.quiet)
    if failure and started < len(configs) > 1:
        words = {"recipe": recipe, "config": config, **given, "until": until, "checkpoint_every": checkpoint_every}
        words |= {"devices": devices, "data_on": data_on, "skip_damaged": skip_damaged or None}
        flags = [word for name, value in words.items() if value is not None for word in flag(name, value)]
        failure.args = (f"{failure}\n{_not_started([*flags, *where], swept, started, common.runs)}",)
    if ended:
        _report(ended, swept, common, where, of=len(configs))
    if error := failure or (ended[-1].diverged if all(one.diverged for one in ended) else None):
        raise error


def launch(
    *command: Annotated[str, Parameter(help="After --, a command that trains: train …", allow_leading_hyphen=True)],
    processes: Annotated[int, Parameter(help="How many processes train the run.")],
    devices_per_process: Annotated[
        int | None, Parameter(help="Devices of each process: CPU devices, or its own GPUs (default: as JAX chooses).")
    ] = None,
    restarts: Annotated[int, Parameter(help="Resume the run up to this many times if a process dies or is stuck.")] = 0,
    common: Shared = COMMON,
) -> None:
    """Train a run by several processes on this machine; watch them, and end them together."""
    from jaxquard.distributed.launching import launch

    passed_on = [f"--{name}" for name in ("json", "quiet") if getattr(common, name)]
    passed_on += ["--runs", str(common.runs)] if common.runs else []
    launch([*command, *passed_on], processes=processes, devices_per_process=devices_per_process, restarts=restarts)


@dataclass(frozen=True)
class Ended:
    """The result of a training, the seconds it took, and the error if every network diverged."""

    result: "TrainResult"
    seconds: float
    diverged: DivergedError | None


def _joined(coordinator: str | None, process_id: int | None, processes: int | None) -> "Member | None":
    """This process as one of several, once all have come; None if it trains alone. A signal ends all of them."""
    found = place(coordinator, process_id, processes)
    if found is None:
        return None
    from jaxquard.distributed.member import Member

    with interruptible() as interrupts:
        distributed.joined = member = Member(found)
        member.watch(interrupts)
        compilation.keep_compiled_programs()
        member.connect_jax()
    return member


def _follow(config: Config | None, options: dict[str, Any], member: "Member") -> None:
    """Train beside the first process, which shows the progress and the end."""
    from jaxquard import api
    from jaxquard.runs.train import Observer

    del options["resume"], options["name"]
    options |= {"report": None, "progress": None}
    with interruptible() as interrupts:
        member.watch(interrupts)
        try:
            api.follow(config, observer=Observer(should_stop=lambda: interrupts.asked), **options)
        except (DivergedError, Interrupted) as error:
            member.leave(error.exit_code, str(error))


def _train_each(
    configs: "list[Config] | list[None]", options: dict[str, Any], where: list[str], quiet: bool
) -> tuple[list[Ended], int, JaxquardError | None]:
    """Train one after the other: the results, the number started, and the error that stopped the others, if any."""
    ended: list[Ended] = []
    before = 0.0
    for config in configs:
        with interruptible() as interrupts:
            if distributed.joined:
                distributed.joined.watch(interrupts)
            try:
                result, diverged = _train(config, options, where, quiet, interrupts)
            except JaxquardError as error:
                return ended, len(ended) + interrupts.training, error
        ended.append(Ended(result, (now := _since_start()) - before, diverged))
        before = now
        if diverged and len(configs) > 1 and not quiet:
            say(f"{result.run.id}: {diverged}")
        if interrupts.asked and len(ended) < len(configs):  # the request came too late for this run
            return ended, len(ended), Interrupted(f"interrupted after {result.run.id} had finished")
    return ended, len(ended), None


def _train(
    config: Config | None, options: dict[str, Any], where: list[str], quiet: bool, interrupts: Interrupts
) -> "tuple[TrainResult, DivergedError | None]":
    """Train one config: the result, and the error if every network diverged."""
    compilation.keep_compiled_programs()

    from jaxquard import api
    from jaxquard.cli.display import TrainingDisplay
    from jaxquard.runs.lock import stop_file
    from jaxquard.runs.train import Observer

    def begin(*facts: Any) -> None:
        interrupts.training, interrupts.stop_file = True, stop_file(facts[0].path)
        if distributed.joined:
            distributed.joined.begin(facts[0].path)
        display.begin(*facts)

    with TrainingDisplay(quiet=quiet) as display:
        observer = Observer(begin, display.event, display.line, lambda: interrupts.asked, display.asking, display.line)
        try:
            return api.train(config, observer=observer, **options), None
        except DivergedError as error:
            return error.result, error
        except Interrupted as error:  # its message ends with a command
            raise Interrupted(f"{error} {quoted(where)}".rstrip()) from error


def _not_started(words: list[str], swept: dict[str, tuple[Any, ...]], started: int, runs: Path | None) -> str:
    """The settings of a sweep that were not started, and the commands that train them."""
    from jaxquard.runs.directory import command, runs_directory

    scalars = {name: values for name, values in swept.items() if name in SCALARS}
    parts = sweeps.remaining(sweeps.shapes_of(swept), started)
    named = [
        " ".join(sweeps.written(dict(zip(part, ((value,) for value in values), strict=True))))
        for part in parts
        for values in itertools.product(*part.values())
    ]
    root = runs_directory(runs)
    commands = [command("train", *words, *_sweeps({**scalars, **part}), runs=root) for part in parts]
    return f"not started: {', '.join(named)}; to train them: {' && '.join(commands)}"


def _sweeps(swept: dict[str, tuple[Any, ...]]) -> list[str]:
    return [word for setting in sweeps.written(swept) for word in ("--sweep", setting)]


def _report(ended: list[Ended], swept: Iterable[str], common: Common, where: list[str], of: int) -> None:
    """Show the results, `of` the number of runs asked for, and the ranking of a sweep."""
    from jaxquard.cli.display import ranking_table, training_table
    from jaxquard.runs.ranking import ranking, verdict

    runs, all_lost = [one.result.run for one in ended], all(one.diverged for one in ended)
    compared = list(dict.fromkeys([*swept, *(name for name, _ in runs[0].config.sweep)]))
    ranked = ranking(runs, compared) if compared and not all_lost else []
    if common.json:
        documents = [_document(one) for one in ended]
        document = documents[0] if of == 1 else {"runs": documents}
        rows = [row | {"val_accuracy": row["val_accuracy"].spread()} for row in ranked]
        print_json(document | ({"ranking": rows, "verdict": verdict(ranked)} if ranked else {}))
    elif not all_lost:
        for one in ended:
            training_table(one.result, one.seconds, best=ranked[0]["networks"][0] if ranked else "", where=where)
        if ranked:
            ranking_table(ranked, verdict(ranked))


def _document(one: Ended) -> dict[str, Any]:
    document = one.result.document()
    return document | {"seconds": {"total": round(one.seconds, 3), **document["seconds"]}}


def _configs(
    recipe: str | None, file: Path | None, given: dict[str, Any], swept: dict[str, tuple[Any, ...]], *, quiet: bool
) -> list[Config]:
    """A recipe or a file with the settings of the command line; several configs if shapes are swept. A changed recipe
    keeps its name only if `recipe` names it.
    """
    if recipe and file:
        raise UsageError("--recipe and --config: give one of the two")
    base = read_toml(file) if file else recipes.find(recipe or "original").config
    configs = sweeps.expand(base, given, swept)
    for note in _notes(base, given, configs) if not quiet else ():
        say(f"note: {note}")
    return [config if recipe or config == base else config.replace(recipe=None) for config in configs]


def _notes(base: Config, given: dict[str, Any], configs: list[Config]) -> Iterator[str]:
    """Notes on given settings without effect, and on pixel statistics that are measured again."""
    for setting in given:
        if not any(config.matters(setting) for config in configs):
            yield f"{option(setting)} has no effect here: {why_no_effect(setting)}"
    for setting in ("pixel_mean", "pixel_std"):
        if getattr(base, setting) is not None and all(getattr(config, setting) is None for config in configs):
            again = "is measured again, because the training images differ; to keep the old value, give"
            yield f"{setting} {again} {option(setting)}"


def _since_start() -> float:
    """Seconds since this process started, if the system reports it, else since this module was imported."""
    try:
        with (
            open("/proc/self/stat", encoding="ascii", errors="replace") as stat,
            open("/proc/uptime", encoding="utf-8") as uptime,
        ):
            began = int(stat.read().rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
            return float(uptime.read().split()[0]) - began
    except (OSError, ValueError, IndexError):
        return time.time() - STARTED

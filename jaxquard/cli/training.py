"""The verb `train`: its settings as configs, each trained with progress on stderr, and how they ended on stdout."""

import itertools
import os
import shlex
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from jaxquard import compilation, sweeps
from jaxquard.cli.options import (
    COMMON,
    SETTINGS,
    SOURCE,
    Common,
    Settings,
    Shared,
    Sourced,
    data_options,
    print_json,
    where_data_are,
)
from jaxquard.config import SCALARS, Config, flag, read_toml, why_no_effect
from jaxquard.errors import JaxquardError, UsageError
from jaxquard.runs.interrupts import interruptible
from jaxquard.streams import say

if TYPE_CHECKING:
    from jaxquard.runs.train import TrainResult

STARTED = time.time()


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
        Parameter(help="Go on with this run; no setting can change, but --dataset says where moved data are."),
    ] = None,
    until: Annotated[int | None, Parameter(help="Stop after this epoch, to be resumed later.")] = None,
    checkpoint_every: Annotated[int | None, Parameter(help="Also save every so many steps.")] = None,
    source: Sourced = SOURCE,
    common: Shared = COMMON,
) -> None:
    """Train a network and evaluate it once on the test set."""
    given = {key: value for key, value in vars(settings).items() if value is not None}
    moved = given.pop("dataset", None) if resume is not None else None
    if resume is not None and (given or sweep or recipe or config or name):
        raise UsageError("--resume goes on with a run as it is: give no other setting (a changed one is a new run)")
    swept = sweeps.parse(sweep)
    base = None if resume is not None else _base(recipe, config)
    configs = _chosen_configs(base, recipe, given, swept) if base else []
    chosen = configs or [None]
    if name is not None and len(chosen) > 1:
        raise UsageError(f"--name: this sweep makes {len(chosen)} runs, each with a name of its own; leave it out")
    options = {"resume": resume, "runs": common.runs, "name": name, "until": until}
    options |= {"checkpoint_every": checkpoint_every, "dataset": moved} | data_options(source, common)
    where = where_data_are(source, moved)

    for note in _notes(base, given, configs) if base and not common.quiet else ():
        say(f"note: {note}")

    def stopped(error: JaxquardError, begun: int) -> JaxquardError:
        if begun < len(chosen):
            begin = {"recipe": recipe, "config": config, **given, "until": until, "checkpoint_every": checkpoint_every}
            words = [word for name, value in begin.items() if value is not None for word in flag(name, value)]
            error.args = (f"{error}\n{_not_begun([*words, *where], swept, begun, common.runs)}",)
        return error

    results: list[TrainResult] = []
    failure: JaxquardError | None = None
    lost, spent, before = [], [], 0.0
    for begun, one in enumerate(chosen, 1):
        try:
            result, diverged, asked_to_stop = _train(one, options, where, quiet=common.quiet)
        except JaxquardError as error:
            failure = stopped(error, begun)
            if not results:
                raise failure from None
            break
        results.append(result)
        spent.append(_since_start() - before)
        before += spent[-1]
        if diverged is not None:
            lost.append(diverged)
            if len(chosen) > 1 and not common.quiet:
                say(f"{result.run.id}: {diverged}")
        if asked_to_stop and one is not chosen[-1]:
            from jaxquard.runs.train import Interrupted

            failure = stopped(Interrupted(f"interrupted after {result.run.id} had finished"), begun)
            break
    all_lost = len(lost) == len(results)
    _report_training(results, spent, swept, common, where, of=len(chosen), all_lost=all_lost)
    if failure or all_lost:
        raise failure or lost[-1]


def _not_begun(words: list[str], swept: dict[str, tuple[Any, ...]], begun: int, runs: Path | None) -> str:
    """The settings of a sweep that no run has yet, and the commands that train them."""
    from jaxquard.runs.directory import command, runs_directory

    scalars = {name: values for name, values in swept.items() if name in SCALARS}
    parts = sweeps.remaining(sweeps.shapes_of(swept), begun)
    named = [
        " ".join(sweeps.written(dict(zip(part, ((value,) for value in values), strict=True))))
        for part in parts
        for values in itertools.product(*part.values())
    ]
    root = runs_directory(runs)
    commands = [command("train", *words, *_sweeps({**scalars, **part}), runs=root) for part in parts]
    return f"not begun: {', '.join(named)}; for these: {' && '.join(commands)}"


def _sweeps(swept: dict[str, tuple[Any, ...]]) -> list[str]:
    return [word for setting in sweeps.written(swept) for word in ("--sweep", setting)]


def _report_training(
    results: "list[TrainResult]",
    spent: list[float],
    swept: Iterable[str],
    common: Common,
    where: list[str],
    of: int,
    all_lost: bool,
) -> None:
    """How each run ended, `of` so many asked for, and the seconds it took; and who won where there was a sweep."""
    from jaxquard.cli.display import ranking_table, training_table
    from jaxquard.runs.ranking import ranking, verdict

    documents = list(map(_train_document, results, spent))
    document: dict[str, Any] = documents[0] if of == 1 else {"runs": documents}
    compared = list(dict.fromkeys([*swept, *(name for name, _ in results[0].run.config.sweep)]))
    ranked = ranking([result.run for result in results], compared) if compared and not all_lost else []
    if ranked:
        document |= {
            "ranking": [row | {"val_accuracy": row["val_accuracy"].spread()} for row in ranked],
            "verdict": verdict(ranked),
        }
    if common.json:
        print_json(document)
    elif not all_lost:
        for result, seconds in zip(results, spent, strict=True):
            best = ranked[0]["networks"][0] if ranked else ""
            training_table(result, seconds, swept=bool(result.run.config.sweep), best=best, where=where)
        if ranked:
            ranking_table(ranked, verdict(ranked))


def _train(
    config: Config | None, options: dict[str, Any], where: list[str], quiet: bool
) -> "tuple[TrainResult, JaxquardError | None, bool]":
    """Train with progress on stderr, stopped by signals: the result, the error if it diverged, and whether a signal
    came when there was nothing left to stop. `where` are the options with which to go on where the data are.
    """
    from jaxquard.runs.directory import find, free_path, runs_directory
    from jaxquard.runs.lock import refuse_if_in_use

    root, described = runs_directory(options["runs"]), config  # refused before JAX is loaded, which takes a second
    if options["name"] is not None:
        free_path(root, options["name"])
    if described is None:
        run = find(options["resume"], root)
        if not run.finished():
            refuse_if_in_use(run.path)
        described = run.config
    with interruptible() as interrupts:
        compilation.keep_compiled_programs()

        from jaxquard import api
        from jaxquard.cli.display import TrainingDisplay
        from jaxquard.runs.train import Diverged, Interrupted, Observer

        def begin(*facts: Any) -> None:
            interrupts.training = True
            display.begin(*facts)

        with TrainingDisplay(quiet=quiet) as display:
            observer = Observer(begin, display.event, display.line, lambda: interrupts.asked, display.asking)
            diverged = None
            try:
                result = api.train(config, observer=observer, **options)
            except Diverged as error:
                result, diverged = error.result, error
            except Interrupted as error:  # which ends with the command to go on with
                raise Interrupted(" ".join([str(error), *map(shlex.quote, where)])) from error
    return result, diverged, interrupts.asked  # even if it came at the very last


def _base(recipe: str | None, file: Path | None) -> Config:
    """What the command line's settings come on top of."""
    if recipe and file:
        raise UsageError("--recipe and --config: give one of the two")
    if file:
        return read_toml(file)
    from jaxquard import recipes

    return recipes.find(recipe or "original").config


def _chosen_configs(
    base: Config, recipe: str | None, given: dict[str, Any], swept: dict[str, tuple[Any, ...]]
) -> list[Config]:
    """`base` with what the command line says on top; several where shapes are swept. A recipe changed is still called
    that where it was asked for by name.
    """
    configs = sweeps.expand(base, given, swept)
    return [config if recipe or config == base else config.replace(recipe=None) for config in configs]


def _notes(base: Config, given: dict[str, Any], configs: list[Config]) -> Iterator[str]:
    """What was asked for and will not be."""
    for setting in given:
        if not any(config.matters(setting) for config in configs):
            yield f"{setting} has no effect here: {why_no_effect(setting)}"
    for setting in ("pixel_mean", "pixel_std"):
        if getattr(base, setting) is not None and all(getattr(config, setting) is None for config in configs):
            yield f"{setting} is measured again, because the training images are others; to keep it, give it here, too"


def _train_document(result: "TrainResult", total: float) -> dict[str, Any]:
    from jaxquard.runs.figures import figure_of, swept

    config = result.run.config
    seeds = {"seeds": [network.seed for network in config.networks()]} if len(config.networks()) > 1 else {}
    return {
        "run": result.run.id,
        "recipe": config.recipe,
        "dataset": config.dataset,
        "parameters": result.parameters,
        "epochs": result.epochs,
        "seed": config.seed,
        **seeds,
        **swept(config),
        "train_loss": result.train_loss,
        "test_loss": result.test_loss,
        "test_accuracy": result.test_accuracy,
        "tta": result.tta and {"name": result.tta["name"], "test_accuracy": figure_of(result.tta["accuracy"])},
        "seconds": {"total": round(total, 3)} | {k: round(v, 3) for k, v in vars(result.seconds).items()},
        "diverged": list(result.diverged) if seeds else bool(result.diverged),
        "already_finished": result.already_finished,
    }


def _since_start() -> float:
    """Seconds since this process began, as far as the system tells; else since this file was loaded."""
    try:
        with open("/proc/self/stat", encoding="ascii", errors="replace") as stat, open("/proc/uptime") as uptime:
            began = int(stat.read().rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
            return float(uptime.read().split()[0]) - began
    except (OSError, ValueError, IndexError):
        return time.time() - STARTED

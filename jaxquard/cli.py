"""The command line: verbs over `jaxquard.api`, results to stdout, everything else to stderr, errors in one line.

Whatever needs JAX is imported where it is used, so that `--help` stays instant.
"""

import dataclasses
import json
import os
import signal
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import cyclopts
from cyclopts import App, Parameter

from jaxquard import __version__, sweeps
from jaxquard.compilation import keep_compiled_programs
from jaxquard.config import Config, read_toml, why_no_effect
from jaxquard.errors import JaxquardError, RunError, UsageError
from jaxquard.lessons.cli import lesson, list_lessons
from jaxquard.runs.interrupts import SIGNALS, interruptible, leave

if TYPE_CHECKING:
    from jaxquard.runs.train import TrainResult

STARTED = time.time()

app = App(
    name="jaxquard",
    help="Train real networks on small images in seconds, look inside, and put them to the test.",
    version=__version__,
    help_format="plaintext",  # reading Markdown would take a fifth of the time in which --help must be there
    default_parameter=Parameter(
        negative_iterable=(), show_default=lambda value: value if value not in (False, ()) else None
    ),
    result_action="return_value",
)


@dataclasses.dataclass(kw_only=True)
class Common:
    """What every verb understands."""

    json: Annotated[bool, Parameter(negative="", help="One JSON document on stdout.")] = False
    quiet: Annotated[bool, Parameter(negative="", help="Nothing on stderr but errors.")] = False
    runs: Annotated[Path | None, Parameter(help="Where runs live (default: $JAXQUARD_RUNS, else ./runs).")] = None


@dataclasses.dataclass(kw_only=True)
class Source:
    """Where data comes from."""

    data_dir: Annotated[
        Path | None, Parameter(help="Where data sets are kept (default: $JAXQUARD_DATA or a cache).")
    ] = None
    offline: Annotated[bool, Parameter(negative="", help="Never touch the network.")] = False


def _settings_class() -> type:
    """A dataclass with every setting of Config as an optional flag: what is not given stays what the recipe says."""
    fields: list[Any] = []
    for field in dataclasses.fields(Config):
        if field.name not in ("recipe", "sweep"):
            parameter = Parameter(
                help=field.metadata["help"] + _default(field.default),
                group=field.metadata["group"],
                consume_multiple=True,
                negative_iterable="no-" if field.name == "hidden" else (),  # --no-hidden: softmax regression
            )
            fields.append((field.name, Annotated[_types[field.name] | None, parameter], None))
    return dataclasses.make_dataclass("Settings", fields, kw_only=True, namespace={"__module__": __name__})


def _default(value: Any) -> str:
    """What a setting is in the mission's recipe, for its help."""
    if value is None or isinstance(value, bool):
        return ""
    return f" [default: {' '.join(map(str, value)) if isinstance(value, tuple) else value}]"


_types = Config.__annotations__
Settings = _settings_class()
_common, _source, _settings = Common(), Source(), Settings()
Shared = Annotated[Common, Parameter(name="*", group="Every verb")]
Sourced = Annotated[Source, Parameter(name="*", group="Data")]


@app.command
def train(
    *,
    recipe: Annotated[str | None, Parameter(help="Start from a named recipe (default: seed, the mission's).")] = None,
    config: Annotated[Path | None, Parameter(help="Start from a TOML file, such as a run's config.toml.")] = None,
    settings: Annotated[Settings, Parameter(name="*")] = _settings,  # type: ignore[valid-type]
    sweep: Annotated[
        tuple[str, ...], Parameter(help="Try values: learning_rate=0.003,0.01 or hidden=128-64,256. May be repeated.")
    ] = (),
    name: Annotated[str | None, Parameter(help="The new run's name.")] = None,
    resume: Annotated[str | None, Parameter(help="Go on with this run; no setting can change.")] = None,
    until: Annotated[int | None, Parameter(help="Stop after this epoch, to be resumed later.")] = None,
    checkpoint_every: Annotated[int | None, Parameter(help="Also save every so many steps.")] = None,
    source: Sourced = _source,
    common: Shared = _common,
) -> None:
    """Train a network and evaluate it once on the test set."""
    given = {key: value for key, value in vars(settings).items() if value is not None}
    if resume is not None and (given or sweep or recipe or config or name):
        raise UsageError("--resume goes on with a run as it is: give no other setting (a changed one is a new run)")
    swept = sweeps.parse(sweep)
    configs = [] if resume is not None else _chosen_configs(recipe, config, given, swept)
    chosen = configs or [None]
    if name is not None and len(chosen) > 1:
        raise UsageError(f"--name: this sweep makes {len(chosen)} runs, each with a name of its own; leave it out")
    options = {"resume": resume, "runs": common.runs, "name": name, "until": until}
    options |= {"checkpoint_every": checkpoint_every} | _data_options(source, common)
    from jaxquard.display import say

    for setting in given:
        if not any(one.matters(setting) for one in configs) and not common.quiet:
            say(f"note: {setting} has no effect here: {why_no_effect(setting)}")
    results: list[TrainResult] = []
    failure: JaxquardError | None = None
    lost, spent, before = [], [], 0.0
    for one in chosen:
        try:
            result, diverged, asked_to_stop = _train(one, options, quiet=common.quiet)
        except JaxquardError as error:
            if not results:
                raise
            failure = error
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

            failure = Interrupted(f"interrupted after {result.run.id}; the rest of the sweep was not begun")
            break
    all_lost = len(lost) == len(results)
    _report_training(results, spent, swept, common, of=len(chosen), all_lost=all_lost)
    if failure or all_lost:
        raise failure or lost[-1]


def _report_training(
    results: "list[TrainResult]", spent: list[float], swept: Iterable[str], common: Common, of: int, all_lost: bool
) -> None:
    """How each run ended, `of` so many asked for, and the seconds it took; and who won where there was a sweep."""
    from jaxquard.display import ranking_table, training_table
    from jaxquard.runs.ranking import ranking, verdict

    documents = list(map(_train_document, results, spent))
    document: dict[str, Any] = documents[0] if of == 1 else {"runs": documents}
    compared = list(dict.fromkeys([*swept, *(name for name, _ in results[0].run.config.sweep)]))
    ranked = ranking([result.run for result in results], compared) if compared and not all_lost else []
    if ranked:
        document |= {"ranking": ranked, "verdict": verdict(ranked)}
    if common.json:
        _print_json(document)
    elif not all_lost:
        for result, seconds in zip(results, spent, strict=True):
            training_table(result, seconds, swept=bool(result.run.config.sweep))
        if ranked:
            ranking_table(ranked, verdict(ranked))


def _train(
    config: Config | None, options: dict[str, Any], quiet: bool
) -> "tuple[TrainResult, JaxquardError | None, bool]":
    """Train with progress on stderr, stopped by signals: the result, the error if it diverged, and whether a signal
    came when there was nothing left to stop.
    """
    from jaxquard.runs.directory import find, free_path, runs_directory
    from jaxquard.runs.lock import refuse_if_in_use

    root, described = runs_directory(options["runs"]), config  # refused before JAX is loaded, which takes a second
    if options["name"] is not None:
        free_path(root, options["name"])
    if described is None:
        run = find(options["resume"], root)
        refuse_if_in_use(run.path)
        described = run.config
    with interruptible() as interrupts:
        keep_compiled_programs()

        from jaxquard import api
        from jaxquard.display import TrainingDisplay
        from jaxquard.runs.train import Diverged, Observer

        def begin(*facts: Any) -> None:
            interrupts.training = True
            display.begin(*facts)

        with TrainingDisplay(described, quiet=quiet) as display:
            observer = Observer(begin, display.event, display.line, lambda: interrupts.asked)
            diverged = None
            try:
                result = api.train(config, observer=observer, **options)
            except Diverged as error:
                result, diverged = error.result, error
    return result, diverged, interrupts.asked  # even if it came at the very last


def _chosen_configs(
    recipe: str | None, file: Path | None, given: dict[str, Any], swept: dict[str, tuple[Any, ...]]
) -> list[Config]:
    """The recipe or the file, with what the command line says on top; several where shapes are swept."""
    if recipe and file:
        raise UsageError("--recipe and --config: give one of the two")
    if file:
        base = read_toml(file)
    else:
        from jaxquard import recipes

        base = recipes.find(recipe or "seed").config
    configs = sweeps.expand(base, given, swept)
    return [config if recipe or config == base else config.replace(recipe=None) for config in configs]


def _train_document(result: "TrainResult", total: float) -> dict[str, Any]:
    from jaxquard.runs.figures import summary

    config = result.run.config
    seeds = {"seeds": [network.seed for network in config.networks()]} if len(config.networks()) > 1 else {}
    swept = {"sweep": {name: list(values) for name, values in config.sweep}} if config.sweep else {}
    return {
        "run": result.run.id,
        "recipe": config.recipe,
        "dataset": config.dataset,
        "parameters": result.parameters,
        "epochs": result.epochs,
        "seed": config.seed,
        **seeds,
        **swept,
        "train_loss": summary(result.train_loss),
        "test_loss": summary(result.test_loss),
        "test_accuracy": summary(result.test_accuracy),
        "tta": result.tta and {"name": result.tta["name"], "test_accuracy": summary(result.tta["accuracy"])},
        "seconds": {"total": round(total, 3)} | {k: round(v, 3) for k, v in vars(result.seconds).items()},
        "diverged": result.diverged,
    }


@app.command
def evaluate(
    model: Annotated[str, Parameter(help="A run, RUN@k, a .safetensors file, or a model shipped here.")],
    /,
    *,
    dataset: Annotated[str | None, Parameter(help="Judge on this data (default: what it was trained on).")] = None,
    split: Annotated[Literal["test", "validation", "train"], Parameter(help="Which part of it.")] = "test",
    why: Annotated[str, Parameter(help="A word for the run's record of looks at the test set.")] = "asked for",
    source: Sourced = _source,
    common: Shared = _common,
) -> None:
    """Judge a model: accuracy, loss, confusion, precision and recall, calibration, its most confident mistakes."""
    from jaxquard import api
    from jaxquard.display import evaluation_tables, say

    keep_compiled_programs()
    options = _data_options(source, common)
    options.pop("progress")
    models, loaded, judged = api.evaluate(model, dataset=dataset, split=split, why=why, runs=common.runs, **options)
    if api.is_other_data(models[0], loaded) and not common.quiet:
        say(f"note: {models[0].name} was trained on {models[0].dataset['name']}, which this is not")
    documents = [
        {"model": one.name, "dataset": loaded.name, "split": split} | found.as_dict(loaded.class_names)
        for one, found in zip(models, judged, strict=True)
    ]
    if common.json:
        _print_json(documents[0] if len(documents) == 1 else documents)
    else:
        for document, found in zip(documents, judged, strict=True):
            evaluation_tables(document, found, loaded, split)


@app.command
def predict(
    model: Annotated[str, Parameter(help="A run, RUN@k, a .safetensors file, or a model shipped here.")],
    /,
    *pictures: Annotated[Path, Parameter(help="PNG, JPEG or WebP, of any size.")],
    common: Shared = _common,
) -> None:
    """Say what is in pictures, with probabilities."""
    if not pictures:
        raise UsageError("predict: which picture? jaxquard predict MODEL IMAGE…")
    from jaxquard import api
    from jaxquard.display import prediction_lines, say

    keep_compiled_programs()
    loaded, read, probabilities = api.predict(model, pictures, runs=common.runs)
    documents = [
        {
            "file": str(path),
            "label": loaded.class_names[int(row.argmax())],
            "class_index": int(row.argmax()),
            "probability": float(row.max()),
            "probabilities": dict(zip(loaded.class_names, row.tolist(), strict=True)),
        }
        for path, row in zip(pictures, probabilities, strict=True)
    ]
    for path, picture in zip(pictures, read, strict=True):
        for note in picture.notes if not common.quiet else ():
            say(f"{path}: {note}")
    if common.json:
        _print_json(documents)
    else:
        prediction_lines(documents)


@app.command(name="runs")
def list_runs(*, common: Shared = _common) -> None:
    """List the runs there are."""
    from jaxquard.display import run_table
    from jaxquard.runs.directory import every, runs_directory
    from jaxquard.runs.figures import figures

    documents = []
    for run in every(runs_directory(common.runs)):
        try:
            documents.append({"run": run.id, "recipe": run.config.recipe, "dataset": run.config.dataset} | figures(run))
        except RunError as error:
            documents.append({"run": run.id, "status": "damaged", "error": str(error)})
    if common.json:
        _print_json(documents)
    else:
        run_table(documents, runs_directory(common.runs))


@app.command
def compare(
    *names: Annotated[str, Parameter(help="Two runs or more.")],
    chart: Annotated[Path | None, Parameter(help="Draw their learning curves into this file (.png or .svg).")] = None,
    metric: Annotated[Literal["accuracy", "loss"], Parameter(help="What to draw.")] = "accuracy",
    overwrite: Annotated[bool, Parameter(negative="", help="Replace the chart if it exists.")] = False,
    common: Shared = _common,
) -> None:
    """Put runs side by side: only the settings that differ, and one chart."""
    if len(names) < 2:
        raise UsageError("compare: name two runs or more")
    if chart and chart.exists() and not overwrite:
        raise UsageError(f"{chart}: already there; choose another name or add --overwrite")
    from jaxquard import api
    from jaxquard.display import comparison_table

    documents = api.compare(names, runs=common.runs)
    if chart:
        from jaxquard.charts import learning_curves, save
        from jaxquard.runs.directory import find, runs_directory

        found = [find(name, runs_directory(common.runs)) for name in names]
        unique = len({run.id for run in found}) == len(found)
        epochs = {run.id if unique else name: run.epochs() for name, run in zip(names, found, strict=True)}
        save(learning_curves(epochs, metric=metric), chart, overwrite=overwrite)
    if common.json:
        _print_json(documents)
    else:
        comparison_table(documents)


@app.command(name="recipes")
def list_recipes(*, common: Shared = _common) -> None:
    """List the recipes, with what was measured when they were run."""
    from jaxquard import recipes
    from jaxquard.display import recipe_table

    found = [recipes.find(name) for name in recipes.names()]
    if common.json:
        _print_json(
            [{"name": r.name, "purpose": r.purpose, "config": r.config.to_dict(), "result": r.result} for r in found]
        )
    else:
        recipe_table(found)


@app.command
def data(
    dataset: Annotated[str | None, Parameter(help="Fetch and check this one; without a name, list them.")] = None,
    /,
    *,
    source: Sourced = _source,
    common: Shared = _common,
) -> None:
    """List the data sets and where they are, or fetch and check one."""
    from jaxquard.data import load, status
    from jaxquard.display import dataset_table, status_table

    if dataset is None:
        found = status(source.data_dir)
        rows = [{k: v if isinstance(v, int) else str(v) for k, v in vars(one).items()} for one in found]
        _print_json(rows) if common.json else status_table(found)
        return
    loaded = load(dataset, **_data_options(source, common))
    facts = {
        "name": loaded.name,
        "train": len(loaded.train_images),
        "test": len(loaded.test_images),
        "image_shape": list(loaded.image_shape),
        "classes": list(loaded.class_names),
        "source": loaded.source,
        "sha256": loaded.sha256,
    }
    _print_json(facts) if common.json else dataset_table(facts)


@app.command
def studio(
    *,
    host: Annotated[str, Parameter(help="The address to listen at; any but this machine's own asks for a token.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, Parameter(help="The port to listen at (0: any that is free).")] = 8765,
    no_open: Annotated[bool, Parameter(negative="", help="Do not open the page in the browser.")] = False,
    source: Sourced = _source,
    common: Shared = _common,
) -> None:
    """Open a page in the browser: train, watch, look inside, compare, try your own picture."""
    from importlib.util import find_spec

    if not all(find_spec(name) for name in ("starlette", "uvicorn", "vl_convert")):
        raise JaxquardError("the studio needs the extra that serves it: pip install '.[studio]' in its folder")
    keep_compiled_programs()

    from jaxquard.runs.directory import runs_directory
    from jaxquard.studio import Studio
    from jaxquard.studio.server import serve

    described = Studio(runs_directory(common.runs), source.data_dir, source.offline)
    serve(described, host, port, open_page=not no_open, as_json=common.json, quiet=common.quiet)


@app.command
def doctor(*, source: Sourced = _source, common: Shared = _common) -> None:
    """Check the installation, and say what to do about what is wrong."""
    keep_compiled_programs()

    from jaxquard import doctor as checks
    from jaxquard.display import check_table

    found = checks.run_checks(source.data_dir)
    _print_json(checks.as_json(found)) if common.json else check_table(found)
    if not checks.healthy(found):
        raise SystemExit(1)


def _data_options(source: Source, common: Common) -> dict[str, Any]:
    from jaxquard.display import Fetching, say

    silent = {"report": None, "progress": None}
    spoken = {"report": say, "progress": Fetching()}
    return {"data_dir": source.data_dir, "offline": source.offline or None} | (silent if common.quiet else spoken)


def _print_json(document: Any) -> None:
    print(json.dumps(document, allow_nan=False))


def _since_start() -> float:
    """Seconds since this process began, as far as the system tells; else since this file was loaded."""
    try:
        with open("/proc/self/stat", encoding="ascii", errors="replace") as stat, open("/proc/uptime") as uptime:
            began = int(stat.read().rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
            return float(uptime.read().split()[0]) - began
    except (OSError, ValueError, IndexError):
        return time.time() - STARTED


app.command(list_lessons, name="lessons")
app.command(lesson)


def main(arguments: list[str] | None = None) -> None:
    """Run a verb; every error becomes one line on stderr and its exit code."""
    for number in SIGNALS:
        signal.signal(number, leave)
    try:
        app(arguments, exit_on_error=False, print_error=False)
        sys.stdout.flush()
    except cyclopts.CycloptsError as error:
        _fail(str(error), 2)
    except JaxquardError as error:
        _fail(str(error), error.exit_code)
    except BrokenPipeError:  # the reader of our output has gone: nobody to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        _fail(f"{error.filename or 'system'}: {error.strerror or error}", 1)
    except Exception as error:
        if os.environ.get("JAXQUARD_DEBUG"):
            raise
        first = (str(error).strip().splitlines() or [""])[0][:300]
        _fail(f"{type(error).__name__}: {first} (JAXQUARD_DEBUG=1 shows where)", 1)


def _fail(message: str, code: int) -> None:
    print(f"jaxquard: {message}", file=sys.stderr)
    sys.exit(code)

"""The verbs except `train` and those of lessons."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from jaxquard import compilation, files
from jaxquard.cli.options import (
    COMMON,
    READING,
    SOURCE,
    Common,
    Reading,
    Shared,
    SkipDamaged,
    Sourced,
    data_options,
    print_json,
)
from jaxquard.errors import DataError, JaxquardError, RunError, UsageError
from jaxquard.exporting import FORMATS
from jaxquard.installed import how_to_add
from jaxquard.naming import printable, visible
from jaxquard.streams import say

if TYPE_CHECKING:
    from jaxquard.runs.directory import Run
    from jaxquard.runs.models import TrainedModel

MODEL = (
    "A run, RUN@k for one of its networks (k from 0), RUN@all for their average, a .safetensors file, or a model "
    "that comes with Jaxquard."
)

PICTURES = "Pictures of any size: PNG, JPEG, WebP, GIF, BMP, TIFF, AVIF or HEIC; or a folder of them."


def evaluate(
    model: Annotated[str, Parameter(help=MODEL)],
    /,
    *,
    dataset: Annotated[str | None, Parameter(help="Evaluate on this data (default: its training data).")] = None,
    split: Annotated[Literal["test", "validation", "train"], Parameter(help="Which part of it.")] = "test",
    why: Annotated[str, Parameter(help="The reason, for the run's record of evaluations.")] = "asked for",
    source: Sourced = SOURCE,
    common: Shared = COMMON,
) -> None:
    """Evaluate a model: accuracy, loss, confusion, precision and recall, calibration, most confident mistakes."""
    compilation.keep_compiled_programs()
    from jaxquard import api
    from jaxquard.cli.display import evaluation_tables

    options = data_options(source, common)
    options.pop("progress")
    found = api.evaluate(model, dataset=dataset, split=split, why=why, runs=common.runs, **options)
    first = found.models[0]
    if found.on_other_data and not common.quiet:
        for note in (f"{first.name} was trained on other data, {first.dataset['name']}", *found.dataset.notes):
            say(f"note: {note}")
    _note_unfinished(found.models, common)
    print_json(found) if common.json else evaluation_tables(found)


def _note_unfinished(models: "Sequence[TrainedModel]", common: Common) -> None:
    from jaxquard.runs.models import unfinished

    if (note := unfinished(models)) and not common.quiet:
        say(f"note: {note}")


def predict(
    model: Annotated[str, Parameter(help=MODEL)],
    /,
    *pictures: Annotated[Path, Parameter(help=PICTURES)],
    background: Annotated[
        Literal["auto", "light", "dark"], Parameter(help="The background of the pictures; auto detects it.")
    ] = "auto",
    as_is: Annotated[bool, Parameter(negative="", help="Do not look for an object and do not invert.")] = False,
    csv: Annotated[
        Path | None, Parameter(allow_leading_hyphen=True, help="Write a table of all probabilities (-: to stdout).")
    ] = None,
    overwrite: Annotated[bool, Parameter(negative="", help="Replace the file of --csv if it exists.")] = False,
    common: Shared = COMMON,
) -> None:
    """Classify pictures, with probabilities."""
    compilation.keep_compiled_programs()
    from jaxquard import api
    from jaxquard.cli.display import prediction_notes, prediction_table, reading

    to_stdout = str(csv) == "-"
    if to_stdout and common.json:
        raise UsageError("--csv - and --json both write to stdout; give one of them")
    if csv and not to_stdout and csv.exists() and not overwrite:
        raise UsageError(f"{csv}: already there; choose another name or add --overwrite")
    options: dict[str, Any] = {"as_is": as_is, "background": background, "keep_going": True, "runs": common.runs}
    found = api.predict(model, pictures, progress=None if common.quiet else reading(), **options)
    _note_unfinished([found.model], common)
    if not common.quiet:
        prediction_notes(found)
    if csv and not to_stdout:
        files.write_atomically(csv, found.to_csv().encode(errors="surrogateescape"))
    if common.json:
        print_json(found.to_dicts())
    elif to_stdout:
        print(printable(found.to_csv()), end="")
    elif csv:
        print(f"written: {visible(str(csv))}")
    else:
        prediction_table(found)
    _fail_for([one.error for one in found if one.error], len(found))


def _fail_for(errors: list[str], pictures: int) -> None:
    """Print why pictures could not be read, and raise DataError."""
    if pictures == 1 and errors:
        raise DataError(errors[0])
    for error in errors:
        say(f"jaxquard: {error}")
    if errors:
        raise DataError(f"{len(errors)} of {pictures} pictures could not be read")


def list_runs(*, common: Shared = COMMON) -> None:
    """List the runs, newest first."""
    from jaxquard.cli.display import run_table
    from jaxquard.runs.directory import newest_first, runs_directory

    where = runs_directory(common.runs)
    documents = list(map(_listed, newest_first(where)))
    if common.json:
        print_json(documents)
    else:
        run_table(documents, where)


def _listed(run: "Run") -> dict[str, Any]:
    from jaxquard.runs.figures import figures

    begun = {"run": run.id, "started": datetime.fromtimestamp(run.started).astimezone().isoformat(timespec="seconds")}
    try:
        config = run.config
        facts = {"recipe": config.recipe, "dataset": config.dataset, "networks": len(config.networks())}
        return begun | facts | {"epochs_asked": config.epochs} | figures(run)
    except RunError as error:
        return begun | {"status": "damaged", "error": str(error)}


def compare(
    *names: Annotated[str, Parameter(help="Two runs or more.")],
    chart: Annotated[Path | None, Parameter(help="Draw their learning curves: a .png, .svg or .html file.")] = None,
    metric: Annotated[Literal["accuracy", "loss"], Parameter(help="What to draw.")] = "accuracy",
    overwrite: Annotated[bool, Parameter(negative="", help="Replace the chart if it exists.")] = False,
    common: Shared = COMMON,
) -> None:
    """Put runs side by side: their figures, the settings that differ, which is better, and one chart."""
    from jaxquard import charts
    from jaxquard.cli.display import comparison_table
    from jaxquard.runs import comparing

    written: list[Path] = []
    if chart:
        charts.paths_of(chart, overwrite=overwrite)
    found = comparing.compare(names, runs=common.runs)
    if chart:
        runs = [one.run for one in found.runs]
        unique = len({run.id for run in runs}) == len(runs)
        epochs = {run.id if unique else name: run.epochs() for name, run in zip(names, runs, strict=True)}
        written = charts.save(charts.learning_curves(epochs, metric=metric), chart, overwrite=overwrite)
    if common.json:
        print_json(found.to_dicts())
    else:
        comparison_table(found)
        if written:
            print("written: " + ", ".join(map(str, written)))


def list_recipes(*, common: Shared = COMMON) -> None:
    """List the recipes with their measured accuracy."""
    from jaxquard import recipes
    from jaxquard.cli.display import recipe_table

    found = [recipes.find(name) for name in recipes.names()]
    if common.json:
        print_json(
            [{"name": r.name, "purpose": r.purpose, "config": r.config.to_dict(), "result": r.result} for r in found]
        )
    else:
        recipe_table(found)


def data(
    dataset: Annotated[
        str | None,
        Parameter(help="Fetch this known data set, or read the one at this path, and describe it (default: list all)."),
    ] = None,
    /,
    *,
    reading: Annotated[Reading, Parameter(name="*")] = READING,  # type: ignore[valid-type]  # a class made at run time
    skip_damaged: SkipDamaged = False,
    sheet: Annotated[Path | None, Parameter(help="Draw images of each class: a .png, .svg or .html file.")] = None,
    overwrite: Annotated[bool, Parameter(negative="", help="Replace the sheet if it exists.")] = False,
    source: Sourced = SOURCE,
    common: Shared = COMMON,
) -> None:
    """List the data sets and where they are, or fetch and check one."""
    from jaxquard import charts
    from jaxquard.cli.display import dataset_table, status_table
    from jaxquard.data import catalogue, load, status

    if sheet:
        charts.need_renderer()
        charts.paths_of(sheet, overwrite=overwrite)
    if dataset is None:
        found = status(source.data_dir)
        rows = [{k: v if isinstance(v, int) else str(v) for k, v in vars(one).items()} for one in found]
        print_json(rows) if common.json else status_table(found)
        return
    options = {name: value for name, value in vars(reading).items() if value is not None} | data_options(source, common)
    loaded, known = load(dataset, skip_damaged=skip_damaged, **options), catalogue.find(dataset)
    facts = {
        "name": loaded.name,
        "licence": known and (known.licence.upper() or "none stated by its authors"),
        "train": len(loaded.train_images),
        "validation": len(loaded.val_images),
        "test": len(loaded.test_images),
        "image_shape": list(loaded.image_shape),
        "classes": list(loaded.class_names),
        "counts": loaded.counts,
        "source": loaded.source,
        "notes": list(loaded.notes),
        "sha256": loaded.sha256,
    }
    print_json(facts) if common.json else dataset_table(facts)
    if sheet:
        for path in charts.save(loaded.sheet(), sheet, overwrite=overwrite):
            say(f"written: {path}")


def export(
    model: Annotated[str, Parameter(help=MODEL)],
    /,
    *,
    to: Annotated[str, Parameter(help="; ".join(f"{name}: {form.purpose}" for name, form in FORMATS.items()) + ".")],
    out: Annotated[Path | None, Parameter(help="The file or folder to write (default: named like the model).")] = None,
    overwrite: Annotated[
        bool, Parameter(negative="", help="Replace it if it exists; a folder, only if it holds no other file.")
    ] = False,
    licence: Annotated[
        str | None, Parameter(help="huggingface only: licence of the data, such as cc-by-4.0 (default: as known).")
    ] = None,
    with_images: Annotated[bool, Parameter(negative="", help="html only: include images of the test set.")] = False,
    source: Sourced = SOURCE,
    common: Shared = COMMON,
) -> None:
    """Write a network, or the journal of a run, for other programs."""
    compilation.keep_compiled_programs()
    from jaxquard import api

    given: dict[str, Any] = {"licence": licence, "with_images": with_images, "runs": common.runs}
    options = data_options(source, common)
    options.pop("progress")
    found = api.export(model, to=to, out=out, overwrite=overwrite, **given, **options)
    if found.note and not common.quiet:
        say(f"note: {found.note}")
    if common.json:
        print_json(vars(found) | {"file": str(found.file)})
    else:
        print(f"written: {visible(str(found.file))}, {found.bytes:,} bytes, SHA-256 {found.sha256}")


def studio(
    *,
    host: Annotated[str, Parameter(help="The address to listen at; any but a loopback address needs a token.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, Parameter(help="The port to listen at (0: any free one).")] = 8765,
    no_open: Annotated[bool, Parameter(negative="", help="Do not open the page in the browser.")] = False,
    source: Sourced = SOURCE,
    common: Shared = COMMON,
) -> None:
    """Open a page in the browser: train, watch, look inside, compare, try your own picture."""
    from importlib.util import find_spec

    if not all(find_spec(name) for name in ("starlette", "uvicorn", "vl_convert")):
        raise JaxquardError(f"the studio needs an extra: {how_to_add('studio')}")
    compilation.keep_compiled_programs()

    from jaxquard.runs.directory import runs_directory
    from jaxquard.studio import Studio
    from jaxquard.studio.server import serve

    described = Studio(runs_directory(common.runs), source.data_dir, source.offline)
    serve(described, host, port, open_page=not no_open, as_json=common.json, quiet=common.quiet)


def doctor(*, source: Sourced = SOURCE, common: Shared = COMMON) -> None:
    """Check the installation, and say how to repair it."""
    compilation.keep_compiled_programs()

    from jaxquard import doctor as checks
    from jaxquard.cli.display import check_table
    from jaxquard.runs.directory import runs_directory

    found = checks.run_checks(source.data_dir, runs_directory(common.runs))
    print_json(checks.as_json(found)) if common.json else check_table(found)
    if not checks.healthy(found):
        raise SystemExit(1)

"""The verbs `lessons` and `lesson`."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from jaxquard import compilation
from jaxquard.cli.options import COMMON, SOURCE, Common, Shared, Sourced, data_options, print_json
from jaxquard.errors import JaxquardError, UsageError
from jaxquard.files import is_writable
from jaxquard.lessons import find, listing
from jaxquard.streams import say

if TYPE_CHECKING:
    from jaxquard.lessons.experiment import ScaleName
    from jaxquard.lessons.lab import Tick
    from jaxquard.lessons.lesson import Lesson


def list_lessons(*, common: Shared = COMMON) -> None:
    """List the lessons: the question of each, and the result of its last full run."""
    found: list[dict[str, Any]] = listing()
    if common.json:
        print_json(found)
        return
    for number, one in enumerate(found, 1):
        took = f", {one['seconds']:.0f} s in full" if one["seconds"] is not None else ""
        print(f"{number:2}  {one['name']}: {one['verdict'] or 'not run in full yet'}{took}\n    {one['question']}")


def lesson(
    name: Annotated[str, Parameter(help="One of those that `jaxquard lessons` lists.")],
    /,
    *,
    predict: Annotated[
        str | None, Parameter(help="Your prediction, a letter (default: asked for in a terminal).")
    ] = None,
    no_predict: Annotated[bool, Parameter(negative="", help="Do not ask for a prediction.")] = False,
    quick: Annotated[bool, Parameter(negative="", help="A few seconds, on part of the data.")] = False,
    full: Annotated[bool, Parameter(negative="", help="More images and seeds, as for the pages in the docs.")] = False,
    out: Annotated[Path | None, Parameter(help="Where results, charts and page go (default: ./lessons/NAME).")] = None,
    overwrite: Annotated[bool, Parameter(negative="", help="Replace what is there.")] = False,
    mine: Annotated[Path | None, Parameter(help="backprop only: check the function in this file.")] = None,
    source: Sourced = SOURCE,
    common: Shared = COMMON,
) -> None:
    """Test a claim: predict, train, and see whether it holds."""
    chosen = find(name)
    if quick and full:
        raise UsageError("--quick and --full: give one of the two")
    if mine is not None:
        _bench(name, mine, common)
        return
    folder = out or Path("lessons") / name
    _check_free(folder, name, overwrite)
    letter = _prediction(chosen, predict, ask=not (no_predict or common.json or common.quiet))
    scale_name: ScaleName = "quick" if quick else "full" if full else "default"

    compilation.keep_compiled_programs()
    from jaxquard import data
    from jaxquard.lessons import page
    from jaxquard.lessons.run import guess, run, shipped

    dataset = data.load("fashion-mnist", **data_options(source, common))
    with _bar(len(chosen.configs(chosen.scales[scale_name])), common.quiet) as tick:
        result = run(name, chosen, scale_name, dataset, tick)
    result["prediction"] = guess(result, chosen, letter) if letter else None
    undrawn = _why_undrawn()
    suffixes = () if undrawn else (".svg", ".png")
    written = page.write(folder, result, chosen, suffixes=suffixes, overwrite=overwrite)
    if undrawn and not common.quiet:
        say(f"note: no chart was drawn: {undrawn}")
    if common.json:
        print_json(result)
    else:
        print(page.summary(result, chosen, (shipped(name) or {}).get("verdict")))
        print("written: " + ", ".join(str(path) for path in written))


def _bench(name: str, mine: Path, common: Common) -> None:
    """Check the learner's own function; exit code 1 if it is wrong."""
    from jaxquard.lessons import bench

    if name != "backprop":
        raise UsageError(f"--mine: {name} checks no function; the lesson backprop does")
    report = bench.check(mine)
    print_json(report) if common.json else print(report["message"])
    if not report["right"]:
        sys.exit(1)


def _why_undrawn() -> str | None:
    """Why no chart can be drawn, or None."""
    from jaxquard.charts import need_renderer

    try:
        need_renderer()
    except JaxquardError as error:
        return str(error)
    return None


def _check_free(folder: Path, name: str, overwrite: bool) -> None:
    """An error before the training if results cannot be written after it."""
    if not is_writable(folder):
        raise JaxquardError(f"{folder}: cannot write there; choose another folder with --out")
    taken = [path for path in folder.glob(f"{name}*") if path.suffix in (".json", ".md", ".svg", ".png")]
    if taken and not overwrite:
        raise UsageError(f"{taken[0]}: already there; choose another folder with --out or add --overwrite")


def _prediction(chosen: "Lesson", given: str | None, ask: bool) -> str | None:
    """The letter given, or asked for on a terminal."""
    if given is None and ask and sys.stdin.isatty() and sys.stderr.isatty():
        print(f"{chosen.question}\n\nThe claim: {chosen.claim}\n\nWhat do you expect?", file=sys.stderr)
        for letter, text in chosen.choices.items():
            print(f"  {letter}  {text}", file=sys.stderr)
        given = _ask(list(chosen.choices))
    if given is None:
        return None
    letter = given.strip().upper()
    if letter not in chosen.choices:
        raise UsageError(f"--predict {given}: choose one of {', '.join(chosen.choices)}")
    return letter


def _ask(letters: list[str]) -> str | None:
    """One of the letters, or None for an empty line."""
    while True:
        print(f"Your prediction ({'/'.join(letters)}, Enter for none): ", end="", file=sys.stderr, flush=True)
        answer = sys.stdin.readline().strip().upper()
        if not answer or answer in letters:
            return answer or None


@contextmanager
def _bar(parts: int, quiet: bool) -> "Iterator[Tick]":
    """A progress bar on a terminal, a line for each part of the experiment elsewhere; nothing if `quiet`."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    seen: dict[str, None] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    live = sys.stderr.isatty() and not quiet
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not live) as progress:
        task = progress.add_task("preparing", total=parts)

        def tick(label: str, done: float) -> None:
            if label not in seen and not live and not quiet:
                say(f"training: {label}")
            seen[label] = None
            progress.update(task, description=label, completed=min(parts, len(seen) - 1 + done))

        yield tick

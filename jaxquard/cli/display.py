"""The terminal output: progress on stderr, small tables on stdout."""

import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from jaxquard.config import SCALARS, Config
from jaxquard.data.catalogue import ARRAYS
from jaxquard.naming import counted, printable, visible
from jaxquard.runs.directory import command
from jaxquard.runs.figures import Figure
from jaxquard.streams import say, writing_to_stderr
from jaxquard.strict_json import plain

if TYPE_CHECKING:
    from jaxquard.data import Dataset, Status
    from jaxquard.doctor import Check
    from jaxquard.recipes import Recipe
    from jaxquard.runs.comparing import Comparison
    from jaxquard.runs.directory import Run
    from jaxquard.runs.evaluating import Evaluations
    from jaxquard.runs.predicting import Predictions
    from jaxquard.runs.results import TrainResult
    from jaxquard.training.evaluation import Evaluation
    from jaxquard.training.fit import Event


def figure(value: Any, *, percent: bool = False, swept: bool = False) -> str:
    """A number, a Figure or its values as text: `87.03 %`; `87.03 ± 0.21 %` for several networks; in a sweep
    `80.90 … 86.41 %`, the lowest and the highest.
    """
    if not isinstance(value, Figure):
        value = Figure(tuple(value) if isinstance(value, list) else (value,))
    sound = [one for one in value.values if one is not None]
    if not sound:
        return "–"
    ends = [min(sound), max(sound)] if swept and len(sound) > 1 else [value.mean, value.std]
    words = [f"{100 * end:.2f}" if percent else f"{end:.4f}" for end in ends if end is not None]
    return (" … " if swept else " ± ").join(words) + (" %" if percent else "")


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, words: Sequence[str] = ()) -> None:
    """A table on stdout. Columns are right-aligned, except the first and those in `words`. Without names, no header."""
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", show_header=any(columns))
    for number, column in enumerate(columns):
        grid.add_column(Text(column), justify="left" if number == 0 or column in words else "right", overflow="fold")
    for row in rows:
        grid.add_row(*(Text(printable(cell)) for cell in row))
    stdout().print(grid)


def stdout() -> Console:
    """The console for results: colours only on a terminal and without NO_COLOR; long lines are not cut in a pipe."""
    return Console(highlight=False, soft_wrap=False, width=None if sys.stdout.isatty() else 160)


class LiveLine:
    """One line on a terminal, overwritten at most five times a second. Nothing if stderr is not a terminal."""

    def __init__(self, first: float = 0.0) -> None:
        self.due, self.begun = first, False  # `first`: the earliest time of a line

    def show(self, text: str, *, last: bool) -> None:
        """Show a new text; the `last` one stays."""
        if sys.stderr.isatty() and (time.monotonic() > self.due or (last and self.begun)):
            self.due, self.begun = time.monotonic() + 0.2, not last
            with writing_to_stderr():
                print(f"\r  {printable(text)}", end="\n" * last, file=sys.stderr, flush=True)


def fetching() -> Callable[[str, int, int | None], None]:
    """A function that shows what is read or downloaded, called with a name, the bytes so far and the bytes in total."""
    line = LiveLine(first=time.monotonic() + 0.2)

    def show(file: str, received: int, total: int | None) -> None:
        of = f" of {total / 1e6:.1f}" if total else ""
        line.show(f"{file}: {received / 1e6:.1f}{of} MB", last=received == total)

    return show


def reading() -> Callable[[int, int], None]:
    """A function that shows how many pictures are read, if that takes longer than 0.2 s."""
    line = LiveLine(first=time.monotonic() + 0.2)
    return lambda read, total: line.show(f"{read:,} of {total:,} pictures", last=read == total)


class TrainingDisplay:
    """Shows one training: a live bar on a terminal, one line for each epoch elsewhere."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet
        self.bar: Progress | None = None
        self.task: Any = None
        self.config = Config()  # until the run begins
        self.seconds = 0.0

    def __enter__(self) -> "TrainingDisplay":
        if sys.stderr.isatty() and not self.quiet:
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self.bar = Progress(*columns, console=Console(stderr=True), transient=True)
            with writing_to_stderr():
                self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar:
            with writing_to_stderr():
                self.bar.stop()
            say("")

    def line(self, text: str) -> None:
        """A line that stays, above the bar if there is one."""
        if self.bar:
            with writing_to_stderr():
                self.bar.console.print(printable(text), highlight=False, markup=False)
        elif not self.quiet:
            say(text)

    def asking(self, teacher: str, done: int, total: int) -> None:
        """Progress of a teacher: `done` of `total` outputs are computed."""
        if not done:
            self.line(f"teacher {teacher}: computing {total:,} outputs")
        if self.bar:
            if self.task is None:
                self.task = self.bar.add_task("teacher", total=total)
            self.bar.update(self.task, completed=done)
            if done == total:
                self.bar.remove_task(self.task)
                self.task = None

    def begin(self, run: "Run", parameters: int, first_step: int, total_steps: int) -> None:
        """The run was made or loaded."""
        self.config = run.config
        if first_step:  # the epoch's time before the run was resumed
            from jaxquard.runs.checkpoint import seconds_into_epoch

            self.seconds = seconds_into_epoch(run.checkpoints)
        self.line(f"run {run.id}: {parameters:,} parameters" + (f", from step {first_step:,}" if first_step else ""))
        if self.bar:
            self.task = self.bar.add_task("compiling", total=total_steps, completed=first_step)

    def event(self, event: "Event") -> None:
        """Show an event of the training."""
        if self.bar and self.task is not None:
            epochs = self.config.epochs
            description = f"epoch {min(event.epoch + 1, epochs)}/{epochs}"
            self.bar.update(self.task, completed=event.step, description=description)
        if event.kind != "compiled":
            self.seconds += event.seconds
        record = event.record or {}
        match event.kind:
            case "epoch":
                self.line(self.epoch_line(event.epoch, record))
                self.seconds = 0.0
            case "diverged" if len(self.config.networks()) > 1:  # for one network the final error says this
                for network, step in zip(record["networks"], record["steps"], strict=True):
                    self.line(f"network {network}: {record['quantity']} not finite at step {step}")
            case "stopped":
                best = ", ".join(map(str, record["best_epoch"]))
                self.line(f"stopped early: the validation loss was best after epoch {best}")

    def epoch_line(self, epoch: int, record: dict[str, Any]) -> str:
        """`epoch  3/20   loss 0.4611   accuracy 83.60 %   validation 84.10 %   0.29 s`; seconds of training steps."""

        parts = [f"epoch {epoch:{len(str(self.config.epochs))}}/{self.config.epochs}"]
        for word, name in (("loss", "train_loss"), ("accuracy", "train_accuracy"), ("validation", "val_accuracy")):
            if name in record:
                percent = name != "train_loss"
                shown = figure(record[name], percent=percent, swept=bool(self.config.sweep))
                parts.append(f"{word} {shown:>{8 if percent else 6}}")
        return "   ".join([*parts, f"{self.seconds:.2f} s"])


def training_table(result: "TrainResult", total_seconds: float, *, best: str = "", where: Sequence[str] = ()) -> None:
    """The result of a training and the next command, with the options `where` the data are. For a sweep, `best` is its
    best network; its ranking has the results.
    """
    seconds, run = result.seconds, result.run
    selected = best if best.startswith(f"{run.id}@") else run.id
    if not run.finished():
        following = run.command("train", "--resume", run.id, *where)
    elif run.config.dataset == ARRAYS:
        following = f"jaxquard.evaluate({os.path.abspath(run.path)!r}, data=(X, y))"
    else:
        following = run.command("evaluate", selected, *where)
    data = "data and teacher" if run.config.teacher else "data"
    parts = f"{seconds.train:.1f} training, {seconds.compile:.1f} compiling, {seconds.data:.1f} {data}"
    figures = [
        ("training loss", figure(result.train_loss)),
        ("test loss", figure(result.test_loss)),
        ("test accuracy", figure(result.test_accuracy, percent=True)),
    ]
    if result.tta:
        figures.append((f"…{result.tta['name']}", figure(result.tta["accuracy"], percent=True)))
    rows = [
        *([] if run.config.sweep else figures),
        ("seconds", parts if result.already_finished else f"{total_seconds:.1f} ({parts})"),
        ("kept in", str(run.path)),
        ("next", following),
    ]
    if result.already_finished:
        print(f"{run.id} had already finished: nothing was trained; these are its results")
    for name, value in rows:
        print(f"{name:15}{visible(value)}")


def ranking_table(rows: Sequence[dict[str, Any]], verdict: str) -> None:
    """A sweep's settings, best first, with the spread over seeds, and the verdict."""
    settings = list(rows[0]["settings"])
    shown = [
        (
            *(f"{row['settings'][name]}" for name in settings),
            figure(row["val_accuracy"], percent=True),
            " ".join(row["networks"]) if len(row["networks"]) < 3 else f"{row['networks'][0]} …",
        )
        for row in rows
    ]
    print()
    table((*settings, "validation accuracy", "networks"), shown, words=("networks",))
    print(verdict)


def evaluation_tables(found: "Evaluations") -> None:
    """The accuracy of a model; for several networks the mean, then a line for each."""
    from jaxquard.runs.models import after

    models, run = found.models, found.models[0].run
    name = models[0].name if len(found) == 1 or not run else f"{run.id} ({len(found)} networks)"
    when = f", {after(models)}" if run else ""
    print(f"{name} on {found.dataset.name}, {found.split} set, {counted(found[0].n, 'image')}{when}")
    swept = bool(run and run.config.sweep)
    shares = (found.accuracy, found.balanced_accuracy, found.macro_f1, found.calibration_error)
    accuracy, balanced, f1, error = (figure(each, percent=True, swept=swept) for each in shares)
    print(f"accuracy {accuracy}   loss {figure(found.loss, swept=swept)}   calibration error {error}")
    print(f"balanced accuracy {balanced}   macro-F1 {f1}\n")
    if len(found) > 1:
        _networks_table(found)
        print(f"\nfor classes and mistakes, name one network, such as {models[0].name}")
    else:
        _classes_table(found)


def _networks_table(found: "Evaluations") -> None:
    names, rows = found.dataset.class_names, []
    for model, one in zip(found.models, found, strict=True):
        true, (guess, count) = max(zip(names, _confusions(one, names), strict=True), key=lambda pair: pair[1][1])
        confused = f"{true} taken for {guess} ({count})" if count else "–"
        rows.append(
            (model.name, str(model.epoch), figure(one.accuracy, percent=True), figure(plain(one.loss)), confused)
        )
    columns = ("network", "epoch", "accuracy", "loss", "most often confused")
    table(columns, rows, words=("most often confused",))


def _classes_table(found: "Evaluations") -> None:
    """Precision, recall and most frequent confusion of each class; the most confident mistakes."""
    (one,), names, rows = found, found.dataset.class_names, []
    for name, *shares, (guess, count) in zip(names, one.precision, one.recall, _confusions(one, names), strict=True):
        precision, recall = (figure(plain(share), percent=True) for share in shares)
        rows.append((name, precision, recall, f"{guess} ({count})" if count else "–"))
    table(("class", "precision", "recall", "most often taken for"), rows)
    if found.split == "test" and len(one.mistakes):
        print("\nmost confident mistakes")
        rows = [_mistake(one, found.dataset, image) for image in one.mistakes[:10]]
        table(("image", "true", "predicted", "confidence"), rows)


def _confusions(found: "Evaluation", class_names: Sequence[str]) -> list[tuple[str, int]]:
    """For each class, the class it is most often mistaken for, and how often."""
    off_diagonal = found.confusion.copy()
    for k in range(len(class_names)):
        off_diagonal[k, k] = 0
    return [(class_names[int(row.argmax())], int(row.max())) for row in off_diagonal]


def _mistake(found: "Evaluation", dataset: "Dataset", image: int) -> tuple[str, ...]:
    guess = int(found.probabilities[image].argmax())
    true = dataset.class_names[int(dataset.test_labels[image])]
    return str(image), true, dataset.class_names[guess], figure(float(found.probabilities[image, guess]), percent=True)


def prediction_table(found: "Predictions") -> None:
    """Each picture that could be read, with its three most probable classes."""
    rows = []
    for one in found:
        most_probable = sorted(one.probabilities.items(), key=lambda item: -item[1])[:3]
        rows += (
            [(visible(one.file), *(f"{label} {100 * p:.1f} %" for label, p in most_probable))] if most_probable else []
        )
    if rows:
        table(("picture", "prediction", *["then"] * (len(rows[0]) - 2)), rows)


def prediction_notes(found: "Predictions") -> None:
    """Notes and warnings on stderr: each once, with its first picture and the number of others."""
    for note in found.notes:
        say(f"note: {note}")
    about: dict[str, list[str]] = {}
    for one in found:
        for line in [*one.notes, *(f"warning: {warning}" for warning in one.warnings)]:
            about.setdefault(line, []).append(one.file)
    for line, (first, *others) in about.items():
        say(f"{visible(first)}{f' and {len(others):,} more' if others else ''}: {line}")


def run_table(documents: Sequence[dict[str, Any]], where: Path) -> None:
    """The runs in a directory, two lines for each, because a name takes half of a terminal."""
    if not documents:
        print(f"no runs in {where} yet: {command('train', runs=where)}")
        return
    table(("", "", "", ""), [row for document in documents for row in _run_rows(document)], words=("",))


def _run_rows(document: dict[str, Any]) -> list[tuple[str, ...]]:
    date = document["started"][:10]
    if "error" in document:
        return [(document["run"], "damaged", "", ""), (f"  {date}", "", "", "")]
    _, validation, test, _ = _figures(document)
    networks = f"×{document['networks']}" if document["networks"] > 1 else ""
    words = (date, os.path.basename(document["dataset"]), document["recipe"], networks)
    finished, asked = document["status"] == "finished", document["epochs_asked"]
    came = counted(document["epochs"], "epoch") if finished else f"{document['epochs']}/{counted(asked, 'epoch')}"
    return [
        (document["run"], document["status"], "val", validation),
        (f"  {'  '.join(filter(None, words))}", came, "test", test),
    ]


def _figures(document: dict[str, Any]) -> tuple[str, ...]:
    swept = "sweep" in document
    accuracies = (figure(document[name], percent=True, swept=swept) for name in ("val_accuracy", "test_accuracy"))
    return str(document["epochs"]), *accuracies, f"{document['seconds']:.1f} s"


def comparison_table(found: "Comparison") -> None:
    """A line for each run, a line for each setting that differs, and the verdict."""
    numbers = range(1, len(found.runs) + 1)
    rows = [(str(number), one.run.id, *_figures(one.figures)) for number, one in zip(numbers, found.runs, strict=True)]
    table(("", "run", "epochs", "validation", "test", "time"), rows, words=("run",))
    values = {name: _by_value(name, found) for name in found.runs[0].settings}
    if differing := [(name, "   ".join(shown)) for name, shown in values.items() if len(shown) > 1]:
        print()
        table(("setting", "value (runs)"), differing, words=("value (runs)",))
    stdout().print(f"\n{found.verdict}", markup=False, soft_wrap=not sys.stdout.isatty())


def _by_value(name: str, found: "Comparison") -> list[str]:
    """`0.1 (1, 3)`, `0.3 (2)`: each value of a setting, to six digits, with the numbers of its runs."""
    runs: dict[str, list[str]] = {}
    for number, one in enumerate(found.runs, 1):
        runs.setdefault(_setting(name, one.settings[name]), []).append(str(number))
    return [f"{value} ({', '.join(numbers)})" for value, numbers in runs.items()]


def _setting(name: str, value: Any) -> str:
    if isinstance(value, list):
        values = [_setting("", one) for one in value]
        return " or ".join(values) if name in SCALARS else "-".join(values) or "none"
    if isinstance(value, float):
        return f"{value:.6g}"
    return "–" if value is None else str(value)


def recipe_table(found: Sequence["Recipe"]) -> None:
    """The recipes, each with its measured accuracy."""
    rows = []
    for recipe in found:
        result = recipe.result or {}
        accuracy = figure(result["test_accuracy"]["values"] if result else None, percent=True)
        parameters = f"{result['parameters']:,}" if result else "–"
        rows.append((recipe.name, accuracy, str(result.get("n", "–")), parameters, recipe.purpose))
    table(("recipe", "test accuracy", "n", "parameters", "purpose"), rows, words=("purpose",))


def status_table(found: Sequence["Status"]) -> None:
    """The known data sets and their folders."""
    rows = [(s.name, s.state, f"{s.size / 1e6:.1f} MB" if s.size else "", s.detail or str(s.folder)) for s in found]
    table(("data set", "state", "size", "where from"), rows, words=("where from",))


def dataset_table(facts: dict[str, Any]) -> None:
    """The facts of one data set."""
    shape = "×".join(map(str, facts["image_shape"]))
    rows = [
        ("training images", f"{facts['train']:,}"),
        *([("validation images", f"{facts['validation']:,}")] if facts["validation"] else []),
        ("test images", f"{facts['test']:,}"),
        ("image", shape),
        ("classes", ", ".join(f"{one} ({n:,})" for one, n in zip(facts["classes"], facts["counts"], strict=True))),
        ("source", facts["source"]),
        *([("licence", facts["licence"])] if facts["licence"] else []),
        *(("note", note) for note in facts["notes"]),
    ]
    table((facts["name"], ""), rows, words=("",))


def check_table(checks: Sequence["Check"]) -> None:
    """The checks of `doctor`, with a remedy under each that needs one."""
    marks = {True: "ok", None: "note", False: "WRONG"}
    for check in checks:
        print(f"{marks[check.ok]:5}  {check.name}: {check.detail}")
        if check.remedy and check.ok is not True:
            print(f"       → {check.remedy}")

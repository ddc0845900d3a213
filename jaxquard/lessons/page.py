"""A result as files: JSON, charts, and a Markdown page whose numbers all come from the JSON."""

from pathlib import Path
from textwrap import fill
from typing import Any

from jaxquard.charts import Chart, data_table, save
from jaxquard.lessons.figures import filled, show
from jaxquard.lessons.lesson import Lesson
from jaxquard.lessons.run import Result, facts_of, to_json

RULE = (
    "The rule is the same for every claim. Each row of the table has one figure for each seed (for times: for each "
    "repetition). A row *holds* if the whole 99 % t interval of the mean lies above the margin (“must be above”). It "
    "*does not hold* if the whole interval lies below the margin. Otherwise the verdict of the row is *cannot tell*. "
    "The claim holds if every row holds. The claim does not hold if at least one row does not hold. The interval "
    "covers the variation between seeds, not between images: all networks train and are evaluated on the same images. "
    "In the text, a ± b is a mean and half the width of its 99 % interval."
)
SAID = {"holds": "it holds", "does not hold": "it does not hold", "cannot tell": "cannot tell at this n"}
NO_TEST = "No lesson uses the test set."
CANNOT_TELL = "With {seeds} seeds the figures do not decide the whole claim. More seeds or more images may."


def chart_paths(folder: Path, stem: str, charts: list[Chart], suffix: str = ".svg") -> list[Path]:
    """The files of a lesson's charts: `stem.svg`, or `stem-1.svg`, `stem-2.svg`, … where there are several."""
    numbers = [""] if len(charts) == 1 else [f"-{k}" for k in range(1, len(charts) + 1)]
    return [folder / f"{stem}{number}{suffix}" for number in numbers]


def write(
    folder: Path, result: Result, lesson: Lesson, *, suffixes: tuple[str, ...] = (".svg", ".png"), overwrite: bool
) -> list[Path]:
    """Write NAME.json, NAME.svg, NAME.png and NAME.md into `folder`; the paths written. Raises JaxquardError.

    Without `suffixes` no chart is drawn, and the page has only the charts' figures.
    """
    from jaxquard.files import explained, write_atomically

    name = result["lesson"]
    charts = lesson.draw(result["measured"])
    with explained(folder, "write"):
        folder.mkdir(parents=True, exist_ok=True)
    pictures = [path.name for path in chart_paths(folder, name, charts)] if suffixes else []
    page = markdown(result, lesson, charts, pictures)
    written = {folder / f"{name}.json": to_json(result), folder / f"{name}.md": page.encode()}
    for path, content in written.items():
        write_atomically(path, content)
    drawn = [path for suffix in suffixes for path in chart_paths(folder, name, charts, suffix)]
    for path, chart in zip(drawn, charts * len(suffixes), strict=True):
        save(chart, path, overwrite=overwrite)
    return [*written, *drawn]


def markdown(result: Result, lesson: Lesson, charts: list[Chart], pictures: list[str], footer: str = "") -> str:
    """The page: question, claim, method, charts with their figures, verdict, what to take home and what to try.

    `pictures` are the files of the charts, if they were drawn.
    """
    facts = facts_of(result)
    parts = [
        f"# {result['question']}",
        f"> **The claim.** {result['claim']}\n>\n> — {result['source']}",
        filled(lesson.background, facts),
        "## What was done",
        filled(lesson.method, facts),
        amount(result, lesson),
        "## What came out",
        *(figure(chart, picture) for chart, picture in zip(charts, pictures or [None] * len(charts), strict=True)),
        f"## The verdict: {SAID[result['verdict']]}",
        verdict_table(result["comparisons"]),
        RULE,
        result["note"],
        _prediction(result),
        "## What to take home",
        home(result, lesson),
        "## What to try",
        filled(lesson.try_next, facts),
        "---",
        provenance(result),
        footer,
    ]
    return "\n\n".join(part.strip() for part in parts if part.strip()) + "\n"


def home(result: Result, lesson: Lesson) -> str:
    """What to take home: what follows from the verdict, and the figures."""
    return filled(f"{lesson.take_home.get(result['verdict'], CANNOT_TELL)}\n{lesson.results}", facts_of(result))


def amount(result: Result, lesson: Lesson) -> str:
    """How many images and seeds were used."""
    scale, data = result["scale"], result["environment"]["dataset"]
    part = "" if scale["train"] + scale["validation"] >= data["train"] else f" of {data['train']:,}"
    seeds = f"{scale['seeds']} seeds, each with its own initial weights and its own order of images"
    where = "" if scale["name"] == "full" else f" This is the *{scale['name']}* run; `--full` uses more."
    if lesson.amount:
        return f"{filled(lesson.amount, facts_of(result))}{where} {NO_TEST}"
    held_out = f"evaluated on {scale['validation']:,} held-out images"
    return f"{scale['train']:,}{part} training images of {data['name']}, {held_out}; {seeds}.{where} {NO_TEST}"


def figure(chart: Chart, picture: str | None) -> str:
    """A chart with its alternative text, and its figures beneath; without a picture, text and figures alone."""
    words = chart.description.replace("[", "(").replace("]", ")").replace("\n", " ")
    table = data_table(chart)
    if picture is None:
        return f"**{chart.title}** {words}\n\n{table}"
    return f"![{words}]({picture})\n\n<details><summary>The figures</summary>\n\n{table}\n</details>"


def verdict_table(comparisons: list[dict[str, Any]]) -> str:
    """Each part of the claim with its mean, interval and verdict."""
    lines = ["| what | mean | 99 % interval | must be above | n | verdict |", "| --- | --: | :-: | --: | --: | --- |"]
    for part in comparisons:
        mean, low, high, margin = (show(part[key]) for key in ("mean", "low", "high", "margin"))
        what = f"{part['what']} ({part['unit']})" if part["unit"] else part["what"]
        lines.append(f"| {what} | {mean} | {low} to {high} | {margin} | {part['n']} | {part['verdict']} |")
    return "\n".join(lines)


def _prediction(result: Result) -> str:
    if not (made := result.get("prediction")):
        return ""
    how = {True: "right", False: "wrong", None: "neither right nor wrong: the figures cannot tell"}[made["right"]]
    return f"You predicted {made['choice']}: {made['text']} That was {how}."


def provenance(result: Result) -> str:
    """The command that made the figures, the time it took, and the machine."""
    made = result["environment"]
    flag = "" if result["scale"]["name"] == "default" else f" --{result['scale']['name']}"
    return (
        f"`jaxquard lesson {result['lesson']}{flag}` took {result['seconds']:.0f} s on {made['threads']} threads of "
        f"{made['processor']} (jax {made['jax']}, Python {made['python']})."
    )


def summary(result: Result, lesson: Lesson, in_full: str | None = None) -> str:
    """Claim, figures, verdict and what to take home, for a terminal; `in_full` is the full run's verdict."""
    lines = [result["question"], "", f"The claim: {result['claim']}", ""]
    for part in result["comparisons"]:
        mean, low, high, margin = (show(part[key]) for key in ("mean", "low", "high", "margin"))
        measured = f"{mean} {part['unit']}".rstrip()
        lines.append(f"  {part['what']}: {measured}, 99 % interval {low} to {high} (n = {part['n']})")
        lines.append(f"    must be above {margin}: {part['verdict']}")
    lines += ["", *filter(None, [f"The verdict: {SAID[result['verdict']]}.", _prediction(result)])]
    ending = home(result, lesson)
    if in_full and result["scale"]["name"] != "full":
        ending += f"\n\nThis was the {result['scale']['name']} run. With `--full`: {SAID[in_full]}."
    return "\n\n".join(["\n".join(lines), *(fill(paragraph, 100) for paragraph in ending.split("\n\n"))])

"""`make lessons`: writes all of docs/lessons/ from `--full` runs.

A lesson is trained again only if its definition changed. A long run can be interrupted and continued, and a changed
text costs no training.
"""

import json
import sys
from pathlib import Path

from jaxquard.charts import save
from jaxquard.files import remove
from jaxquard.lessons import NAMES, find
from jaxquard.lessons.page import SAID, chart_paths, markdown
from jaxquard.lessons.run import Result, definition, run, to_json, with_verdict

RESULTS = Path(__file__).parent / "results"
DOCS = Path(__file__).parents[2] / "docs" / "lessons"
INTRODUCTION = """# Lessons: claims put to the test

Each page tests one claim about training neural networks. The claims come from Michael Nielsen's *Neural Networks and
Deep Learning* or from [the original README](../ORIGINAL.md). Each test trains several networks for each side on
Fashion-MNIST and shows the figures with error bars. One rule decides all tests: a claim holds, does not hold, or cannot
be decided by these seeds. A claim of several parts holds only if every part holds; its page names the parts that fail.
The pages are in reading order.

`jaxquard lesson NAME` asks for your prediction, then runs a lesson on part of the data in at most two minutes. `--full`
repeats the run shown here. Charts need `pip install "jaxquard[charts]"`.
"""


def main() -> None:
    """Train what is missing, then write every page."""
    RESULTS.mkdir(exist_ok=True)
    bind([full_result(name) for name in NAMES], DOCS)


def full_result(name: str) -> Result:
    """The `--full` result of a lesson: the stored one if the definition has not changed, else a new one."""
    from jaxquard import data

    lesson = find(name)
    file = RESULTS / f"{name}.json"
    if file.is_file():
        kept = json.loads(file.read_text(encoding="utf-8"))
        if kept["definition"] == definition(lesson, "full"):
            return with_verdict(lesson, kept)
    print(f"{name}: training", file=sys.stderr, flush=True)
    result = run(name, lesson, "full", data.load("fashion-mnist"))
    file.write_bytes(to_json(result))
    print(f"   {result['seconds']:.0f} s: {SAID[result['verdict']]}", file=sys.stderr, flush=True)
    return result


def bind(results: list[Result], folder: Path) -> None:
    """Write these results' pages, their charts and a table of contents; remove all other pages and charts."""
    folder.mkdir(parents=True, exist_ok=True)
    stems = [result["lesson"] for result in results]
    written = [folder / "README.md"]
    written[0].write_text(contents(results), encoding="utf-8")
    for k, (result, stem) in enumerate(zip(results, stems, strict=True)):
        lesson = find(result["lesson"])
        charts = lesson.draw(result["measured"])
        pictures = chart_paths(folder, stem, charts)
        for chart, picture in zip(charts, pictures, strict=True):
            save(chart, picture, overwrite=True)
        page = markdown(result, lesson, charts, [picture.name for picture in pictures], _links(stems, k))
        (folder / f"{stem}.md").write_text(page, encoding="utf-8")
        written += [folder / f"{stem}.md", *pictures]
    for old in {*folder.glob("*.md"), *folder.glob("*.svg")} - set(written):
        remove(old)


def contents(results: list[Result]) -> str:
    """The first page: every question, claim and verdict."""
    counts = [f"{said}: {n}" for verdict, said in SAID.items() if (n := [r["verdict"] for r in results].count(verdict))]
    rows = [
        f"| {number} | [{r['question']}]({r['lesson']}.md) | {r['claim']} | {SAID[r['verdict']]} |"
        for number, r in enumerate(results, 1)
    ]
    head = "| | question | claim | verdict |\n| --: | --- | --- | --- |"
    return "\n".join([INTRODUCTION, f"Of {len(results)} claims: {', '.join(counts)}.\n", head, *rows]) + "\n"


def _links(stems: list[str], k: int) -> str:
    before = [f"[← before]({stems[k - 1]}.md)"] if k else []
    after = [f"[next →]({stems[k + 1]}.md)"] if k + 1 < len(stems) else []
    return " · ".join([*before, "[all lessons](README.md)", *after])


if __name__ == "__main__":
    main()

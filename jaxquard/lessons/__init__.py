"""Claims put to the test: one file a lesson, each with a question, an experiment, a rule fixed before, and a verdict.

How to write one. A lesson is a module in claims/ with four functions and `ABOUT = About(...)`; see `lesson.py` and
`claims/baselines.py`. The functions:

- `configs(scale) -> {label: Config}`: the experiment. `Config(seeds=scale.seeds, …)` is one batched run; with `sweep`
  it becomes an arm for each value, called `label learning_rate=0.1`.
- `measure(lab, configs) -> {…}`: plain data. The default trains everything (`train_all`). `lab.train(label, config)`
  trains and returns arms (held-out accuracy and loss by seed and epoch, seconds by epoch); `lab.look(label, config,
  inspect)` calls `inspect(model, params, state, images, labels)` on every network. Imports of jax go inside functions.
- `conclude(measured) -> Finding(comparisons, answer, facts)`: pure. `above(what, first - second, margin)` is one part
  of the claim; `tuned` gives each side its own best setting; `best` and `bracket` find the right choice (None: cannot
  tell). `facts` are strings for the text. Row k of every figure belongs to seed k, so differences are paired.
- `draw(measured) -> [Chart]`: pure; `figures.curves` and `figures.dots` draw the verdict's own interval. A title says
  what the chart shows.

And in `ABOUT`:

- `question`, `claim`, `source`: in your own words; the source is Nielsen's chapter and section, or the original README
  (docs/ORIGINAL.md).
- `choices`: what a learner may predict, `{"A": "…", "B": "…"}`.
- `scales`: `scales(epochs=…)` for the usual quick, default (≤ 2 min on 2 cores) and full.
- `background`, `method`, `results`, `take_home` (by verdict), `try_next`: Markdown. Numbers that depend on the run are
  written `{name}`, and `conclude` supplies them.

Then add its name to NAMES, which is the order of the book. `verdict.py` has the rule, `run.py` runs a lesson,
`page.py` writes JSON, charts and page, `book.py` writes docs/lessons from `--full` runs.
"""

import importlib
from typing import TYPE_CHECKING

from jaxquard.errors import UsageError
from jaxquard.naming import suggestion

if TYPE_CHECKING:
    from jaxquard.lessons.lesson import Lesson

NAMES = (
    "baselines",
    "backprop",
    "initialization",
    "slowdown",
    "activations",
    "vanishing-gradients",
    "learning-rate",
    "batch-size",
    "epochs",
    "overfitting",
    "optimizers",
    "schedules",
    "depth-and-width",
    "convolution",
    "compiler",
    "keys",
    "calibration",
    "seeds",
)


def find(name: str) -> "Lesson":
    """A lesson by name; UsageError, with the nearest name, if there is none."""
    if name not in NAMES:
        raise UsageError(f"{name!r} is not one of the lessons {', '.join(NAMES)}{suggestion(name, list(NAMES))}")
    from jaxquard.lessons.lesson import Lesson

    module = vars(importlib.import_module(f"jaxquard.lessons.claims.{name.replace('-', '_')}"))
    parts = {part: module[part] for part in ("configs", "measure", "conclude", "draw") if part in module}
    return Lesson(**vars(module["ABOUT"]), **parts)


def listing() -> list[dict[str, object]]:
    """Every lesson with its question, and the seconds and verdict of its `--full` run (None: not run yet)."""
    from jaxquard.lessons.run import shipped

    found = []
    for name in NAMES:
        lesson = find(name)
        result = shipped(name) or {}
        stated = {"name": name, "question": lesson.question, "claim": lesson.claim, "source": lesson.source}
        found.append(stated | {"seconds": result.get("seconds"), "verdict": result.get("verdict")})
    return found

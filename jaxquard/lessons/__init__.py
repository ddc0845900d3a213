"""Claims put to the test: one file a lesson, each with a question, an experiment, a rule fixed before, a verdict.

How to write one. A lesson is a module in claims/ that binds `LESSON = Lesson(...)`; see `lesson.py` and
`claims/baselines.py`:

- `question`, `claim`, `source`: in your own words; the source is Nielsen's chapter and section, or the original README
  (docs/ORIGINAL.md).
- `choices`: what a learner may predict, `{"A": "…", "B": "…"}`.
- `scales`: `scales(epochs=…)` for the usual quick, default (≤ 2 min on 2 cores) and full.
- `configs(scale) -> {label: Config}`: the experiment. `Config(seeds=scale.seeds, …)` is one batched run; with `sweep`
  it becomes an arm for each value, called `label learning_rate=0.1`.
- `measure(lab, configs) -> {…}`: plain data. The default trains everything (`train_all`). `lab.train(label, config)`
  trains and returns arms (held-out accuracy and loss by seed and epoch, seconds by epoch); `lab.look(label, config,
  inspect)` calls `inspect(model, params, state, images, labels)` on every network. Imports of jax go inside functions.
- `judge(measured) -> Finding(comparisons, answer, facts)`: pure. `above(what, first - second, margin)` is one part of
  the claim; `tuned` picks each side's own best setting fairly; `best` and `bracket` find the choice that was right
  (None: cannot tell). `facts` are strings for the words; seeds are rows everywhere, so differences are paired.
- `draw(measured) -> [Chart]`: pure; `figures.point` and `figures.dot` make rows with the verdict's own interval.
  Titles say what is shown, not what was hoped for.
- `background`, `method`, `take_home` (by verdict), `try_next`: Markdown. No number stands in them that depends on the
  run: put `{name}` and let `judge` supply it.

Then add its name to NAMES, which is the order of the book. `verdict.py` has the rule, `run.py` carries a lesson out,
`page.py` writes JSON, charts and page, `book.py` makes docs/lessons from `--full` runs.
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
        raise UsageError(f"{name!r} is none of the lessons {', '.join(NAMES)}{suggestion(name, list(NAMES))}")
    module = importlib.import_module(f"jaxquard.lessons.claims.{name.replace('-', '_')}")
    return module.LESSON


def listing() -> list[dict[str, object]]:
    """Every lesson with its question, and how long its `--full` run took and what came out (None: not run yet)."""
    from jaxquard.lessons.run import shipped

    found = []
    for name in NAMES:
        lesson = find(name)
        result = shipped(name) or {}
        stated = {"name": name, "question": lesson.question, "claim": lesson.claim, "source": lesson.source}
        found.append(stated | {"seconds": result.get("seconds"), "verdict": result.get("verdict")})
    return found

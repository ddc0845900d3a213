"""A lesson: a question, a claim, an experiment, a rule, charts and text. Imports no jax."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jaxquard.charts import Chart
from jaxquard.config import Config
from jaxquard.lessons.experiment import Scale, ScaleName
from jaxquard.lessons.verdict import Comparison, Verdict, all_of

if TYPE_CHECKING:
    from jaxquard.lessons.lab import Lab as Lab
else:
    Lab = Any  # importing the laboratory would import jax

Measured = dict[str, Any]


@dataclass(frozen=True)
class Finding:
    """What the figures show: the parts of the claim, the right choice (None: cannot tell), facts for the text, and a
    note of caution where one is needed."""

    comparisons: list[Comparison]
    answer: str | None
    facts: dict[str, str] = field(default_factory=dict)
    note: str = ""

    @property
    def verdict(self) -> Verdict:
        """Of the whole claim."""
        return all_of(part.verdict for part in self.comparisons)


def train_all(lab: Lab, configs: dict[str, Config], *, watch: bool = True) -> Measured:
    """The usual measurement: train every config, and keep every epoch."""
    return {k: arm for label, config in configs.items() for k, arm in lab.train(label, config, watch=watch).items()}


@dataclass(frozen=True, kw_only=True)
class About:
    """The texts and the sizes of a lesson; the package's docstring says how to write one.

    In the texts, {braces} stand for facts that `conclude` found, or fields of the scale. `results` reports the figures
    whatever the verdict, `take_home` what follows from each verdict. `amount` says what was used where networks are not
    evaluated on held-out images.
    """

    question: str
    claim: str
    source: str
    choices: Mapping[str, str]
    scales: Mapping[ScaleName, Scale]
    background: str
    method: str
    take_home: Mapping[Verdict, str]
    results: str = ""
    try_next: str
    amount: str = ""


@dataclass(frozen=True, kw_only=True)
class Lesson(About):
    """One claim and its test.

    `configs` describes the experiment at a scale; `measure` runs it and returns plain data; `conclude` and `draw` read
    that data alone.
    """

    configs: Callable[[Scale], dict[str, Config]]
    conclude: Callable[[Measured], Finding]
    draw: Callable[[Measured], list[Chart]]
    measure: Callable[[Lab, dict[str, Config]], Measured] = train_all

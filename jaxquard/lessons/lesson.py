"""What a lesson is: a question, a claim, an experiment, a rule, a chart and some words. Imports no jax."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxquard.charts import Chart
from jaxquard.config import Config
from jaxquard.lessons.experiment import Scale, ScaleName
from jaxquard.lessons.verdict import Comparison, Verdict, all_of

if TYPE_CHECKING:
    from jaxquard.lessons.lab import Lab

Measured = dict[str, Any]


@dataclass(frozen=True)
class Finding:
    """What the figures say: the claim's parts, the choice that was right (None: cannot tell), numbers for the text,
    and, where there is something to beware of, a sentence about it."""

    comparisons: list[Comparison]
    answer: str | None
    facts: dict[str, str] = field(default_factory=dict)
    note: str = ""

    @property
    def verdict(self) -> Verdict:
        """On the claim as a whole."""
        return all_of(part.verdict for part in self.comparisons)


def train_all(lab: "Lab", configs: dict[str, Config]) -> Measured:
    """The usual measurement: train every config, note every epoch."""
    return {name: arm for label, config in configs.items() for name, arm in lab.train(label, config).items()}


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """One claim and how it is put to the test; see the package's docstring for how to write one.

    `configs` describes the experiment at a scale; `measure` carries it out and returns plain data; `judge` and `draw`
    see nothing but that data. In the texts, {braces} stand for facts that `judge` found, or fields of the scale.
    `amount` says what was used, where that is not training images judged by held-out ones.
    """

    question: str
    claim: str
    source: str
    choices: Mapping[str, str]
    scales: Mapping[ScaleName, Scale]
    configs: Callable[[Scale], dict[str, Config]]
    judge: Callable[[Measured], Finding]
    draw: Callable[[Measured], list[Chart]]
    background: str
    method: str
    take_home: Mapping[Verdict, str]
    try_next: str
    amount: str = ""
    measure: Callable[["Lab", dict[str, Config]], Measured] = train_all
    bench: Callable[[Path], dict[str, Any]] | None = None

"""Lesson: does one run of each tell which of two recipes is better?"""

import math
from typing import TYPE_CHECKING

import numpy as np

from jaxquard.charts import Chart, dot_plot, lines
from jaxquard.config import Config
from jaxquard.lessons.experiment import Scale, final
from jaxquard.lessons.figures import BAR, dot, show, spread
from jaxquard.lessons.lesson import Finding, Lesson, Measured
from jaxquard.lessons.verdict import above, bracket

if TYPE_CHECKING:
    from jaxquard.lessons.lab import Lab

GAP = 0.3  # points
ASKED = 95.0  # %: as often as a single run should be right
RECIPES = {"128–64": (128, 64), "80–40": (80, 40)}
RUNS = (1, 3, 10, 30)  # of each recipe
GAPS = np.linspace(0, 2, 21)[1:]


def configs(scale: Scale) -> dict[str, Config]:
    """Two recipes that differ a little: the original network, and one with fewer hidden units."""
    shared = Config(seeds=scale.seeds, epochs=scale.epochs, learning_rate=0.1)
    return {name: shared.replace(hidden=hidden) for name, hidden in RECIPES.items()}


def measure(lab: "Lab", configs: dict[str, Config]) -> Measured:
    return {
        name: arm for label, config in configs.items() for name, arm in lab.train(label, config, watch=False).items()
    }


def wrong_winners(measured: Measured) -> np.ndarray:
    """In how many % of pairs, a run of one recipe and a run of the other under another seed, the worse recipe wins.

    The worse one is the one that is worse on average; a tie is half a win. Every seed is in many pairs, so what is
    returned are the jackknife's pseudo-values, one a seed (Tukey, 1958): their mean is the share over all pairs, and
    their spread is approximately the jackknife's measure of how certain it is.
    """
    first, second = (final(measured[name]) for name in RECIPES)
    if first.mean() > second.mean():
        first, second = second, first
    wins = 50 * (1 + np.sign(first[:, None] - second))
    both = (wins + wins.T) / 2
    shares = (both.sum(axis=1) - both.diagonal()) / (len(both) - 1)
    return 2 * shares - shares.mean()


def noise(measured: Measured) -> float:
    """The standard deviation between seeds, in points, of both recipes together."""
    return math.sqrt(np.mean([final(measured[name]).var(ddof=1) for name in RECIPES]))


def chance_of_wrong(gap: float, std: float, runs: int) -> float:
    """In %: Φ(-gap / (std·√(2/runs))), how often the worse recipe has the better mean if the noise is normal."""
    return 50 * math.erfc(gap * math.sqrt(runs) / (2 * std)) if std else 0.0


def runs_needed(gap: float, std: float) -> int:
    """Runs of each recipe after which the wrong one wins in one case of a hundred."""
    return max(1, math.ceil(2 * (2.3263 * std / gap) ** 2))


def judge(measured: Measured) -> Finding:
    wrong, std = wrong_winners(measured), noise(measured)
    first, second = (final(measured[name]) for name in RECIPES)
    part = above("how often single runs pick the right winner", 100 - wrong, ASKED, "%")
    facts = {
        "first": spread(first, 2),
        "second": spread(second, 2),
        "difference": spread(first - second, 2),
        "std": show(std),
        "wrong": spread(wrong, 0),
        "expected": show(chance_of_wrong(GAP, std, 1), 0),
        "ten": show(chance_of_wrong(GAP, std, 10), 0),
        "needed": f"{runs_needed(GAP, std):,}",
    }
    return Finding([part], bracket(wrong, (5, 20, 40), "ABCD"), facts)


def draw(measured: Measured) -> list[Chart]:
    return [_recipes_chart(measured), _chances_chart(noise(measured))]


def _recipes_chart(measured: Measured) -> Chart:
    rows = [dot(final(measured[name]), name) for name in RECIPES]
    title = "Two recipes, each trained under many seeds"
    return dot_plot(rows, title=title, x_title="held-out accuracy (%)", interval=BAR, digits=2)


def _chances_chart(std: float) -> Chart:
    x, y = "true difference (points)", "the worse recipe wins (%)"
    rows = [
        {x: float(gap), y: chance_of_wrong(float(gap), std, runs), "runs": f"{runs} run{'s' * (runs > 1)} of each"}
        for runs in RUNS
        for gap in GAPS
    ]
    said = f"If the noise is normal, with the measured {show(std)} points between seeds."
    return lines(rows, x, y, series="runs", title="How often the wrong recipe wins", subtitle=said)


LESSON = Lesson(
    question="Why convince yourself with seeds?",
    claim="One run of each shows which of two recipes is better, even when they differ by only some tenths of a point.",
    source=(
        "how results are usually reported: the original README gives one run, 85.9 %; "
        "Nielsen, chapter 3, one run a figure"
    ),
    choices={
        "A": "Single runs pick the wrong winner less often than once in twenty times.",
        "B": "They do so in 5 to 20 % of cases.",
        "C": "They do so in 20 to 40 % of cases.",
        "D": "They do so in more than 40 %: one might as well toss a coin.",
    },
    scales={
        "quick": Scale(train=1_000, validation=1_000, epochs=10, seeds=20),
        "default": Scale(train=10_000, validation=5_000, epochs=10, seeds=40),
        "full": Scale(train=20_000, validation=10_000, epochs=10, seeds=80),
    },
    configs=configs,
    measure=measure,
    judge=judge,
    draw=draw,
    background="""
Train the same recipe twice with different seeds and you get two accuracies. The weights began elsewhere, the images
came in another order, and the paths parted. So one run tells about the recipe *and* about its seed, and nobody can say
how much of each. A table of single runs, sorted by accuracy, is in part a table of luck; and whoever tries twenty
ideas once each and keeps the best has, most of all, selected for luck.
""",
    method="""
Two recipes that differ by some tenths of a point, hidden layers of 128 and 64 units or of 80 and 40, train under
{seeds} seeds each: plain SGD for {epochs} epochs at a constant rate of 0.1, which is high: at lower rates, and with
more images and epochs, seeds differ less. Then every run of the one is put beside every run of the other with an unlike
seed, as when two people report one run each, and we count how often the winner is not the recipe that is better on
average. The claim holds if single runs are right in more than 95 % of cases. From the measured noise follows how it
would be at a difference of exactly 0.3 points.
""",
    take_home={
        "does not hold": """
Between seeds the accuracy varies with a standard deviation of {std} points. The two recipes reach {first} % and
{second} % and differ on average by {difference} points, but a single run of each picks the wrong one in {wrong} % of
cases; at a difference of exactly 0.3, noise of this size does it in {expected} %. Ten runs of each bring that down to
{ten} %; to be wrong only once in a hundred takes {needed} runs of each. A difference without the number of seeds behind
it says little.
""",
        "holds": """
Here it does: seeds differ by only {std} points (standard deviation), the recipes ({first} % and {second} %) on average
by {difference}, and single runs pick the wrong one in {wrong} % of cases. At a difference of exactly 0.3 points it
would be {expected} %, and {needed} runs of each bring it below one in a hundred.
""",
        "cannot tell": """
Single runs picked the wrong recipe in {wrong} % of cases, which {seeds} seeds of each do not separate from one in
twenty. From the spread between seeds, {std} points, one would expect {expected} % at a difference of 0.3.
""",
    },
    try_next="""
`jaxquard train --seeds 10` trains ten seeds in one run and reports mean and standard deviation. Take two ideas of
yours, run each under one seed, write down the winner; then run each under ten. How often would you have been wrong?
""",
)

"""Lesson: does one run of each show which of two recipes is better?"""

import math

import numpy as np

from jaxquard.charts import Chart, lines
from jaxquard.config import Config
from jaxquard.lessons.experiment import Scale, final, scales
from jaxquard.lessons.figures import dots, show, spread
from jaxquard.lessons.lesson import About, Finding, Lab, Measured, train_all
from jaxquard.lessons.verdict import above, bracket

GAP = 0.3  # points
ASKED = 95.0  # %: how often a single run should be right
RECIPES = {"128–64": (128, 64), "80–40": (80, 40)}
RUNS = (1, 3, 10, 30)  # of each recipe
GAPS = np.linspace(0, 2, 21)[1:]


def configs(scale: Scale) -> dict[str, Config]:
    """Two recipes that differ a little: the original network, and one with fewer hidden units."""
    shared = Config(seeds=scale.seeds, epochs=scale.epochs, learning_rate=0.1)
    return {name: shared.replace(hidden=hidden) for name, hidden in RECIPES.items()}


def measure(lab: Lab, configs: dict[str, Config]) -> Measured:
    return train_all(lab, configs, watch=False)


def wrong_winners(measured: Measured) -> np.ndarray:
    """In how many % of pairs (a run of one recipe, a run of the other with another seed) the worse recipe wins.

    The worse recipe is worse on average; a tie is half a win. Every seed is in many pairs, so the result is the
    jackknife's pseudo-values, one a seed (Tukey, 1958): their mean is the share over all pairs, and their spread is
    approximately the jackknife's measure of its uncertainty.
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
    """Runs of each recipe for which the wrong one wins in one case of a hundred."""
    return max(1, math.ceil(2 * (2.3263 * std / gap) ** 2))


def conclude(measured: Measured) -> Finding:
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
    std, x, y = noise(measured), "true difference (points)", "the worse recipe wins (%)"
    rows = [
        {x: float(gap), y: chance_of_wrong(float(gap), std, runs), "runs": f"{runs} run{'s' * (runs > 1)} of each"}
        for runs in RUNS
        for gap in GAPS
    ]
    said = f"For normal noise with the measured {show(std)} points between seeds."
    return [
        dots("Two recipes, each trained with many seeds", {name: final(measured[name]) for name in RECIPES}, digits=2),
        lines(rows, x, y, series="runs", title="How often the worse recipe wins", subtitle=said),
    ]


ABOUT = About(
    question="Why train with several seeds?",
    claim="One run of each shows which of two recipes is better, even when they differ by only some tenths of a point.",
    source=(
        "how results are usually reported: the original README has the result of one run, 85.9 %; "
        "Nielsen, chapter 3, shows one run in each figure"
    ),
    choices={
        "A": "Single runs pick the wrong winner less often than once in twenty times.",
        "B": "They do so in 5 to 20 % of cases.",
        "C": "They do so in 20 to 40 % of cases.",
        "D": "They do so in more than 40 %, almost as often as a coin.",
    },
    scales=scales(epochs=10, quick=10, images=20_000, seeds=(20, 40, 80)),
    background="""
Two trainings of the same recipe with different seeds give two accuracies. The initial weights are different, and so is
the order of the images. So the result of one run depends on the recipe *and* on its seed, and one run does not show how
much on each. A ranking of single runs is in part a ranking of luck. If twenty ideas are tried once each, the best
result may only be the luckiest.
""",
    method="""
Two recipes that differ by some tenths of a point, hidden layers of 128 and 64 units or of 80 and 40, train with {seeds}
seeds each: plain SGD for {epochs} epochs at a constant rate of 0.1, which is high. At lower rates, and with more images
and epochs, seeds differ less. Then every run of one recipe is compared with every run of the other that has a different
seed, as if two people reported one run each. We count how often the winner is not the recipe that is better on average.
The claim holds if single runs are right in more than 95 % of cases. From the measured noise, we also compute how often
a single run would be wrong at a difference of exactly 0.3 points.
""",
    take_home={
        "does not hold": "Single runs are not enough. Report a difference together with the number of seeds.",
        "holds": "Here single runs are enough.",
        "cannot tell": "{seeds} seeds of each recipe do not decide whether single runs are right in 95 % of cases.",
    },
    results="""
Between seeds the accuracy has a standard deviation of {std} points. The two recipes reach {first} % and {second} % and
differ on average by {difference} points. A single run of each picks the wrong one in {wrong} % of cases; at a
difference of exactly 0.3 points, noise of this size would do so in {expected} %, and ten runs of each in {ten} %. To be
wrong only once in a hundred cases takes {needed} runs of each.
""",
    try_next="""
`jaxquard train --seeds 10` trains ten seeds in one run and reports mean and standard deviation. Take two ideas of your
own, run each with one seed, and write down the winner. Then run each with ten. How often would you have been wrong?
""",
)

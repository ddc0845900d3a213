"""Lesson: should the learning rate fall while the network learns?"""

from typing import TYPE_CHECKING

import numpy as np

from jaxquard.charts import Chart, dot_plot, lines
from jaxquard.config import Config
from jaxquard.lessons.experiment import Scale, finals, scales
from jaxquard.lessons.figures import BAND, BAR, by_epoch, dot, spread
from jaxquard.lessons.lesson import Finding, Lesson, Measured, train_all
from jaxquard.lessons.verdict import above, at_an_end, best, tuned

if TYPE_CHECKING:
    from jaxquard.lessons.lab import Lab

RATES = (0.03, 0.1, 0.3, 1.0)
SCHEDULES = {"constant": "A", "step": "B", "cosine": "C", "one_cycle": "D"}
POINTS = 41  # at which a schedule is drawn


def configs(scale: Scale) -> dict[str, Config]:
    """The original network under each schedule, at four peak rates. The step schedule drops twice, to a fifth."""
    shared = Config(seeds=scale.seeds, epochs=scale.epochs, sweep=(("learning_rate", RATES),))
    shared = shared.replace(decay_every=scale.epochs / 3, decay_factor=0.2)
    return {name: shared.replace(schedule=name) for name in SCHEDULES}


def measure(lab: "Lab", configs: dict[str, Config]) -> Measured:
    shapes = {name: _shape(lab, config) for name, config in configs.items()}
    return {"shapes": shapes, **train_all(lab, configs)}


def _shape(lab: "Lab", config: Config) -> list[list[float]]:
    """[epoch, η as a share of its peak] over the whole run."""
    from jaxquard.training.fit import make_run
    from jaxquard.training.steps import make_hyper, make_schedule

    config, data = lab.prepare(config)
    task, _ = make_run(config, data)
    network = config.networks()[0]
    schedule = make_schedule(task, make_hyper(task, network))
    steps = np.linspace(0, config.epochs * task.steps_per_epoch - 1, POINTS).round().astype(np.int32)
    return [[step / task.steps_per_epoch, float(schedule(step)) / network.learning_rate] for step in steps.tolist()]


def accuracies(measured: Measured) -> dict[str, np.ndarray]:
    """Held-out accuracy in % of each schedule, each seed at the peak that was best for the others."""
    return {name: tuned(finals(measured, name)) for name in SCHEDULES}


def judge(measured: Measured) -> Finding:
    found = accuracies(measured)
    falling = [name for name in SCHEDULES if name != "constant"]
    parts = [
        above(f"{spoken(name)} less constant, each at its own best peak", found[name] - found["constant"], 0)
        for name in falling
    ]
    facts = {name: spread(values) for name, values in found.items()}
    facts |= {f"{name}_gain": spread(found[name] - found["constant"]) for name in falling}
    facts |= {f"{name}_peak": f"{RATES[finals(measured, name).mean(axis=1).argmax()]:g}" for name in SCHEDULES}
    winner = best(found)
    note = at_an_end({spoken(name): finals(measured, name) for name in SCHEDULES})
    return Finding(parts, SCHEDULES[winner] if winner else None, facts, note)


def spoken(name: str) -> str:
    return name.replace("_", "-")


def draw(measured: Measured) -> list[Chart]:
    return [_accuracy_chart(measured), _epochs_chart(measured), _shapes_chart(measured)]


def _accuracy_chart(measured: Measured) -> Chart:
    rows = [dot(values, spoken(name)) for name, values in accuracies(measured).items()]
    title = "Where each schedule ends, at its own best peak"
    return dot_plot(rows, title=title, x_title="held-out accuracy (%)", interval=BAR)


def _epochs_chart(measured: Measured) -> Chart:
    y, rows = "accuracy (%)", []
    for name in SCHEDULES:
        peak = RATES[finals(measured, name).mean(axis=1).argmax()]
        rows += by_epoch(measured[f"{name} learning_rate={peak:g}"], y, schedule=f"{spoken(name)}, peak {peak:g}")
    title = "Held-out accuracy by epoch, each at the peak that ends best"
    return lines(rows, "epoch", y, series="schedule", band=("low", "high"), title=title, subtitle=BAND)


def _shapes_chart(measured: Measured) -> Chart:
    x, y = "epoch", "η as a share of its peak"
    rows = [
        {x: epoch, y: share, "schedule": spoken(name)}
        for name, shape in measured["shapes"].items()
        for epoch, share in shape
    ]
    return lines(rows, x, y, series="schedule", title="The four schedules", subtitle="The learning rate over the run.")


LESSON = Lesson(
    question="Should the learning rate fall while the network learns?",
    claim="A learning rate that falls over time ends better than one that stays.",
    source="the original README, “Future Improvements”; Nielsen, chapter 3, on choosing the learning rate",
    choices={
        "A": "The constant rate ends best.",
        "B": "The step schedule ends best.",
        "C": "The cosine ends best.",
        "D": "One-cycle ends best.",
    },
    scales={**scales(epochs=10), "full": Scale(train=20_000, validation=10_000, epochs=15, seeds=10)},
    configs=configs,
    measure=measure,
    judge=judge,
    draw=draw,
    background="""
A batch's gradient is the true one plus noise, and each step adds η times that noise to the weights. Early on this does
no harm: there is far to go. Near the bottom, a rate that stays keeps the weights trembling around it; one that falls
lets them settle. So the large steps should come first and the small ones last, and the schedules differ only in the
curve between: *step* drops suddenly, *cosine* glides to zero, and *one-cycle* first climbs for three tenths of the
run, so that it can afford a higher peak.
""",
    method="""
The original network trains for {epochs} epochs by plain SGD under each schedule at four peak rates; what counts for a
seed is the peak that was best for the *other* seeds. So the constant rate, too, is a well-chosen one. The step schedule
drops to a fifth at each third of the run. The claim holds if all three falling schedules end above the constant one.
""",
    take_home={
        "holds": """
Falling pays. A constant rate ends at {constant} % (its best: {constant_peak}); the step schedule gains {step_gain}
points on it, the cosine {cosine_gain} and one-cycle {one_cycle_gain}. Look at the curves by epoch: where do they part,
and how large was the rate there?
""",
        "does not hold": """
Not every falling schedule beats a well-chosen constant rate ({constant} % at {constant_peak}): the step schedule gains
{step_gain} points on it, the cosine {cosine_gain}, one-cycle {one_cycle_gain}. In a run this short, small steps at the
end can cost more in distance not covered than they save in trembling.
""",
        "cannot tell": """
The constant rate ends at {constant} % (its best: {constant_peak}), and what the schedules gain on it, {step_gain}
points for the step, {cosine_gain} for the cosine, {one_cycle_gain} for one-cycle, is not in every case larger than the
noise of {seeds} seeds. A schedule must be tried with its own peak: one-cycle was best at {one_cycle_peak}, the cosine
at {cosine_peak}.
""",
    },
    try_next="""
A schedule knows how long the run will be. `jaxquard train --schedule cosine --epochs 40 --until 20 --validation 5000`
stops half-way, where the rate is still half of its peak: compare it with `--schedule cosine --epochs 20 --validation
5000`, which has come to rest.
""",
)

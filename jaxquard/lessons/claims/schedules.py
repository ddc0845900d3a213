"""Lesson: should the learning rate fall while the network learns?"""

import numpy as np

from jaxquard.charts import Chart, lines
from jaxquard.config import Config
from jaxquard.lessons.experiment import Scale, finals, scales
from jaxquard.lessons.figures import by_epoch, curves, dots, spread
from jaxquard.lessons.lesson import About, Finding, Lab, Measured, train_all
from jaxquard.lessons.verdict import above, at_an_end, best, tuned

RATES = (0.03, 0.1, 0.3, 1.0)
SCHEDULES = {"constant": "A", "step": "B", "cosine": "C", "one_cycle": "D"}
POINTS = 41  # of a drawn schedule


def configs(scale: Scale) -> dict[str, Config]:
    """The original network with each schedule, at four peak rates. The step schedule drops to a fifth, twice."""
    shared = Config(seeds=scale.seeds, epochs=scale.epochs, sweep=(("learning_rate", RATES),))
    shared = shared.replace(decay_every=scale.epochs / 3, decay_factor=0.2)
    return {name: shared.replace(schedule=name) for name in SCHEDULES}


def measure(lab: Lab, configs: dict[str, Config]) -> Measured:
    shapes = {name: _shape(lab, config) for name, config in configs.items()}
    return {"shapes": shapes, **train_all(lab, configs)}


def _shape(lab: Lab, config: Config) -> list[list[float]]:
    """[epoch, η as a share of its peak] over the whole run."""
    from jaxquard.training.fit import make_run
    from jaxquard.training.task import make_hyper, make_schedule

    config, data = lab.prepare(config)
    task, _ = make_run(config, data)
    network = config.networks()[0]
    schedule = make_schedule(task, make_hyper(task, network))
    steps = np.linspace(0, config.epochs * task.steps_per_epoch - 1, POINTS).round().astype(np.int32)
    return [[step / task.steps_per_epoch, float(schedule(step)) / network.learning_rate] for step in steps.tolist()]


def accuracies(measured: Measured) -> dict[str, np.ndarray]:
    """Held-out accuracy in % of each schedule, each seed at the peak that was best for the others."""
    return {name: tuned(finals(measured, name)) for name in SCHEDULES}


def conclude(measured: Measured) -> Finding:
    found = accuracies(measured)
    falling = [name for name in SCHEDULES if name != "constant"]
    parts = [
        above(f"{spoken(name)} minus constant, each at its own best peak", found[name] - found["constant"], 0)
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
    peaks = {name: f"{RATES[finals(measured, name).mean(axis=1).argmax()]:g}" for name in SCHEDULES}
    x, y = "epoch", "η as a share of its peak"
    shapes = [
        {x: epoch, y: share, "schedule": spoken(name)}
        for name, shape in measured["shapes"].items()
        for epoch, share in shape
    ]
    return [
        dots(
            "Accuracy at the end of each schedule, at its own best peak",
            {spoken(name): values for name, values in accuracies(measured).items()},
        ),
        curves(
            "Held-out accuracy by epoch, each at the peak that ends best",
            {f"{spoken(n)}, peak {at}": by_epoch(measured[f"{n} learning_rate={at}"]) for n, at in peaks.items()},
            series="schedule",
        ),
        lines(shapes, x, y, series="schedule", title="The four schedules", subtitle="The learning rate over the run."),
    ]


ABOUT = About(
    question="Should the learning rate fall while the network learns?",
    claim="A learning rate that falls over time ends better than one that stays.",
    source="the original README, “Future Improvements”; Nielsen, chapter 3, on choosing the learning rate",
    choices={
        "A": "The constant rate ends best.",
        "B": "The step schedule ends best.",
        "C": "The cosine ends best.",
        "D": "One-cycle ends best.",
    },
    scales=scales(epochs=10, full=15, images=20_000),
    background="""
The gradient of a batch is the true gradient plus noise, and each step adds η times that noise to the weights. Early in
training this does no harm. Near the minimum, a constant rate keeps the weights moving around it; with a falling rate
they come to rest. So large steps should come first and small steps last. Three schedules do this: *step* drops
suddenly, *cosine* falls smoothly to zero, and *one-cycle* first rises for three tenths of the run, so that its peak can
be higher.
""",
    method="""
The original network trains for {epochs} epochs by plain SGD with each schedule at four peak rates. For each seed, the
lesson uses the peak with the best mean accuracy of the *other* seeds. So the constant rate is well chosen, too. The
step schedule drops to a fifth after each third of the run. The claim holds if all three falling schedules end above the
constant rate.
""",
    take_home={
        "holds": """
Falling rates end better. Look at the curves by epoch: where do they separate, and how large was the rate there?
""",
        "does not hold": """
Not every falling schedule ends above a well-chosen constant rate. In a short run, small steps at the end can cost more
progress than they gain by less noise.
""",
        "cannot tell": "Not every gain is larger than the noise of {seeds} seeds.",
    },
    results="""
The constant rate ends at {constant} % (best rate: {constant_peak}). The step schedule gains {step_gain} points (best
peak: {step_peak}), the cosine {cosine_gain} ({cosine_peak}) and one-cycle {one_cycle_gain} ({one_cycle_peak}). Each
schedule needs its own peak.
""",
    try_next="""
A schedule depends on the length of the run. `jaxquard train --schedule cosine --epochs 40 --until 20 --validation 5000`
stops half-way, where the rate is still half of its peak. Compare it with `--schedule cosine --epochs 20 --validation
5000`, whose rate has fallen to zero.
""",
)

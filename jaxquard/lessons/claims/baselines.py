"""Lesson: what can be had before there is a network?"""

from typing import TYPE_CHECKING

import numpy as np

from jaxquard.charts import Chart, dot_plot
from jaxquard.config import Config
from jaxquard.lessons import simple
from jaxquard.lessons.experiment import Scale, final, scales
from jaxquard.lessons.figures import BAR, dot, spread
from jaxquard.lessons.lesson import Finding, Lesson, Measured
from jaxquard.lessons.verdict import above, bracket

if TYPE_CHECKING:
    from jaxquard.lessons.lab import Lab

NAMES = {
    "guess": "guessing",
    "darkness": "average darkness",
    "nearest": "nearest class mean",
    "softmax": "softmax regression",
    "mlp": "two hidden layers",
}


def configs(scale: Scale) -> dict[str, Config]:
    """No hidden layer at all is softmax regression; the other is the original network."""
    return {
        "softmax": Config(hidden=(), seeds=scale.seeds, epochs=scale.epochs),
        "mlp": Config(seeds=scale.seeds, epochs=scale.epochs),
    }


def measure(lab: "Lab", configs: dict[str, Config]) -> Measured:
    """Each seed gives the simple methods its own draw, with replacement, from the training images."""
    _, data = lab.prepare(configs["mlp"])
    images, labels, unseen = (np.asarray(part) for part in (data.images, data.labels, data.val_images))
    found: dict[str, list[float]] = {"guess": [], "darkness": [], "nearest": []}
    for seed in range(lab.scale.seeds):
        rng = np.random.default_rng(seed)
        drawn = rng.integers(0, len(labels), len(labels))
        lesson = images[drawn], labels[drawn], unseen
        predicted = {
            "guess": simple.guess(rng, len(unseen), data.classes),
            "darkness": simple.average_darkness(*lesson),
            "nearest": simple.nearest_mean(*lesson),
        }
        for name, classes in predicted.items():
            found[name].append(float(np.mean(classes == data.val_labels)))
    trained = {name: arm for label, config in configs.items() for name, arm in lab.train(label, config).items()}
    return {"simple": found, **trained}


def accuracies(measured: Measured) -> dict[str, np.ndarray]:
    """Held-out accuracy in % by method, a figure for each seed."""
    simple = {name: 100 * np.array(values) for name, values in measured["simple"].items()}
    return simple | {name: final(measured[name]) for name in ("softmax", "mlp")}


def judge(measured: Measured) -> Finding:
    found = accuracies(measured)
    parts = [
        above("50 % less the nearest class mean", 50 - found["nearest"], 0),
        above("softmax regression less the nearest class mean", found["softmax"] - found["nearest"], 5),
    ]
    facts = {name: spread(values) for name, values in found.items()}
    facts["hidden_gain"] = spread(found["mlp"] - found["softmax"])
    return Finding(parts, bracket(found["nearest"], (30, 50, 75), "ABCD"), facts)


def draw(measured: Measured) -> list[Chart]:
    rows = [dot(values, NAMES[name]) for name, values in accuracies(measured).items()]
    title = "How far each method gets"
    return [dot_plot(rows, title=title, x_title="held-out accuracy (%)", interval=BAR, zero=True)]


LESSON = Lesson(
    question="How far can one get without a network?",
    claim=(
        "Simple ideas get 20 to 50 per cent right, a little more with some work; to get much higher, a machine must "
        "learn."
    ),
    source="Nielsen, chapter 1, “Implementing our network to classify digits” (said there of handwritten digits; that "
    "each class's average image is such an idea is this lesson's reading)",
    choices={
        "A": "The nearest class mean gets fewer than 30 % right.",
        "B": "It gets 30 to 50 % right.",
        "C": "It gets 50 to 75 % right.",
        "D": "It gets more than 75 % right.",
    },
    scales=scales(epochs=10, full=20),
    configs=configs,
    measure=measure,
    judge=judge,
    draw=draw,
    background="""
A result means something only beside what could have been had for nothing. So, before any network: throw a die; ask how
much ink there is in an image, and take the class with the most similar average; compare the image, pixel by pixel, with
the average image of each class, and take the nearest. None of these looks at its own mistakes.

Softmax regression does. It is the network with its hidden layers taken out: ten weighted sums of the pixels, pushed
towards the right answer whenever they are wrong.
""",
    method="""
Each method learns from the same images and is judged by the same others. The simple ones have no randomness of their
own, so each seed gives them its own draw, with replacement, from the training images. Softmax regression and, for
comparison, the original network (hidden layers of 128 and 64 units) train for {epochs} epochs by plain SGD.
""",
    take_home={
        "does not hold": """
Not as it is read here. Nielsen's own example, the amount of ink, gets {darkness} % where guessing gets {guess} %; but
the average image of each class alone gets {nearest} %: a boot, a bag and a pair of trousers differ in outline, and
outline is what averages keep. Softmax regression reaches {softmax} %, and the two hidden layers add {hidden_gain}
points to that. *That* last step is what a network should be praised for, not its distance from 10 %.
""",
        "holds": """
The simple ideas stay where the claim puts them: {darkness} % for the amount of ink, where guessing gets {guess} %, and
{nearest} % for the nearest class mean. Learning does the rest: {softmax} % with no hidden layer, and {hidden_gain}
points more with two.
""",
    },
    try_next="""
`jaxquard train --no-hidden` trains the softmax regression; look at its weights in the studio, one picture a class, and
find the shirt's sleeves. Which classes does the nearest mean confuse, and does the network confuse the same ones?
""",
)

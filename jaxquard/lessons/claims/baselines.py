"""Lesson: how good are simple methods?"""

import numpy as np

from jaxquard.charts import Chart
from jaxquard.config import Config
from jaxquard.lessons import simple
from jaxquard.lessons.experiment import Scale, final, scales
from jaxquard.lessons.figures import dots, spread
from jaxquard.lessons.lesson import About, Finding, Lab, Measured, train_all
from jaxquard.lessons.verdict import above, bracket

NAMES = {
    "guess": "guessing",
    "darkness": "average darkness",
    "nearest": "nearest class mean",
    "softmax": "softmax regression",
    "mlp": "two hidden layers",
}


def configs(scale: Scale) -> dict[str, Config]:
    """Softmax regression, which has no hidden layer, and the original network."""
    mlp = Config(seeds=scale.seeds, epochs=scale.epochs)
    return {"softmax": mlp.replace(hidden=()), "mlp": mlp}


def measure(lab: Lab, configs: dict[str, Config]) -> Measured:
    """For each seed, the simple methods learn from a random sample, with replacement, of the training images."""
    _, data = lab.prepare(configs["mlp"])
    images, labels, unseen = (np.asarray(part) for part in (data.images, data.labels, data.val_images))
    found: dict[str, list[float]] = {"guess": [], "darkness": [], "nearest": []}
    for seed in range(lab.scale.seeds):
        rng = np.random.default_rng(seed)
        drawn = rng.integers(0, len(labels), len(labels))
        sample = images[drawn], labels[drawn], unseen
        predicted = {
            "guess": simple.guess(rng, len(unseen), data.classes),
            "darkness": simple.average_darkness(*sample),
            "nearest": simple.nearest_mean(*sample),
        }
        for name, classes in predicted.items():
            found[name].append(float(np.mean(classes == data.val_labels)))
    return {"simple": found, **train_all(lab, configs)}


def accuracies(measured: Measured) -> dict[str, np.ndarray]:
    """Held-out accuracy in % by method, a figure for each seed."""
    simple = {name: 100 * np.array(values) for name, values in measured["simple"].items()}
    return simple | {name: final(measured[name]) for name in ("softmax", "mlp")}


def conclude(measured: Measured) -> Finding:
    found = accuracies(measured)
    parts = [
        above("50 % minus the nearest class mean", 50 - found["nearest"], 0),
        above("softmax regression minus the nearest class mean", found["softmax"] - found["nearest"], 5),
    ]
    facts = {name: spread(values) for name, values in found.items()}
    facts["hidden_gain"] = spread(found["mlp"] - found["softmax"])
    return Finding(parts, bracket(found["nearest"], (30, 50, 75), "ABCD"), facts)


def draw(measured: Measured) -> list[Chart]:
    found = accuracies(measured)
    return [dots("Accuracy of each method", {NAMES[name]: values for name, values in found.items()}, zero=True)]


ABOUT = About(
    question="How far can one get without a network?",
    claim=(
        "Simple ideas get 20 to 50 per cent right, a little more with some work; to get much higher, a machine must "
        "learn."
    ),
    source="Nielsen, chapter 1, “Implementing our network to classify digits” (there, of handwritten digits; "
    "this lesson counts the average image of a class as a simple idea)",
    choices={
        "A": "The nearest class mean gets fewer than 30 % right.",
        "B": "It gets 30 to 50 % right.",
        "C": "It gets 50 to 75 % right.",
        "D": "It gets more than 75 % right.",
    },
    scales=scales(epochs=10, full=20),
    background="""
A result needs the results of simple methods beside it. Three of them need no network. *Guessing* takes a random class.
*Average darkness* measures how much ink an image has, and takes the class with the most similar average. *Nearest class
mean* compares the image, pixel by pixel, with the average image of each class, and takes the nearest. None of the three
learns from its mistakes.

Softmax regression does. It is a network without hidden layers: ten weighted sums of the pixels. Training changes the
weights to reduce the loss.
""",
    method="""
All methods learn from the same images, and all are evaluated on the same held-out images. The simple methods have no
randomness of their own. So for each seed they learn from another random sample of the training images, drawn with
replacement. Softmax regression and, for comparison, the original network (hidden layers of 128 and 64 units) train for
{epochs} epochs by plain SGD.
""",
    take_home={
        "does not hold": "The simple ideas do not have the accuracies of the claim.",
        "holds": "The simple ideas have the accuracies of the claim; learning adds the rest.",
    },
    results="""
Average darkness, Nielsen's own example, gets {darkness} % right, and guessing {guess} %. The nearest class mean gets
{nearest} %: boots, bags and trousers differ in outline, and an average image keeps the outline. Softmax regression
reaches {softmax} %, and the two hidden layers add {hidden_gain} points. Only these points are due to the hidden layers,
and not the whole difference from guessing.
""",
    try_next="""
`jaxquard train --no-hidden` trains softmax regression. Look at its weights in the studio, one picture for each class,
and find the shirt's sleeves. Which classes does the nearest mean confuse, and does the network confuse the same ones?
""",
)

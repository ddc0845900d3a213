"""Lesson: what does it buy to know which pixels are neighbours?"""

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from jaxquard.charts import Chart, dot_plot, lines, montage
from jaxquard.config import Config
from jaxquard.lessons.experiment import Scale, final
from jaxquard.lessons.figures import BAND, BAR, by_epoch, dot, spread
from jaxquard.lessons.lesson import Finding, Lesson, Measured, train_all
from jaxquard.lessons.verdict import above, bracket

if TYPE_CHECKING:
    from jaxquard.data import Dataset
    from jaxquard.lessons.lab import Lab

NAMES = {
    "mlp": "MLP, images as they are",
    "mlp shuffled": "MLP, pixels shuffled",
    "cnn": "CNN, images as they are",
    "cnn shuffled": "CNN, pixels shuffled",
}
SHOWN = 4  # images, as they are and shuffled
SHUFFLE = 1  # the seed of the one order in which all images' pixels are put


def configs(scale: Scale) -> dict[str, Config]:
    """The original MLP and a small plain CNN, both with Adam under a cosine. Shuffled or not is the data's affair."""
    shared = Config(optimizer="adam", learning_rate=0.003, schedule="cosine", batch_size=64)
    mlp = shared.replace(seeds=scale.seeds, epochs=scale.epochs)
    cnn = mlp.replace(model="cnn", widths=(8, 16, 32), blocks=0, stem=2, initializer="he_normal")
    return {"mlp": mlp, "mlp shuffled": mlp, "cnn": cnn, "cnn shuffled": cnn}


def measure(lab: "Lab", configs: dict[str, Config]) -> Measured:
    from jaxquard.lessons.lab import Lab
    from jaxquard.nn.model import count_parameters

    other = Lab(shuffled(lab.dataset), lab.scale, lab.tick)
    arms = {}
    for label, config in configs.items():
        arms |= train_all(other if "shuffled" in label else lab, {label: config})
    counts = {
        name: lab.look(name, configs[name], lambda model, params, *_: count_parameters(params), images=1)[0]
        for name in ("mlp", "cnn")
    }
    pictures = [of.dataset.train_images[:SHOWN, ..., 0] for of in (lab, other)]
    return {"parameters": counts, "pictures": np.concatenate(pictures), **arms}


def shuffled(dataset: "Dataset") -> "Dataset":
    """The same images with their pixels in another order, the same for all of them."""
    pixels = dataset.train_images.reshape(len(dataset.train_images), -1)
    order = np.random.default_rng(SHUFFLE).permutation(pixels.shape[1])
    return dataclasses.replace(dataset, train_images=pixels[:, order].reshape(dataset.train_images.shape))


def judge(measured: Measured) -> Finding:
    found = {name: final(measured[name]) for name in NAMES}
    ahead, behind = found["cnn"] - found["mlp"], found["mlp shuffled"] - found["cnn shuffled"]
    mlp_loss = found["mlp"] - found["mlp shuffled"]
    parts = [
        above("CNN less MLP, images as they are", ahead, 0),
        above("MLP less CNN, pixels shuffled", behind, 0),
        above("half a point less what shuffling costs the MLP", 0.5 - mlp_loss, 0),
    ]
    facts = {name.replace(" ", "_"): spread(values) for name, values in found.items()}
    facts |= {f"{name}_parameters": f"{count:,}" for name, count in measured["parameters"].items()}
    facts |= {"ahead": spread(ahead), "behind": spread(behind), "mlp_loss": spread(mlp_loss)}
    facts["cnn_loss"] = spread(found["cnn"] - found["cnn shuffled"])
    return Finding(parts, bracket(behind, (0, 5), "ABC"), facts)


def draw(measured: Measured) -> list[Chart]:
    return [_pictures_chart(measured), _accuracy_chart(measured), _epochs_chart(measured)]


def _pictures_chart(measured: Measured) -> Chart:
    title = "Images as they are, and with all pixels shuffled"
    said = "The order is the same for every image, so not a grey level is lost, only who is next to whom."
    told = f"{SHOWN} images of clothing, and below them the same with their pixels shuffled: noise to the eye."
    return montage(
        np.array(measured["pictures"], np.uint8),
        columns=SHOWN,
        invert=True,
        size=84,
        title=title,
        subtitle=said,
        description=told,
    )


def _accuracy_chart(measured: Measured) -> Chart:
    rows = [dot(final(measured[name]), said) for name, said in NAMES.items()]
    return dot_plot(rows, title="Where each of them ends", x_title="held-out accuracy (%)", interval=BAR)


def _epochs_chart(measured: Measured) -> Chart:
    y = "accuracy (%)"
    rows = [row for name, said in NAMES.items() for row in by_epoch(measured[name], y, network=said)]
    title = "Held-out accuracy by epoch"
    return lines(rows, "epoch", y, series="network", band=("low", "high"), title=title, subtitle=BAND)


LESSON = Lesson(
    question="What does a convolution know that an MLP does not?",
    claim="Convolutional networks are better at images because they use which pixels are neighbours.",
    source="Nielsen, chapter 6, “Introducing convolutional networks”; the original README, “Future Improvements”",
    choices={
        "A": "With all pixels shuffled, the CNN is still ahead of the MLP.",
        "B": "It falls behind it by less than five points.",
        "C": "It falls behind it by more than five points.",
    },
    scales={
        "quick": Scale(train=1_000, validation=1_000, epochs=15, seeds=5),
        "default": Scale(train=10_000, validation=5_000, epochs=8, seeds=5),
        "full": Scale(train=20_000, validation=10_000, epochs=10, seeds=5),
    },
    configs=configs,
    measure=measure,
    judge=judge,
    draw=draw,
    background="""
To a fully connected layer an image is a list: put all pixels into another order, the same for every image, and it only
has to learn its weights in that order. A convolution looks through a window of 3 × 3 pixels and slides it over the
whole image: what it finds in one place it finds in all, with the same few weights. That is knowledge about images,
built in: what is near belongs together, and a sleeve is a sleeve wherever it is.

Is that why CNNs are better? They differ from MLPs in other ways, too. But shuffling takes away the neighbours and
nothing else: same images, same network, same number of weights.
""",
    method="""
The original MLP ({mlp_parameters} parameters) and a small CNN ({cnn_parameters}, from He's start; six 3 × 3
convolutions with batch normalisation, after every 2 × 2 pixels have become one of four channels) train for {epochs}
epochs with Adam, at a rate that falls from 0.003 to 0 by half a cosine, in batches of 64, on the images as they are and
on the same with all pixels put into one random order. The claim holds if the CNN is ahead on the images as they are,
behind on the shuffled ones, and if shuffling costs the MLP, for which it should make no difference, less than half a
point.
""",
    take_home={
        "holds": """
It is the neighbours. On images as they are, the CNN gets {cnn} % and the MLP {mlp} %: {ahead} points ahead, with a
fraction of the parameters. With all pixels shuffled, the MLP gets {mlp_shuffled} %, as before, and the CNN
{cnn_shuffled} %: shuffling costs it {cnn_loss} points and puts it {behind} behind. What is built into a network is an
opinion about the data. Where it is true it is worth more than parameters; where it is false it is in the way.
""",
        "does not hold": """
Not in all its parts. On images as they are the CNN gets {cnn} %, the MLP {mlp} %, a lead of {ahead} points. With all
pixels shuffled the CNN gets {cnn_shuffled} %, the MLP {mlp_shuffled} %, a lead of {behind} points for the MLP.
Shuffling costs the CNN {cnn_loss} points and the MLP {mlp_loss}. With few images or few steps the CNN's running
statistics may not have settled yet.
""",
        "cannot tell": """
The CNN gets {cnn} % on images as they are and {cnn_shuffled} % with all pixels shuffled, the MLP {mlp} and
{mlp_shuffled} %. Shuffling costs the CNN {cnn_loss} points and the MLP {mlp_loss}, but with {seeds} seeds one part of
the claim or another stays open.
""",
    },
    try_next="""
How much shuffling does it take? Shuffle only within blocks of 4 × 4 pixels, or only the rows. And a CNN is not as
blind to place as it seems: what would happen if the images were moved by three pixels, in training and in test, for
the MLP and for the CNN?
""",
)

"""Lesson: why are convolutional networks better at images?"""

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from jaxquard.charts import Chart, montage
from jaxquard.config import Config
from jaxquard.lessons.experiment import Scale, final, scales
from jaxquard.lessons.figures import by_epoch, curves, dots, spread
from jaxquard.lessons.lesson import About, Finding, Lab, Measured, train_all
from jaxquard.lessons.verdict import above, bracket

if TYPE_CHECKING:
    from jaxquard.data import Dataset

NAMES = {
    "mlp": "MLP, images as they are",
    "mlp shuffled": "MLP, pixels shuffled",
    "cnn": "CNN, images as they are",
    "cnn shuffled": "CNN, pixels shuffled",
}
SHOWN = 4  # images, as they are and shuffled
SHUFFLE = 1  # the seed of the one order for the pixels of all images


def configs(scale: Scale) -> dict[str, Config]:
    """The original MLP and a small CNN, both with Adam and a cosine schedule; only the data are shuffled."""
    shared = Config(optimizer="adam", learning_rate=0.003, schedule="cosine", batch_size=64)
    mlp = shared.replace(seeds=scale.seeds, epochs=scale.epochs)
    cnn = mlp.replace(model="cnn", widths=(8, 16, 32), blocks=0, stem=2, initializer="he_normal")
    return {"mlp": mlp, "mlp shuffled": mlp, "cnn": cnn, "cnn shuffled": cnn}


def measure(lab: Lab, configs: dict[str, Config]) -> Measured:
    from jaxquard.nn.model import count_parameters

    other = type(lab)(shuffled(lab.dataset), lab.scale, lab.tick)
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
    """The same training images with their pixels in another order, one order for all."""
    pixels = dataset.train_images.reshape(len(dataset.train_images), -1)
    order = np.random.default_rng(SHUFFLE).permutation(pixels.shape[1])
    return dataclasses.replace(dataset, train_images=pixels[:, order].reshape(dataset.train_images.shape))


def conclude(measured: Measured) -> Finding:
    found = {name: final(measured[name]) for name in NAMES}
    ahead, behind = found["cnn"] - found["mlp"], found["mlp shuffled"] - found["cnn shuffled"]
    mlp_loss = found["mlp"] - found["mlp shuffled"]
    parts = [
        above("CNN minus MLP, images as they are", ahead, 0),
        above("MLP minus CNN, pixels shuffled", behind, 0),
        above("half a point minus what shuffling costs the MLP", 0.5 - mlp_loss, 0),
    ]
    facts = {name.replace(" ", "_"): spread(values) for name, values in found.items()}
    facts |= {f"{name}_parameters": f"{count:,}" for name, count in measured["parameters"].items()}
    facts |= {"ahead": spread(ahead), "behind": spread(behind), "mlp_loss": spread(mlp_loss)}
    facts["cnn_loss"] = spread(found["cnn"] - found["cnn shuffled"])
    return Finding(parts, bracket(behind, (0, 5), "ABC"), facts)


def draw(measured: Measured) -> list[Chart]:
    pictures = montage(
        np.array(measured["pictures"], np.uint8),
        columns=SHOWN,
        invert=True,
        size=84,
        title="Images as they are, and with all pixels shuffled",
        subtitle="The order is the same for every image. All grey levels are kept; only the neighbours change.",
        description=f"{SHOWN} images of clothing, and below them the same with their pixels shuffled, which look like "
        "noise.",
    )
    return [
        pictures,
        dots("Accuracy at the end", {text: final(measured[name]) for name, text in NAMES.items()}),
        curves(
            "Held-out accuracy by epoch",
            {text: by_epoch(measured[name]) for name, text in NAMES.items()},
            series="network",
        ),
    ]


ABOUT = About(
    question="What does a convolution know that an MLP does not?",
    claim="Convolutional networks are better at images because they use which pixels are neighbours.",
    source="Nielsen, chapter 6, “Introducing convolutional networks”; the original README, “Future Improvements”",
    choices={
        "A": "With all pixels shuffled, the CNN is still ahead of the MLP.",
        "B": "The CNN falls behind the MLP by less than five points.",
        "C": "The CNN falls behind the MLP by more than five points.",
    },
    scales=scales(epochs=8, quick=15, full=10, images=20_000, seeds=(5, 5, 5)),
    background="""
For a fully connected layer an image is a list. If all pixels are put into another order, the same for every image, the
layer learns its weights in that order. A convolution slides a window of 3 × 3 pixels over the whole image, and uses the
same few weights everywhere. So it has knowledge about images built in: neighbouring pixels belong together, and a
sleeve is a sleeve in any place.

Is that why CNNs are better? They differ from MLPs in other ways, too. Shuffling the pixels removes the neighbours and
nothing else: the images, the network and the number of weights stay the same.
""",
    method="""
The original MLP ({mlp_parameters} parameters) and a small CNN ({cnn_parameters} parameters, He's initialisation) train
for {epochs} epochs with Adam in batches of 64; the rate falls from 0.003 to 0 by half a cosine. The CNN first turns
each block of 2 × 2 pixels into one pixel of four channels. Then it has six 3 × 3 convolutions with batch normalisation.
Both train on the images as they are, and on the same images with all pixels in one random order. The claim holds if the
CNN is ahead on the images as they are and behind on the shuffled ones, and if shuffling costs the MLP less than half a
point. (For an MLP, the order of the pixels should make no difference.)
""",
    take_home={
        "holds": """
The neighbours make the difference. Structure built into a network is an assumption about the data. A true assumption is
worth more than parameters; a false one does harm.
""",
        "does not hold": """
Not every part of the claim holds. With few images or few steps, the CNN's running statistics may still be inexact.
""",
    },
    results="""
On the images as they are, the CNN gets {cnn} % and the MLP {mlp} %: {ahead} points ahead, with {cnn_parameters}
parameters against {mlp_parameters}. With all pixels shuffled, the CNN gets {cnn_shuffled} % and the MLP {mlp_shuffled}
%: {behind} points behind. Shuffling costs the CNN {cnn_loss} points and the MLP {mlp_loss}.
""",
    try_next="""
How much shuffling is needed? Shuffle only within blocks of 4 × 4 pixels, or only the rows. And a CNN does depend on
position somewhat: how would the MLP and the CNN change if all images, in training and in test, were moved by three
pixels?
""",
)

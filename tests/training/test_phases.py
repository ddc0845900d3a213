"""The phases of a training: first epochs on images of half the size, last epochs without augmentation."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import pytest

from jaxquard.errors import UsageError
from jaxquard.training.data import prepare
from jaxquard.training.fit import fit, make_run
from jaxquard.training.program import make_program
from jaxquard.training.task import phases

from .configs import PLAIN

SMALL = PLAIN.replace(model="cnn", widths=(2,), half_size_share=0.5)
AUGMENTED = PLAIN.replace(flip=True, shift=1, cutout=2, erasing=0.3, mixup=0.4, batch_norm=True)


def test_the_first_epochs_are_of_images_of_half_the_size(dataset: Any):
    """If each pixel is replaced by four with the same mean, such an epoch equals one on the original images."""
    train, test = dataset.train_images[:, ::2, ::2].clip(30, 225), dataset.test_images[:, ::2, ::2]
    tiny = dataclasses.replace(dataset, train_images=train, test_images=test)
    pixels = tiny.train_images.repeat(2, axis=1).repeat(2, axis=2)
    pixels[:, ::2, ::2] += 30
    pixels[:, 1::2, ::2] -= 20
    pixels[:, ::2, 1::2] -= 10
    large = dataclasses.replace(dataset, train_images=pixels)
    small = SMALL.replace(pixel_mean=0.4, pixel_std=0.3)
    (of_half, *_), (of_tiny,), (of_large,) = (
        [event.record for event in events if event.kind == "epoch"]
        for events in (
            fit(*prepare(small, large), diagnostics=False),
            fit(*prepare(small.replace(half_size_share=0.0, epochs=1), tiny), diagnostics=False),
            fit(*prepare(small.replace(half_size_share=0.0, epochs=1), large), diagnostics=False),
        )
    )
    assert of_half["train_loss"] == pytest.approx(of_tiny["train_loss"], rel=1e-5)
    assert of_half["train_loss"] != pytest.approx(of_large["train_loss"], rel=1e-3)


def test_after_them_comes_the_program_of_whole_images(train: Callable, assert_same_bits: Callable):
    trained = train(SMALL, diagnostics=False)
    after_one = trained.states[trained.kinds.index("epoch")]
    assert after_one.step.tolist() == [5]
    resumed = train(SMALL.replace(half_size_share=0.0), after_one, diagnostics=False)
    assert_same_bits(resumed.state, trained.state)


def test_the_last_epochs_are_of_images_as_they_are_but_for_flips(train: Callable, assert_same_bits: Callable):
    trained = train(AUGMENTED.replace(unaugmented_share=0.5), diagnostics=False)
    first = trained.states[trained.kinds.index("epoch")]
    assert_same_bits(train(AUGMENTED, until=1, diagnostics=False).state, first)
    flipped = PLAIN.replace(flip=True, batch_norm=True)
    unblended = first._replace(hyper={name: first.hyper[name] for name in train(flipped, until=0).state.hyper})
    assert_same_bits(train(flipped, unblended, diagnostics=False).state.params, trained.state.params)


@pytest.mark.parametrize(
    ("settings", "starts"),
    [
        ({}, (0, 2)),
        ({"epochs": 25, "half_size_share": 0.32, "unaugmented_share": 0.12}, (8, 22)),
        ({"half_size_share": 0.32, "unaugmented_share": 0.12}, (1, 2)),
        ({"half_size_share": 0.9, "unaugmented_share": 0.9}, (1, 1)),  # never all of them
        ({"epochs": 1, "half_size_share": 0.9, "unaugmented_share": 0.9}, (0, 1)),
        ({"model": "mlp", "half_size_share": 0.5, "unaugmented_share": 0.5}, (0, 1)),
    ],
)
def test_shares_of_the_epochs_are_rounded(settings: dict[str, Any], starts: tuple[int, int]):
    assert phases(PLAIN.replace(**{"model": "cnn"} | settings)) == starts


@pytest.mark.parametrize(("shares", "until"), [((0.25, 0.25), 4), ((0.75, 0.75), 4), ((0.5, 0.25), 1), ((0, 0), 4)])
def test_programs_are_compiled_before_the_first_step(
    dataset: Any, monkeypatch: pytest.MonkeyPatch, shares: tuple[float, float], until: int
):
    """All that the training needs, and no others."""
    config = SMALL.replace(epochs=4, shift=1, half_size_share=shares[0], unaugmented_share=shares[1])
    asked = list[bool]()

    def noted(task: Any, groups: Any) -> Any:
        program = make_program(task, groups)
        return program._replace(
            run=lambda *rest: (asked.append(False), warm.add(task), program.run(*rest))[-1],
            turns=lambda *rest: (asked.append(True), used.add(task), program.turns(*rest))[-1],
        )

    warm, used = set[Any](), set[Any]()
    monkeypatch.setattr("jaxquard.training.fit.make_program", functools.lru_cache(noted))
    for _ in fit(*prepare(config, dataset), until=until, diagnostics=False):
        pass
    assert warm == used
    assert asked == sorted(asked)


def test_half_of_a_small_image_is_too_small_for_many_stages(dataset: Any):
    config, data = prepare(SMALL.replace(widths=(2, 2, 2, 2)), dataset)  # 8×8 pixels are enough, 4×4 are not
    with pytest.raises(UsageError, match="half_size_share: images of half the size are too small"):
        make_run(config, data)

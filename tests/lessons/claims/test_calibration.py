"""Confidence and truth on made-up predictions; turning and noise on made-up images."""

import numpy as np
import pytest

from jaxquard.calibration import by_confidence, calibration_error
from jaxquard.lessons.claims import calibration
from jaxquard.lessons.claims.calibration import ANGLES, NOISES, bins, calibration_errors, doubtful, excess

NAMES = ("boot", "bag", "shirt")


def predictions(sure: float, right: float, n: int = 20_000, seeds: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Networks that are `sure` of every answer and `right` in that share: (seeds, n, classes), (n,)."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, n)
    said = np.where(rng.random((seeds, n)) < right, labels, (labels + 1) % 3)
    p = np.full((seeds, n, 3), (1 - sure) / 2)
    np.put_along_axis(p, said[..., None], sure, axis=-1)
    return p, labels


def results(original: tuple[float, float], thorough: tuple[float, float]) -> dict:
    curve = {"right": np.full(5, 50.0), "sure": np.full(5, 80.0)}
    p, labels = predictions(*thorough)
    return {
        "original": bins(*predictions(*original)),
        "thorough": bins(p, labels),
        "doubtful": doubtful(p, labels, np.zeros((len(labels), 4, 4, 1), np.uint8)) | {"names": NAMES},
        "turned": [curve for _ in ANGLES],
        "noisy": [curve for _ in NOISES],
    }


@pytest.mark.parametrize(
    ("original", "thorough", "verdict", "answer"),
    [
        ((0.8, 0.8), (0.9, 0.905), "holds", "B"),
        ((0.8, 0.8), (0.95, 0.85), "does not hold", "C"),
        ((0.7, 0.85), (0.8, 0.9), "does not hold", "A"),
    ],
)
def test_honest_over_confident_and_modest(conclude, original, thorough, verdict, answer):
    found = conclude(results(original, thorough))
    assert (found.verdict, found.answer) == (verdict, answer)


def test_near_the_limit_it_cannot_tell(conclude):
    rng = np.random.default_rng(3)
    measured = results((0.8, 0.8), (0.9, 0.9))
    count = np.array(measured["thorough"]["count"])
    measured["thorough"]["right"] = (
        measured["thorough"]["confidence"] - count * rng.normal(0.02, 0.01, (5, 1))
    ).round()
    assert conclude(measured).verdict == "cannot tell"


def test_the_calibration_error_is_that_of_evaluate():
    rng = np.random.default_rng(0)
    p = rng.dirichlet((0.3, 0.3, 0.3), (2, 5000))
    labels = rng.integers(0, 3, 5000)
    each = [calibration_error(by_confidence(q.max(-1), q.argmax(-1) == labels)) for q in p]
    np.testing.assert_allclose(calibration_errors(bins(p, labels)), 100 * np.array(each), rtol=1e-9)
    np.testing.assert_allclose(
        excess(bins(p, labels)), 100 * (p.max(-1) - (p.argmax(-1) == labels)).mean(axis=1), rtol=1e-9
    )


def test_doubtful_is_where_all_agree_against_the_label():
    labels = np.array([0, 0, 0, 0])
    said = np.array([[0, 1, 1, 1], [0, 1, 2, 1]])
    sure = np.array([0.9, 0.6, 0.9, 0.8])
    p = np.where(np.arange(3) == said[..., None], sure[:, None], (1 - sure[:, None]) / 2)
    images = np.arange(4, dtype=np.uint8).reshape(4, 1, 1, 1)
    found = doubtful(p, labels, images)
    assert found["images"].ravel().tolist() == [3, 1]  # the surer first; where they disagree with one another, not
    assert found["said"].tolist() == [1, 1]
    np.testing.assert_allclose(found["share"], [2 / 3, 2 / 3])


def test_networks_without_a_common_mistake_have_no_picture_of_it(lesson, conclude):
    assert conclude(results((0.8, 0.8), (0.9, 1.0))).facts["shared"].startswith("0")
    assert len(lesson.draw(results((0.8, 0.8), (0.9, 1.0)))) == 4


def test_turning_moves_ink_about_the_middle_and_noise_stays_in_range():
    images = np.zeros((1, 9, 9, 1), np.uint8)
    images[0, 4, 6:] = 200  # a hand that points to the right
    assert calibration.turned(images, 0).tolist() == images.tolist()
    up = calibration.turned(images, 90)[0, ..., 0]
    assert up[:, 4].nonzero()[0].tolist() in ([0, 1, 2], [6, 7, 8])
    assert up.sum() == images.sum()
    noisy = calibration.noisy(images, 50)
    assert noisy.dtype == np.uint8
    assert noisy.tolist() == calibration.noisy(images, 50).tolist() != images.tolist()
    assert calibration.noisy(images, 0).tolist() == images.tolist()
    floats, inside = 255 * calibration.noisy(np.float32(images / 255), 50), (noisy > 0) & (noisy < 255)
    np.testing.assert_allclose(floats[inside], noisy[inside], atol=0.501)

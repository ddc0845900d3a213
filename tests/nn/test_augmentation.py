from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxquard.nn.augmentation import cutout, mixup, random_erasing, random_flip, random_shift

KEY = jax.random.key(0)
MANY = 2000
TINY = jnp.arange(1, 7, dtype=jnp.uint8).reshape(2, 3, 1)  # all pixels different, none black
AUGMENTATIONS = {
    "flip": random_flip,
    "shift": partial(random_shift, pixels=2),
    "cutout": partial(cutout, size=3),
    "erasing": random_erasing,
}


def outcomes(augment) -> dict[bytes, float]:
    """The share of each result of augmenting the tiny image."""
    results = np.asarray(jax.jit(augment)(KEY, jnp.broadcast_to(TINY, (MANY, *TINY.shape))))
    seen, counts = np.unique(results.reshape(MANY, -1), axis=0, return_counts=True)
    return {row.tobytes(): count / MANY for row, count in zip(seen, counts, strict=True)}


def expect_uniform(frequencies: dict[bytes, float], expected: list[np.ndarray]):
    """Exactly these outcomes, each with its share of the list, within five standard deviations."""
    images = [np.asarray(image, np.uint8).tobytes() for image in expected]
    assert set(frequencies) == set(images)
    for image, frequency in frequencies.items():
        share = images.count(image) / len(images)
        assert abs(frequency - share) <= 5 * (share * (1 - share) / MANY) ** 0.5


def test_flip_mirrors_half_of_them():
    expect_uniform(outcomes(random_flip), [TINY, TINY[:, ::-1]])


def test_shift_moves_every_way_alike_and_black_comes_in():
    padded = np.pad(np.asarray(TINY), ((1, 1), (1, 1), (0, 0)))
    expect_uniform(
        outcomes(partial(random_shift, pixels=1)), [padded[i : i + 2, j : j + 3] for i in range(3) for j in range(3)]
    )


@pytest.mark.parametrize("size", [1, 2])
def test_cutout_blackens_one_square_around_any_pixel(size):
    def cut(row, column):
        image = np.array(TINY)
        image[
            max(row - size // 2, 0) : row - size // 2 + size, max(column - size // 2, 0) : column - size // 2 + size
        ] = 0
        return image

    expect_uniform(outcomes(partial(cutout, size=size)), [cut(row, column) for row in range(2) for column in range(3)])


@pytest.fixture(scope="module")
def white():
    """Images of 300, a value that noise, 0…255, never takes, after random erasing."""
    return np.asarray(jax.jit(random_erasing)(KEY, jnp.full((MANY, 20, 30, 1), 300.0)))


def test_erasing_changes_one_rectangle_of_the_right_size_in_the_right_share_of_images(white):
    erased = white[..., 0] != 300
    changed = erased.any((1, 2))
    assert abs(changed.mean() - 0.5) <= 5 * (0.25 / MANY) ** 0.5
    heights, widths = erased.any(2).sum(1)[changed], erased.any(1).sum(1)[changed]
    areas = erased.sum((1, 2))[changed]
    np.testing.assert_array_equal(areas, heights * widths)  # a full rectangle
    shares = areas / 600
    assert 0.01 <= shares.min() < 0.03
    assert 0.35 < shares.max() <= 0.42
    assert erased[:, [0, -1]].any(0).all()  # reaches every border pixel
    assert erased[:, :, [0, -1]].any(0).all()


def test_erasing_fills_with_noise_of_every_value_alike(white):
    values, counts = np.unique(white[white != 300], return_counts=True)
    np.testing.assert_array_equal(values, np.arange(256))
    expected, n = counts.sum() / 256, counts.sum()
    assert np.abs(counts - expected).max() <= 5 * expected**0.5
    assert abs((values * counts).sum() / n - 127.5) <= 5 * (256**2 / 12 / n) ** 0.5


def test_mixup_blends_pictures_and_targets_alike():
    x = jax.random.randint(KEY, (6, 4, 4, 1), 0, 256).astype(jnp.uint8)
    y = jnp.eye(6)
    mixed, (targets, weights) = jax.jit(mixup)(jax.random.key(1), x, (y, jnp.arange(6)), 0.4)
    share = np.diag(targets)
    np.testing.assert_allclose(weights, targets @ jnp.arange(6), rtol=1e-5, atol=1e-6)
    neighbour = np.roll(x, 1, axis=0)
    np.testing.assert_allclose(targets.sum(1), 1, rtol=1e-6)
    np.testing.assert_allclose(np.roll(targets, -1, axis=1)[np.arange(6), np.arange(6) - 2], 1 - share, atol=1e-6)
    expected = share[:, None, None, None] * np.asarray(x) + (1 - share)[:, None, None, None] * neighbour
    np.testing.assert_allclose(mixed, expected, rtol=1e-5, atol=1e-4)
    assert len(set(share.tolist())) == 6


@pytest.mark.parametrize("alpha", [0.0, 1e-39])
def test_mixup_of_alpha_zero_blends_nothing(alpha):
    x = jax.random.uniform(KEY, (6, 4, 4, 1))
    mixed, targets = jax.jit(mixup)(KEY, x, jnp.eye(6), alpha)
    np.testing.assert_array_equal(mixed, x)
    np.testing.assert_array_equal(targets, jnp.eye(6))


@pytest.mark.parametrize("name", AUGMENTATIONS)
@pytest.mark.parametrize("dtype", [jnp.uint8, jnp.float32])
def test_same_key_same_result_and_the_type_stays(name, dtype):
    x = jax.random.randint(KEY, (32, 7, 5, 2), 1, 256).astype(dtype)
    augment = jax.jit(AUGMENTATIONS[name])
    once, again, other = augment(KEY, x), augment(KEY, x), augment(jax.random.key(1), x)
    assert once.dtype == dtype
    assert once.shape == x.shape
    np.testing.assert_array_equal(once, again)
    assert (once != other).any()

"""Simple classifiers for comparison. NumPy only."""

import numpy as np

FAR = np.float32(1e6)  # pixels end at 255


def guess(rng: np.random.Generator, n: int, classes: int) -> np.ndarray:
    """A random class for each of n images: (n,)."""
    return rng.integers(0, classes, n)


def average_darkness(train_images: np.ndarray, train_labels: np.ndarray, images: np.ndarray) -> np.ndarray:
    """The class whose images have the most similar mean pixel: uint8 (n, …) -> (n,) (Nielsen, chapter 1)."""
    ink = train_images.reshape(len(train_images), -1).mean(axis=1)
    means = class_means(ink[:, None], train_labels)[:, 0]
    seen = images.reshape(len(images), -1).mean(axis=1)
    return np.abs(seen[:, None] - means).argmin(axis=1)


def nearest_mean(train_images: np.ndarray, train_labels: np.ndarray, images: np.ndarray) -> np.ndarray:
    """The class whose average image is nearest, by Euclidean distance: uint8 (n, …) -> (n,)."""
    means = class_means(train_images.reshape(len(train_images), -1).astype(np.float32), train_labels)
    x = images.reshape(len(images), -1).astype(np.float32)
    # ‖x - m‖² less the ‖x‖² that all classes share
    return ((means**2).sum(axis=1) - 2 * x @ means.T).argmin(axis=1)


def class_means(x: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The mean row of each class: (n, features), (n,) -> (classes, features); FAR from all where a class is empty."""
    members = labels == np.arange(labels.max() + 1)[:, None]
    counts = members.sum(axis=1, keepdims=True)
    return np.where(counts > 0, members.astype(x.dtype) @ x / np.maximum(counts, 1), FAR)

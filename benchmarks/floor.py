"""The machine's own limit: the best large float32 matrix product, by NumPy and by JAX. `python -m benchmarks.floor`."""

import json
import time
from collections.abc import Callable

import jax
import numpy as np

SIDE = 3072  # 38 MB a matrix: past every cache, as a good product has to cope with
REPEATS = 8


def gflops(product: Callable[[], object]) -> float:
    """The best of a few repetitions, in 10⁹ operations a second; the first, which warms up, does not count."""
    seconds = []
    for _ in range(REPEATS + 1):
        start = time.perf_counter()
        product()
        seconds.append(time.perf_counter() - start)
    return 2 * SIDE**3 / min(seconds[1:]) / 1e9


def main() -> None:
    """Print {"numpy": GFLOP/s, "jax": GFLOP/s}."""
    a, b = np.random.default_rng(0).standard_normal((2, SIDE, SIDE), np.float32)
    device_a, device_b = jax.device_put(a), jax.device_put(b)
    multiply = jax.jit(lambda a, b: a @ b)
    print(
        json.dumps(
            {
                "numpy": gflops(lambda: a @ b),
                "jax": gflops(lambda: multiply(device_a, device_b).block_until_ready()),
            }
        )
    )


if __name__ == "__main__":
    main()

"""The machine's limit: the fastest large float32 matrix product, by NumPy and by JAX. `python -m benchmarks.floor`."""

import json
import time
from collections.abc import Callable

import jax
import numpy as np

SIDE = 3072  # 38 MB per matrix: larger than every cache
REPEATS = 8


def gflops(product: Callable[[], object]) -> float:
    """The fastest of REPEATS products, in 10⁹ operations per second, after one to warm up."""
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

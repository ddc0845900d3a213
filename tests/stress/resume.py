"""Every kind of small training (SGD, Adam, dropout, augmentation, averaging, CNN, several networks, …) is stopped at
every one of its steps. Parameters, states, keys, data order and journal are compared with one that ran through.
"""

from common import Row
from ordinary import named, passes

FILES, WORDS = "tests/runs/test_train.py tests/runs/test_divergence.py", "never_stopped or alike_wherever"


def measure(short: bool = False) -> list[Row]:
    """These tests (short: those of `make test`)."""
    promise = "A training stopped at any step and resumed gives, bit for bit, the results of one that was never stopped"
    return [Row(promise, named(FILES, WORDS), "all pass", passes(FILES, WORDS, longer=not short))]

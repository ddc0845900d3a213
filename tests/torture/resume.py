"""Every kind of small training (SGD, Adam, dropout, augmentation, averaging, CNN, several networks, …) interrupted at
every one of its steps, against one that ran through: parameters, states, keys, data order and journal.
"""

from common import Row
from proofs import outcomes


def measure(short: bool = False) -> list[Row]:
    """The tests of it (short: those of `make test`)."""
    files = "tests/runs/test_train.py tests/runs/test_divergence.py"
    passed, total = outcomes(files, "never_stopped or alike_wherever", longer=not short)
    promise = "A training stopped at any step and resumed is, bit for bit, the one that was never stopped"
    figure = f"{passed} of {total} kinds of training, each stopped at every one of its steps"
    return [Row(promise, figure, "every kind", passed == total > 0)]

"""A short training of every recipe on made-up data. Its loss curve must be the one in tests/golden/curves.json for this
release of JAX and this platform, or, within a wider tolerance, for the nearest.
"""

import sys
from pathlib import Path

from common import Row, in_child

from jaxquard import recipes

sys.path.append(str(Path(__file__).parents[1] / "golden"))
import curves


def measure(short: bool = False) -> list[Row]:
    """Every recipe (short: the original one)."""
    names = ["original"] if short else recipes.names()
    found = [curves.Comparison(*one) for one in in_child(lambda: [compared(name) for name in names])]
    for comparison in found:
        print(comparison)
    agree, worst = sum(one.agrees for one in found), max(one.deviation for one in found)
    known = sorted({key for entry in curves.known().values() for key in entry["curves"]})
    promise = "A change of JAX or of Jaxquard that changes results is detected"
    figure = f"{agree} of {len(names)} recipes as recorded, off by {worst:.1e} at most; recorded for {', '.join(known)}"
    return [Row(promise, figure, f"all within {curves.SAME:g} (nearest: {curves.OTHER:g})", agree == len(names))]


def compared(name: str) -> curves.Comparison:
    """One recipe's run on this machine."""
    return curves.compare(name, curves.train(name), curves.known())

"""Record the golden runs' loss curves for this release of JAX and this platform: `python tests/golden [RECIPE…]`.

--compare writes nothing; its exit code is 0 if every curve agrees with the recorded one.
"""

import argparse
import sys

import curves

from jaxquard import recipes


def main() -> int:
    """Compare with the known curves, then write unless --compare is given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="RECIPE", help="default: every one")
    parser.add_argument("--compare", action="store_true", help="write nothing")
    given = parser.parse_args()
    agreed = True
    for name in given.names or recipes.names():
        curve = curves.train(name)
        try:
            comparison = curves.compare(name, curve, curves.known())
            agreed &= comparison.agrees
            print(comparison, flush=True)
        except LookupError as error:
            agreed = False
            print(error.args[0], flush=True)
        if not given.compare:
            curves.record(name, curve)
    return 0 if agreed or not given.compare else 1


if __name__ == "__main__":
    sys.exit(main())

"""`python -m benchmarks`: see bench.py."""

import sys

from benchmarks.bench import main

sys.exit(main())

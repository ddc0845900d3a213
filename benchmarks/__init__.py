"""Comparisons with other systems: `python -m benchmarks`, or `make bench`."""

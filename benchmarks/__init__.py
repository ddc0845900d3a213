"""Side-by-side measurements against other systems: `python -m benchmarks`, or `make bench`."""

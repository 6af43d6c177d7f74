"""What `benchmarks/audit.py` runs: the rows, the contenders, the ten rules. Not run by itself."""

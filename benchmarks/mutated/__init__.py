"""Broken data and contracts, for `benchmarks/mutations.py` and the test that holds what catches each."""

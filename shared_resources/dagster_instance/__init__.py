"""The Dagster instance that the command line, the UI and the daemon share, and what it knows.

Belongs here: opening it, the keys of assets, what its tables say of runs, recording a version.
Does not belong here: what is recorded of a batch (`reporting/`), definitions (`locations/`).
"""

"""Housekeeping: what keeps a mesh that publishes every day fast and no larger than was promised.

Belongs here: how long versions and rejected rows are kept, what is done about a product (compact its
files, expire its versions, remove orphan files, expire its quarantine), and the Dagster jobs and
schedules that do it for a domain.
Does not belong here: how a store does it (`stores/`), the command line (`cli/commands/housekeeping.py`).
"""

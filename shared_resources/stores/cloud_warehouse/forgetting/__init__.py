"""Forgetting subjects in Snowflake.

Belongs here: taking their rows from the tables of every kept version. Does not belong here: the
record of versions (`stores/cloud_warehouse/record/`), making tables of batches
(`stores/cloud_warehouse/tables.py`).
"""

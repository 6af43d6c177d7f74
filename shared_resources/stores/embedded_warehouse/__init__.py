"""The embedded warehouse: products as DuckDB files that never change, behind manifests.

Belongs here: the publish protocol on DuckDB files (`store.py`) and what it consists of.
Does not belong here: what every store shares (the folder above), Snowflake (`cloud_warehouse/`), Dagster.
"""

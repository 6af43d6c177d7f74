"""The warehouse in production: products as tables and views of Snowflake.

Belongs here: the publish protocol on Snowflake (`store.py`) and what it consists of.
Does not belong here: logging in (`production/`), building dbt models (`data_products/dbt/`), Dagster.
"""

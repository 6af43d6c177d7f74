"""dbt models as products: composed a domain at a time, built on pinned inputs, audited like any batch.

Belongs here: everything that knows dbt (`model.py` is the door), on DuckDB and on Snowflake.
Does not belong here: the models themselves (`dbt_project/`), auditing and publishing what they make.
"""

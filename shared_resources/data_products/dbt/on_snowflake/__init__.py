"""dbt on Snowflake: where a model is built there, what it may do, and what it reads.

Belongs here: the target, its confinement, its inputs, Snowflake's types, the login of dbt's process.
Does not belong here: what every engine shares (the folder above), the store (`stores/`).
"""

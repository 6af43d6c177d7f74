"""data_products.makers.dbt.on_snowflake."""

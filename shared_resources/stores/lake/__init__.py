"""The lake: products as Apache Iceberg tables, on local files or on S3 with the Glue catalog.

Belongs here: the publish protocol on Iceberg (`store.py`) and what it consists of.
Does not belong here: what every store shares (the folder above), which table is where (`catalog/`),
where files are (`files/`), Dagster.
"""

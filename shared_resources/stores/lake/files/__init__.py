"""Where the lake's files are: in a local folder or on S3.

Belongs here: placing audited files, reading them, Iceberg's metadata files and field ids.
Does not belong here: which files a version has (`store.py`), which table is where (`catalog/`).
"""

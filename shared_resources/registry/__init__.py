"""The registry: what each deployed domain promises to the others, wherever its files are.

Belongs here: what an entry is, registering and withdrawing, and where the registry is kept: a folder,
or S3 and Postgres.
Does not belong here: the form of a promise (`mesh/promised.py`), what a deployment is (`releasing/`).
"""

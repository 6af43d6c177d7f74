"""The lake's catalogs: which table is where, and how a lost one is told again.

Belongs here: the catalogs on SQLite and in Glue, marks of commits beside the metadata files, repair.
Does not belong here: a table's versions (`history.py`), its data files (`files/`).
"""

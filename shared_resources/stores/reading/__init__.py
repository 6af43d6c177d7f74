"""Reading a published version: as SQL, as frames, as the days that were asked for.

Belongs here: what the stores' snapshots share, and DuckDB as their reader.
Does not belong here: which version is read (`stores/pins.py`), where its files are (the stores).
"""

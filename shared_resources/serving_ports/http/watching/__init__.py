"""A page that watches one row: what it says now, of which version and position, and what has changed.

Belongs here: the page and its files, which hold no data and nothing of a reader.
Does not belong here: the row, which the page asks for like anybody else, with the token typed into it
(`app.py`).
"""

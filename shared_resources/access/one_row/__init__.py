"""One row: what a grant shows of a single row, without an engine.

Belongs here: conditions and masks on Python values, and both together as one compiled grant. They
mean what the door's SQL means: a test holds them to it over agreements made at random.
Does not belong here: what is granted (`access/grants.py`), where the row comes from (`serving_ports/`).
"""

"""Quarantine: what was rejected, kept with the reasons until someone mends and replays it.

Belongs here: the entries, where they lie, which of them still stand, and how one is shown.
Does not belong here: rejecting (`data_products/verdict.py`), trying again (`data_products/replaying.py`).
"""

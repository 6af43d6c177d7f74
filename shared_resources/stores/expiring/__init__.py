"""Expiry: which versions a store may remove.

Belongs here: choosing them.
Does not belong here: how a store removes them (its own housekeeping), how long a product's versions are
kept (`housekeeping/retention.py`).
"""

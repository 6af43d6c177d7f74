"""Upkeep: what keeps a product that is committed each second as fast as it was.

Belongs here: fewer versions the older they are.
Does not belong here: the stores' own housekeeping, its tasks over a whole mesh (`housekeeping/`).
"""

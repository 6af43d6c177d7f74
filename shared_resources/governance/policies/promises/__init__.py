"""Policies about what a contract promises and says of itself.

Belongs here: modules that define `POLICY`; see the folder above.
Does not belong here: how products fit together (`structure/`).
"""

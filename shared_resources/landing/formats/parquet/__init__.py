"""Parquet objects of other systems: adopted when they are what would be written, rewritten, or refused.

Belongs here: footers, what they say and what of that is proven, pages, rows, 96-bit timestamps.
Does not belong here: how the platform itself writes Parquet (`shared_resources/parquet.py`).
"""

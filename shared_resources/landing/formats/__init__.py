"""File formats of landing objects, each read strictly.

Belongs here: CSV, JSON lines, Parquet, and what is particular to each.
Does not belong here: what all formats share (the folder above).
"""

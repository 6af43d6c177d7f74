"""What an audit's rules are asked of: a DuckDB connection, the view of a batch, its columns and keys.

Belongs here: the connection and its limits, the view, staged files, what a rule came to.
Does not belong here: one kind of rule (`contracts/rules/`), going through them all (`counting.py`).
"""

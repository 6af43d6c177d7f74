"""Rules: one kind of rule a file, with its clause, its SQL, its words, its form for frames.

Belongs here: what a kind is (`kind.py`), the kinds, what several of them say alike, finding them
(`registry.py`). A new kind is one file in `values/`, `rows/`, `batch/` or `own/`, or one of another
distribution.
Does not belong here: the rules of one contract (`compiling/`), asking them (`governance/audit/`).
"""

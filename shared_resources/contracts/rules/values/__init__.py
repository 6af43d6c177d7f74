"""Kinds of rule that the value of one column decides.

Belongs here: one kind a file, with the condition under which a row fails, as SQL and for frames.
Does not belong here: kinds that look at other rows, or at another column (`rows/`).
"""

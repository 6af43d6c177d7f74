"""Kinds of rule that look beyond the value: at other rows, another product, the partition, all text.

Belongs here: one kind a file.
Does not belong here: kinds that one value decides (`values/`), that no row decides (`batch/`).
"""

"""Kinds of rule that are about the batch as a whole.

Belongs here: one kind a file, with its verdict on what is known of every batch.
Does not belong here: kinds that ask something of rows (`values/`, `rows/`).
"""

"""Erasing: a subject's rows and traces taken from wherever the mesh keeps them, and the proof of it.

Belongs here: which products know a subject, each kind of place that holds its rows, the journal that is
applied again after a restore, the certificate.
Does not belong here: how a store rewrites its versions (`stores/`), the journal's form
(`evidence/erasures.py`), the command (`cli/commands/governing/erase.py`).
"""

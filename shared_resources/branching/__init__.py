"""Branches of the mesh: making one, what it changed, promoting that, dropping it.

Belongs here: what people do with a branch as a whole.
Does not belong here: the stores and the environment that a branch's processes are given
(`stores/branched/`, `wiring/branch.py`), working in it: that is `mesh run` and the others.
"""

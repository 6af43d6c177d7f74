"""Branches of what is published: products of a namespace of their own, over production's versions.

Belongs here: the namespace's names, the store that a branch's processes are given, what it asks of
each kind of store, which branches there are.
Does not belong here: how a kind of store shares versions (`sharing.py` of its folder), comparing and
promoting (`shared_resources/branching/`).
"""

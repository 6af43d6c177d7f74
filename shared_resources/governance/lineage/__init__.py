"""Lineage, as policies ask it.

Belongs here: what columns are made from, declared or found. Does not belong here: the policies.
"""

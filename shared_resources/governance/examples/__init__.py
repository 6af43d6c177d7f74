"""Trying policies on the examples that they carry.

Belongs here: the minimal mesh that examples change, changing it, asking the policy.
Does not belong here: what an example is (`governance/example.py`), the policies and their examples.
"""

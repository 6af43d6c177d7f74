"""The commands of those who govern: policies, and what can be proven of products.

Belongs here: modules of one command each.
Does not belong here: the commands that a domain's team works with (`teams/`).
"""

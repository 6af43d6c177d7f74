"""Kinds of rule that a domain fills itself: a query, a function.

Belongs here: one kind a file: what a contract may say.
Does not belong here: running them (`governance/audit/domain_rules/`).
"""

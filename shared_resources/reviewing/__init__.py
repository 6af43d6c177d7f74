"""Reviewing: what a change does to contracts, policies, tests and data, before anybody merges it.

Belongs here: looking at a change of some domains and telling what was found, in the forms of CI.
Does not belong here: each check itself (`governance/`, `contracts/`, `data_products/compared/`), making a
product without publishing it (`rehearsing/`), options and exit codes (`cli/`).
"""

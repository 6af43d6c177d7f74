"""Governance: what every batch and every domain is held to, whoever wrote it.

Belongs here: the audit and its report, the quarantine of what it rejects, central policies and the
waivers from them.
Does not belong here: reading contracts (`contracts/`), publishing (`io_managers/`), Dagster.
"""

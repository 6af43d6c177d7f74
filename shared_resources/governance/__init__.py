"""Governance: what every batch and every domain is held to, whoever wrote it.

Belongs here: finding central policies and applying them, waivers, and products that they stop.
Does not belong here: the policies (`policies/`), the audit of a batch (`audit/`), what it rejects
(`quarantine/`), one kind of rule (`contracts/rules/`), Dagster.
"""

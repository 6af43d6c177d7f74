"""Confinement: what a domain's code may see and say.

Belongs here: the guard around it while it runs, the variables that it sees, the words of its errors
that may be shown.
Does not belong here: the processes in which rules and dbt run
(`governance/audit/domain_rules/process/`, `makers/dbt/`).
"""

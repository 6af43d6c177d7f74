"""The process in which rules that domains wrote are run: SQL and Python that nobody else has read.

Belongs here: that process, its limits, what it is told and what it answers.
Does not belong here: what a query or a function may be (`sql.py`, `python.py`), and what becomes of
an answer (`governance/audit/domain_rules/asking.py`).

A small server without the platform's secrets is started once a process; it forks a child for each
question, in milliseconds. Whatever a rule does to its process, the audit is not in it. For queries alone,
which cannot look into memory, the server may itself be a fork (`forked.py`). Of the processes of one
`mesh run` each has its server, and one that has imported what they need forks them all (`origin.py`).
"""

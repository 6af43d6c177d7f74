"""Rules: what each kind of rule asks of a batch, as SQL or as Python.

Belongs here: one kind of rule a module, and the view of a batch that all of them are asked of.
Does not belong here: which rules a contract has (`contracts/`), asking them all (`governance/audit/`).
"""

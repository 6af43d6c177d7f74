"""Attesting: what each published version was checked against, shown, and compared with what is stored.

Belongs here: verifying the chain of attestations, running the rules again, what an auditor is given.
Does not belong here: the form of attestations (`evidence/`), making them (`stores/attested/`).
"""

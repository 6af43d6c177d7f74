"""New domains and products: files that `mesh check` has nothing against, to be filled from there.

Belongs here: what the files of a new domain or product say, and writing all of them or none.
Does not belong here: what files must say (`contracts/`, `governance/policies/`), asking people for it
(`cli/commands/teams/new.py`).
"""

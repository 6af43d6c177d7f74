"""Rehearsals: a product made and audited as a run would, of which nothing stays and nobody reads.

Belongs here: the environment that forgets, inputs that are samples or files, what would change.
Does not belong here: making and auditing, which are those of a run (`data_products/`), the command.
"""

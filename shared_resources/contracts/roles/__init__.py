"""Roles: what a reader in a role sees of a product, as its contract's `roles` say.

Belongs here: the types, the kinds of mask with what they mean in SQL, the conditions on rows.
Does not belong here: who has a role, for what and until when (`mesh/agreements/`), and handing out
rows (`access/`).
"""

"""Access: who sees what of a product, and the one door through which rows are handed out.

Belongs here: principals, what an agreement grants them, the door, its log, asking for an agreement.
Does not belong here: the agreements' files (`mesh/agreements/`), what a role and a mask are
(`contracts/roles/`), the policies about agreements (`governance/policies/access/`).

The door is for who goes through the platform. Whoever may read the files of a machine may read the
files; what keeps those out are the engines' own grants.
"""

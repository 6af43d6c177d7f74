"""Commands about who reads what.

Belongs here: `mesh access` and its parts, one module a subject.
Does not belong here: deciding (`access/`), the rows themselves (`mesh read`).
"""

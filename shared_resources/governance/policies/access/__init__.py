"""Policies about who reads what, and for which purpose.

Belongs here: modules that define `POLICY`; see the folder above.
Does not belong here: deciding at the door (`access/`), which asks the same of the same files.
"""

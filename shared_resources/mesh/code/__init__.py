"""What the code of a domain says, read and never run.

Belongs here: Python files and dbt models as text: what they import, read, and are made of.
Does not belong here: other files of the mesh (the folder above), judging them (`governance/policies/`).
"""

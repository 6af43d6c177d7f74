"""Evidence: what a published version was made from and checked against.

Belongs here: the names that it has in a commit, and the record that is written and read there.
Does not belong here: making it (`data_products/auditing.py`), and how a store keeps properties.
"""

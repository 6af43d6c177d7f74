"""The stores: where products are published, in one atomic commit, and read at a pinned version.

Belongs here: the publish protocol, its implementations (the lake, the warehouse), staging, and the
Dagster IO managers in front of them.
Does not belong here: deciding whether a batch may be published (`governance/`, `data_products/`).
"""

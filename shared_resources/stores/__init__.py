"""The stores: where products are published, in one atomic commit, and read at a pinned version.

Belongs here: the publish protocol, and what every store that implements it shares.
Does not belong here: deciding whether a batch may be published (`governance/`, `data_products/`),
staging one (`staging/`), reading a version (`reading/`), one store (the other folders), Dagster.
"""

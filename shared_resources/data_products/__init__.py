"""Data products: a contract and its maker, turned into a batch that is audited before it is published.

Belongs here: a product's definition, the batch, the verdict on it, publishing it, trying rejected
rows again, and bringing back an earlier version.
Does not belong here: making a batch (`makers/`), what is checked (`governance/`), how a store
publishes (`stores/`), Dagster (`locations/`), or anything about one product (`domains/`).
"""

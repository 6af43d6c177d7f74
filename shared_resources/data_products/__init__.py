"""Data products: a contract and its maker, turned into an asset that audits before it publishes.

Belongs here: making a batch, deciding what becomes of it, and its face in Dagster, up to the code
location of a domain (`build_domain`).
Does not belong here: what is checked (`governance/`), how a store publishes (`io_managers/`), or
anything about one product: that is in its own folder below `domains/`.
"""

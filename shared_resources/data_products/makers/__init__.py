"""Makers: where a product's next batch comes from: a function, a dbt model, landing objects.

Belongs here: what a domain developer writes in `product.py`, running it, choosing and reading
landing objects, and staging what comes of it.
Does not belong here: what becomes of the batch (the room above), dbt's own matters (`dbt/`).
"""

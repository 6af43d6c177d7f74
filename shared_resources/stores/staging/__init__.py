"""Staging: a stream of record batches becomes the Parquet files of a batch that no reader sees.

Belongs here: writing them, where they lie until they are published, their footers and fingerprints.
Does not belong here: what is in them (`data_products/makers/`), publishing them (the stores).
"""

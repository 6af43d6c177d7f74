"""Streams in contracts: of which topic a product is made.

Belongs here: the model of the property `stream`.
Does not belong here: reading it (`contracts/reading/`), comparing (`contracts/changes/`), the log of
messages and the process that reads it (the room `streams/` above).
"""

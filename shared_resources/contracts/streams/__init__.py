"""Streams in contracts: which topic a product is made of, and what is promised of its messages.

Belongs here: the model of the property `stream`, reading it, which clauses hold where.
Does not belong here: the log of messages and the process that reads it (the room `streams/` above).
"""

"""Avro messages in a schema registry's frames.

Belongs here: writers' schemas against the contract, and the bytes of many messages at once.
Does not belong here: frames and the registry itself (beside this folder).
"""

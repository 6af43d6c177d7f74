"""Protobuf messages in a schema registry's frames.

Belongs here: writers' schemas against the contract, and their messages.
Does not belong here: frames and the registry itself (beside this folder).
"""

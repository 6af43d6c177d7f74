"""Decoding: messages of a stream as typed columns of its contract, or each with why it is none.

Belongs here: JSON, Avro and Protobuf, the frames of a schema registry, and the registry behind a port.
Does not belong here: which text is a value (`landing/`, whose verdicts hold here, too), the rules
(`streams/row_rules/`), where messages come from (`streams/log/`).
"""

"""The gate of a stream: from its topic to one that holds only messages that keep the contract.

Belongs here: which clauses hold there, where the gate stands in its topic, its process, the messages
that it writes.
Does not belong here: the verdict on a message (`streams/row_rules/`), the log (`streams/log/`), the
process that publishes to the lake (`streams/process.py`), of which the gate knows nothing.
"""

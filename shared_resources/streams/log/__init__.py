"""The log: topics of messages that others write to, and their positions.

Belongs here: the port (`port.py`), the log of one's own in SQLite, Kafka behind the same port.
Does not belong here: what the messages hold, and what becomes of them.
"""

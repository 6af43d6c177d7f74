"""The log of one's own: topics in one SQLite file below the mesh's home, with nothing to install.

Belongs here: how messages, transactions, groups and what is kept of a topic are rows of that file.
Does not belong here: what the log promises (`port.py`); large streams, which Kafka is for.

One file for all topics, so that one SQLite transaction holds what a transaction of the log holds:
messages of several topics and where a group stands. Messages are kept many to a row.
"""

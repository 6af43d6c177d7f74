"""The serving port on Apache Cassandra.

Belongs here: its settings, its session, the port's methods in CQL.
Does not belong here: which version is served (`serving_ports/following.py`).
"""

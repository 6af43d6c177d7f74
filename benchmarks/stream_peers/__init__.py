"""Flink and Spark beside `mesh stream`: the same topic into a table of Iceberg's, by their own sinks.

Belongs here: one program for each, run in its own environment, and measuring it.
Does not belong here: the messages, our own process (`streams_to_lake.py`).
"""

"""Kafka's settings, where there are streams.

Belongs here: the variables that say how the brokers are reached, and what is wrong with them.
Does not belong here: the clients themselves (`streams/log/kafka/`).
"""

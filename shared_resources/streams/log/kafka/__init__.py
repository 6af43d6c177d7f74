"""Kafka behind the port: whatever speaks its protocol, Amazon MSK and Confluent Cloud too.

Belongs here: readers, writers and topics by librdkafka's client, and what its errors mean for people.
Does not belong here: what the log promises (`port.py`), the variables (`production/kafka/settings.py`).

Nothing here is imported, and the client need not be installed, unless Kafka is the log.
"""

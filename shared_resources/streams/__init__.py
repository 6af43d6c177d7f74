"""Streams: a topic's messages on their way to the lake and to consumers, checked like any batch.

Belongs here: the log of messages behind a port, a window of messages as a batch, the process that
takes one window after the other, the gate from topic to topic.
Does not belong here: what a contract says of a stream (`contracts/`), audit and publication.
"""

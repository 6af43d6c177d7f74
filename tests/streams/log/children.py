"""What the children of the conformance suite do: each a function, called by its name.

Belongs here: reading and writing until killed, stopped or told to end.
Does not belong here: the tests (`test_processes.py`).
"""

from __future__ import annotations

import itertools
import json
import sys
from typing import Any

from shared_resources.streams.log.port import Log
from tests.streams.log.logs import SESSION_SECONDS, open_log
from tests.streams.log.messages import Told, numbered


def say(what: Any) -> None:
    print(json.dumps(what), flush=True)


def write_transactions(log: Log, topic: str) -> None:
    """Ten messages in each, of two topics; what the next one is is read from the log by its end."""
    writer = log.writer(f"writer of {topic}")
    say("ready")
    state = log.topic(topic)
    assert state is not None
    for number in itertools.count():
        with writer.transaction():
            writer.send(topic, numbered(10 * number, 10, 0))
            writer.send(f"{topic}-second", numbered(10 * number, 10, 0))
        say(number)


def write_for_ever(log: Log, topic: str, partition: str) -> None:
    writer = log.writer()
    for number in itertools.count():
        writer.send(topic, numbered(100 * number, 100, int(partition)))
        writer.flush()
        say(number)


def write(log: Log, topic: str, count: str, partition: str) -> None:
    writer = log.writer()
    for number in range(int(count)):
        writer.send(topic, numbered(10 * number, 10, int(partition)))
    writer.flush()
    say("done")


def read(log: Log, topic: str) -> None:
    """Takes at each word that it hears; says what it was told and what it took. `show N` shows N."""
    told = Told()
    reader = log.reader(topic, "group", told)
    say("ready")
    for line in sys.stdin:
        word, *arguments = line.split()
        if word == "show":
            reader.show({int(arguments[0]): int(arguments[1])})
        taken = reader.take(1000, 0.2)
        say({"said": told.said, "took": [int(m["value"]) for m in taken.to_pylist()]})
        told.said.clear()


if __name__ == "__main__":
    what, where, *arguments = sys.argv[1:]
    globals()[what](open_log(where, SESSION_SECONDS), *arguments)

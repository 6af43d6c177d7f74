"""The fields of a contract's `stream` as JSON Schema, with what each is for.

Belongs here: what `contracts/reading/governed/stream.py` knows.
Does not belong here: the mesh's other properties (`mesh_properties.py`).
"""

from __future__ import annotations

from collections.abc import Mapping

from shared_resources.contracts.reading.governed.stream import (
    LONGEST_WINDOW,
    MOST_HOURS,
    SHORTEST_WINDOW,
)
from shared_resources.contracts.streams.model import (
    Delivery,
    Engine,
    ExtraFields,
    MessageFormat,
    StreamMode,
)
from shared_resources.reference.described import Schema

STREAM: Mapping[str, Schema] = {
    "topic": {"type": "string", "description": "The topic of whose messages the product is made."},
    "format": {
        "enum": [*MessageFormat],
        "description": "How a message's value is written; avro and protobuf are framed as a schema "
        "registry's clients frame them.",
    },
    "mode": {
        "enum": [*StreamMode],
        "description": "`append` (default): each message is a row. `upsert`: of the messages with one "
        "primary key the last is the row, and one without a value takes it away.",
    },
    "window": {
        "type": "integer",
        "minimum": SHORTEST_WINDOW,
        "maximum": LONGEST_WINDOW,
        "description": "For how many seconds messages are gathered for one commit; default 5.",
    },
    "late": {
        "type": "object",
        "properties": {
            "column": {"type": "string", "description": "When it was that the message is about."},
            "hours": {"type": "integer", "minimum": 1, "maximum": MOST_HOURS},
        },
        "required": ["column", "hours"],
        "additionalProperties": False,
        "description": "Messages that come so long after that are set aside.",
    },
    "subject": {
        "type": "string",
        "description": "The registry's name of the values' schema, of Avro or Protobuf: `mesh stream` "
        "says when it starts which of its versions do not fit.",
    },
    "extraColumns": {
        "enum": [*ExtraFields],
        "description": "`refuse` (default): a message with a field that the contract does not know is "
        "set aside. `ignore`: the field is left out.",
    },
    "engine": {
        "enum": [*Engine],
        "description": "`mesh` (default): the platform's own process decodes the messages. `flink`: a "
        "job of Flink's does (`mesh stream job`), of JSON; the process checks it and publishes.",
    },
    "gate": {
        "type": "object",
        "properties": {
            "topic": {"type": "string", "description": "Another one than the stream's."},
            "delivery": {
                "enum": [*Delivery],
                "description": "`exactly_once` (default): by transactions of the log. `at_least_once`: "
                "sooner; after a process ended in between, a message may stand there twice.",
            },
            "engine": {
                "enum": [*Engine],
                "description": "`mesh` (default): `mesh stream gate` passes messages on. `flink`: the "
                "job of a stream with `engine: flink` does, once a window; `mesh stream gate` decides "
                "beside it on what is not plainly written, of the topic `….undecided`.",
            },
        },
        "required": ["topic"],
        "additionalProperties": False,
        "description": "The topic to which `mesh stream gate`, or a job of Flink's, passes what keeps "
        "the contract.",
    },
    "deadLetters": {
        "type": "object",
        "properties": {"topic": {"type": "string", "description": "A topic of its own."}},
        "required": ["topic"],
        "additionalProperties": False,
        "description": "The topic of what the gate does not pass, whole, with the reasons as headers.",
    },
}

"""Reading a contract's `stream`.

Belongs here: the fields of the property, their values, what they ask of the rest of the contract.
Does not belong here: the model (`contracts/streams/model.py`), the process that reads the topic (the room
`streams/` above).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from typing import TypeVar

from shared_resources.contracts.model import Column
from shared_resources.contracts.node import Node, suggest
from shared_resources.contracts.numbers import is_number
from shared_resources.contracts.streams.model import (
    UNDECIDED,
    Delivery,
    Engine,
    ExtraFields,
    Gate,
    Late,
    MessageFormat,
    Stream,
    StreamMode,
)
from shared_resources.contracts.types import Family

STREAM_FIELDS = (
    "topic",
    "format",
    "mode",
    "window",
    "late",
    "subject",
    "extraColumns",
    "engine",
    "gate",
    "deadLetters",
)
GATE_FIELDS = ("topic", "delivery", "engine")
DEAD_LETTERS_FIELDS = ("topic",)
LATE_FIELDS = ("column", "hours")
SHORTEST_WINDOW, LONGEST_WINDOW = 1, 60
MOST_HOURS = 24 * 366
LONGEST_TOPIC = 249
# Kafka's own rule; `.` and `..` cannot be told from folders.
_TOPIC = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}")
_Choice = TypeVar("_Choice", bound=StrEnum)


def read_stream(
    node: Node, columns: Mapping[str, Column], beside: Collection[str]
) -> Stream | None:
    """A finding for each thing that is wrong with it; None then. `beside` are the mesh's other
    properties of the contract."""
    if not isinstance(node.value, dict):
        node.problem("must be a mapping of fields", "give it topic and format")
        return None
    before = len(node.findings)
    node.unknown_fields(STREAM_FIELDS)
    for name in ("topic", "format"):
        if node.get(name) is None:
            node.problem(f"lacks the field {name!r}", f"add `{name}:`")
    mode = _choice(node, "mode", StreamMode.APPEND)
    stream = Stream(
        topic=_topic(node),
        format=_choice(node, "format", MessageFormat.JSON),
        mode=mode,
        window_seconds=_whole(node, "window", SHORTEST_WINDOW, LONGEST_WINDOW, 5),
        late=_late(node.get("late"), columns),
        subject=_text(node, "subject"),
        ignores_extra=_choice(node, "extraColumns", ExtraFields.REFUSE) is ExtraFields.IGNORE,
        engine=_choice(node, "engine", Engine.MESH),
        gate=_gate(node.get("gate")),
        dead_letters=_dead_letters(node.get("deadLetters")),
        line=node.line,
    )
    _check_topics(node, stream)
    _check_rest(node, stream, columns, beside)
    return stream if len(node.findings) == before else None


def _check_rest(
    node: Node, stream: Stream, columns: Mapping[str, Column], beside: Collection[str]
) -> None:
    keyed = any(column.primary_key_position is not None for column in columns.values())
    if stream.mode is StreamMode.UPSERT and not keyed:
        (node.get("mode") or node).problem(
            "keeps the last row of each key, and no column is one", "add `primaryKey: true` to it"
        )
    if stream.subject and stream.format is MessageFormat.JSON:
        (node.get("subject") or node).problem(
            "names a schema of a registry, and JSON messages have none", "remove it"
        )
    _check_engine(node, stream, columns)
    if "landing" in beside:
        node.problem("makes the product of a topic, and `landing` of objects", "keep one of them")
    if "partitions" in beside:
        node.problem(
            "has no days: each window is published as it is",
            "remove `partitions`, and make a daily product from this one",
        )
    if "lossBudgetPercent" not in beside:
        node.problem(
            "does not say how many of a window's messages may be set aside before all of it is",
            "add the custom property lossBudgetPercent, as 5",
        )


def _check_engine(node: Node, stream: Stream, columns: Mapping[str, Column]) -> None:
    if stream.engine is not Engine.FLINK:
        if stream.gate is not None and stream.gate.engine is Engine.FLINK:
            (node.get("gate") or node).problem(
                "has the engine flink, and no job of Flink's reads the topic",
                "add `engine: flink` to the stream, too, or take the gate's away",
            )
        return
    engine = node.get("engine") or node
    if stream.format is not MessageFormat.JSON:
        engine.problem(
            f"cannot be flink for messages in {stream.format}", "a job of Flink's reads JSON alone"
        )
    for column in columns.values():
        if column.text_format and column.type.family is not Family.STRING:
            engine.problem(
                f"cannot be flink: the column {column.name} has a `format` of its own",
                "take the format away, or let the platform's own process decode (`mesh`)",
            )


def _check_topics(node: Node, stream: Stream) -> None:
    """No message may come back to where it was read, and each topic holds one kind of them."""
    if stream.dead_letters and node.get("gate") is None:
        (node.get("deadLetters") or node).problem(
            "takes what the gate does not pass, and there is no gate",
            "add `gate:`; what `mesh stream` rejects is in quarantine",
        )
    named = {"topic": stream.topic, "gate": stream.gate.topic if stream.gate else ""}
    undecided = stream.gate.undecided if stream.gate else ""
    taken = bool(undecided) and undecided in (stream.topic, stream.dead_letters)
    if taken or len(undecided) > LONGEST_TOPIC:
        (node.get("gate") or node).problem(
            f"needs a topic {undecided!r}, too, for what its job does not decide, which is too long or "
            "used for something else",
            f"name the gate's topic so that {UNDECIDED!r} after it is free",
        )
    for name, topic in (("gate", named["gate"]), ("deadLetters", stream.dead_letters)):
        before = [named["topic"]] if name == "gate" else [*named.values()]
        if topic and topic in before:
            (node.get(name) or node).problem(
                f"names the topic {topic!r}, which the stream has for something else",
                "give it a topic of its own",
            )


def _gate(node: Node | None) -> Gate | None:
    if node is None or not _is_mapping(node, GATE_FIELDS, "topic"):
        return None
    delivery = _choice(node, "delivery", Delivery.EXACTLY_ONCE)
    return Gate(_topic(node), delivery, _choice(node, "engine", Engine.MESH))


def _dead_letters(node: Node | None) -> str:
    if node is None or not _is_mapping(node, DEAD_LETTERS_FIELDS, "topic"):
        return ""
    return _topic(node)


def _is_mapping(node: Node, fields: Sequence[str], needed: str) -> bool:
    if not isinstance(node.value, dict):
        node.problem("must be a mapping of fields", f"give it {needed}")
        return False
    node.unknown_fields(fields)
    if node.get(needed) is None:
        node.problem(f"lacks the field {needed!r}", f"add `{needed}:`")
    return True


def _topic(node: Node) -> str:
    field = node.get("topic")
    if field is None:
        return ""
    if not isinstance(field.value, str) or not _TOPIC.fullmatch(field.value):
        field.problem(
            "cannot name a topic", "use letters, digits, `.`, `_` and `-`, at most 249 of them"
        )
        return ""
    return field.value


def _choice(node: Node, name: str, default: _Choice) -> _Choice:
    field = node.get(name)
    if field is None:
        return default
    kinds = type(default)
    if not isinstance(field.value, str) or field.value not in tuple(kinds):
        field.problem(f"is {field.value!r}, which does not exist", suggest(str(field.value), kinds))
        return default
    return kinds(field.value)


def _whole(node: Node, name: str, low: int, high: int, default: int) -> int:
    field = node.get(name)
    if field is None:
        return default
    if not is_number(field.value) or field.value % 1 or not low <= field.value <= high:
        field.problem(
            f"is {field.value!r}, which is out of bounds", f"give a whole number, {low} to {high}"
        )
        return default
    return int(field.value)


def _text(node: Node, name: str) -> str:
    field = node.get(name)
    if field is None:
        return ""
    if not isinstance(field.value, str) or not field.value.strip():
        field.problem("must be text", "put it in quotes")
        return ""
    return field.value


def _late(node: Node | None, columns: Mapping[str, Column]) -> Late | None:
    if node is None:
        return None
    if not isinstance(node.value, dict):
        node.problem("must be a mapping of fields", "give it column and hours")
        return None
    node.unknown_fields(LATE_FIELDS)
    for name in LATE_FIELDS:
        if node.get(name) is None:
            node.problem(f"lacks the field {name!r}", f"add `{name}:`")
    column, field = _text(node, "column"), node.get("column")
    if field is not None and column:
        if column not in columns:
            field.problem(f"is {column!r}, a column that does not exist", suggest(column, columns))
        elif columns[column].type.family is not Family.TIMESTAMP_TZ:
            field.problem(
                f"is {column!r}, which is no moment in time", "use a timestamp with a time zone"
            )
    return Late(column, _whole(node, "hours", 1, MOST_HOURS, 24))

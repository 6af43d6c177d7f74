"""Messages for tests of the log, and members of a group that write down what they are told.

Belongs here: what both the embedded log and Kafka are given and asked.
Does not belong here: starting them (`logs.py`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from shared_resources.streams.log.port import LogReader, Positions, message_schema

# Of today: Kafka keeps messages for a week, by their own time.
AT = datetime.now(UTC).replace(microsecond=123_000)


def message(
    value: bytes | None,
    key: bytes | None = None,
    partition: int = -1,
    headers: list[tuple[str, bytes | None]] | None = None,
    at: datetime = AT,
) -> dict[str, Any]:
    named = None if headers is None else [{"name": n, "value": v} for n, v in headers]
    return {
        "partition": partition,
        "offset": -1,
        "timestamp": at,
        "key": key,
        "value": value,
        "headers": named,
    }


def table(*messages: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(messages), message_schema())


def numbered(first: int, count: int, partition: int = -1) -> pa.Table:
    """Messages whose value and key are their number."""
    texts = [str(number).encode() for number in range(first, first + count)]
    return table(*(message(text, text, partition) for text in texts))


@dataclass
class Told:
    """An `Assignment` that begins where `positions` says, and notes what it was told."""

    positions: dict[int, int] = field(default_factory=dict)
    said: list[tuple[str, tuple[int, ...]]] = field(default_factory=list)
    has: set[int] = field(default_factory=set)

    def given(self, partitions: Sequence[int]) -> Positions:
        self.said.append(("given", tuple(sorted(partitions))))
        self.has |= set(partitions)
        return {p: self.positions[p] for p in partitions if p in self.positions}

    def taken(self, partitions: Sequence[int]) -> None:
        self.said.append(("taken", tuple(sorted(partitions))))
        self.has -= set(partitions)


def take(reader: LogReader, count: int, seconds: float = 30.0) -> list[dict[str, Any]]:
    """The next `count` messages, at the least; fails after so many seconds."""
    found: list[dict[str, Any]] = []
    until = time.monotonic() + seconds
    while len(found) < count:
        assert time.monotonic() < until, f"{len(found)} of {count} messages came: {found[:3]}"
        found += reader.take(100_000, 0.5).to_pylist()
    return found


def values(messages: Sequence[Mapping[str, Any]]) -> list[Any]:
    return [message["value"] for message in messages]


def take_nothing(*readers: LogReader, times: int = 5) -> None:
    for _ in range(times):
        for reader in readers:
            assert not reader.take(1, 0.1).num_rows


def settle(
    until: Callable[[], bool], *readers: LogReader, may_come: bool = False, seconds: float = 30.0
) -> None:
    """Let the members take in turn until the condition holds; what comes must be nothing."""
    deadline = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < deadline
        for reader in readers:
            assert not reader.take(1, 0.1).num_rows or may_come

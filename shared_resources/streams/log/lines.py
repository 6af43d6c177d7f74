"""Lines of a file as messages: what a trial has in place of a producer.

Belongs here: sending them, with keys out of their fields.
Does not belong here: the topics of real producers, who write to the log by themselves.
"""

from __future__ import annotations

import itertools
import json
import time
from pathlib import Path

import pyarrow as pa

from shared_resources.problems import MeshProblem
from shared_resources.streams.log.port import Log, message_schema

LINES_AT_ONCE = 10_000


class NoKey(MeshProblem):
    """A line has no field of the name; the message says which line, and shows nothing of it."""

    exit_code = 2


def send_lines(log: Log, topic: str, file: Path, key: str | None = None) -> int:
    """Send each line that is not blank as the value of a message; how many those were. `key` is the field
    of JSON objects whose value is the message's key, text as it is and all else as JSON.

    Raises `LogProblem` for a topic that there is not, and `NoKey` for a line without the key: what was
    before it in the file may have been sent.
    """
    writer, sent = log.writer(), 0
    try:
        with file.open("rb") as lines:
            numbered = ((n, line.strip()) for n, line in enumerate(lines, 1))
            messages = ((line, _key(file, n, line, key)) for n, line in numbered if line)
            while some := list(itertools.islice(messages, LINES_AT_ONCE)):
                writer.send(topic, _table(some))
                sent += len(some)
        writer.flush()
    finally:
        writer.close()
    return sent


def _key(file: Path, number: int, line: bytes, key: str | None) -> bytes | None:
    if key is None:
        return None
    try:
        found = json.loads(line)[key]
    except (ValueError, KeyError, TypeError):
        raise NoKey(f"{file}:{number}: is no JSON object with the field {key!r}") from None
    return (found if isinstance(found, str) else json.dumps(found)).encode()


def _table(messages: list[tuple[bytes, bytes | None]]) -> pa.Table:
    count, now = len(messages), time.time_ns() // 1_000_000
    columns = {
        "partition": pa.array([-1] * count, pa.int32()),
        "offset": pa.array([-1] * count, pa.int64()),
        "timestamp": pa.array([now] * count, pa.int64()).cast(pa.timestamp("ms", "UTC")),
        "key": pa.array([key for _, key in messages], pa.binary()),
        "value": pa.array([value for value, _ in messages], pa.binary()),
        "headers": pa.nulls(count, message_schema().field("headers").type),
    }
    return pa.table(columns, schema=message_schema())

"""The log of one's own: its topics, and readers and writers of them.

Belongs here: `Log` over the log's file. Does not belong here: what readers and writers do.
"""

from __future__ import annotations

import sqlite3
import uuid
from pathlib import Path

from shared_resources.streams.log.embedded.compaction import compact
from shared_resources.streams.log.embedded.file import LogFile, looking, writing
from shared_resources.streams.log.embedded.membership import SESSION_SECONDS
from shared_resources.streams.log.embedded.reader import EmbeddedReader
from shared_resources.streams.log.embedded.retention import Retention, give_space_back
from shared_resources.streams.log.embedded.writer import EmbeddedWriter
from shared_resources.streams.log.names import check_topic_name
from shared_resources.streams.log.port import Assignment, LogProblem, Positions, TopicState

_OF_A_TOPIC = ("chunks", "partitions", "positions", "groups", "members", "owned")


class EmbeddedLog:
    """Implements `Log` in `folder`. A member of a group that was silent for `session_seconds` is out."""

    def __init__(self, folder: Path, session_seconds: float = SESSION_SECONDS) -> None:
        self._file = LogFile(folder)
        self._session = session_seconds

    def __str__(self) -> str:
        return str(self._file)

    def topic(self, name: str) -> TopicState | None:
        check_topic_name(name)
        with self._file.opened() as connection:
            if connection is None:
                return None
            with looking(connection):
                found = connection.execute(
                    "SELECT number, id FROM topics WHERE name = ?", (name,)
                ).fetchone()
                if found is None:
                    return None
                rows = connection.execute(
                    "SELECT partition, begins, ends FROM partitions WHERE topic = ? ORDER BY partition",
                    (found[0],),
                ).fetchall()
        begins, ends = ({row[0]: row[i] for row in rows} for i in (1, 2))
        return TopicState(name, found[1], begins, ends)

    def topics(self) -> tuple[str, ...]:
        with self._file.opened() as connection:
            if connection is None:
                return ()
            return tuple(n for (n,) in connection.execute("SELECT name FROM topics ORDER BY name"))

    def create(
        self,
        name: str,
        partitions: int,
        *,
        keep_seconds: int | None = None,
        compacted: bool = False,
    ) -> None:
        check_topic_name(name)
        if partitions < 1:
            raise LogProblem(
                f"A topic has at least one partition; {name} cannot have {partitions}."
            )
        self._file.make()
        with self._file.opened(durable=True) as connection:
            assert connection is not None
            with writing(connection):
                found = connection.execute(
                    "SELECT partitions FROM topics WHERE name = ?", (name,)
                ).fetchone()
                if found is None:
                    _make(connection, name, partitions, keep_seconds, compacted)
                elif found[0] != partitions:
                    raise LogProblem(
                        f"The topic {name} has {found[0]} partitions, not {partitions}; delete it, or "
                        "ask for as many."
                    )

    def delete(self, name: str) -> None:
        with self._file.opened(durable=True) as connection:
            if connection is None:
                return
            with writing(connection):
                number = _number(connection, name)
                if number is not None:
                    for table in _OF_A_TOPIC:
                        connection.execute(f"DELETE FROM {table} WHERE topic = ?", (number,))
                    connection.execute("DELETE FROM topics WHERE number = ?", (number,))
            give_space_back(connection)

    def shown(self, topic: str, group: str) -> Positions:
        return self._positions(topic, group, "shown")

    def positions_of(self, topic: str, group: str) -> Positions:
        return self._positions(topic, group, "committed")

    def reader(self, topic: str, group: str, assignment: Assignment) -> EmbeddedReader:
        with self._file.opened() as connection:
            number = None if connection is None else _number(connection, topic)
        if number is None:
            raise LogProblem(f"There is no topic {topic!r} in {self}; make it first.")
        return EmbeddedReader(self._file, (topic, number), group, assignment, self._session)

    def writer(self, name: str | None = None) -> EmbeddedWriter:
        self._file.make()
        return EmbeddedWriter(self._file, name)

    def keep_house(self, topic: str) -> bool:
        with self._file.opened(durable=True) as connection:
            if connection is None:
                return False
            found = connection.execute(
                "SELECT number, compacted FROM topics WHERE name = ?", (topic,)
            ).fetchone()
            if found is None:
                return False
            number, compacted = found
            before = connection.total_changes
            with writing(connection):
                Retention().apply(connection, number)
            if compacted:
                compact(connection, number)
            changed = connection.total_changes > before
            give_space_back(connection)
        return changed

    def _positions(self, topic: str, group: str, kind: str) -> Positions:
        with self._file.opened() as connection:
            number = None if connection is None else _number(connection, topic)
            if connection is None or number is None:
                return {}
            return dict(
                connection.execute(
                    "SELECT partition, position FROM positions "
                    'WHERE topic = ? AND "group" = ? AND kind = ? ORDER BY partition',
                    (number, group, kind),
                ).fetchall()
            )


def _make(
    connection: sqlite3.Connection,
    name: str,
    partitions: int,
    keep_seconds: int | None,
    compacted: bool,
) -> None:
    made = connection.execute(
        "INSERT INTO topics (name, id, partitions, keep_seconds, compacted) VALUES (?, ?, ?, ?, ?)",
        (name, str(uuid.uuid4()), partitions, keep_seconds, int(compacted)),
    )
    connection.executemany(
        "INSERT INTO partitions VALUES (?, ?, 0, 0)",
        [(made.lastrowid, partition) for partition in range(partitions)],
    )


def _number(connection: sqlite3.Connection, topic: str) -> int | None:
    found = connection.execute("SELECT number FROM topics WHERE name = ?", (topic,)).fetchone()
    return found[0] if found else None

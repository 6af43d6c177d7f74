"""A writer of the log of one's own: each `send` at once, or all of a transaction at its end.

Belongs here: `LogWriter` over the log's file. Does not belong here: the form of the rows (`chunks.py`).

What a transaction holds gets its offsets when it is committed: an open one holds nobody back, and an
aborted one was never in the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from shared_resources.streams.log.embedded.chunks import append, conformed, spread
from shared_resources.streams.log.embedded.file import LogFile, writing
from shared_resources.streams.log.embedded.membership import write_position
from shared_resources.streams.log.embedded.reader import EmbeddedReader
from shared_resources.streams.log.embedded.retention import Retention
from shared_resources.streams.log.port import (
    Fenced,
    LogProblem,
    LogReader,
    NotTheReader,
    Positions,
)

if TYPE_CHECKING:
    import pyarrow as pa


class EmbeddedWriter:
    """Implements `LogWriter`."""

    def __init__(self, file: LogFile, name: str | None) -> None:
        self._file = file
        self._name = name
        self._connection = file.connect_existing(durable=True)
        self._retention = Retention()
        self._topics: dict[str, tuple[int, int]] = {}
        self._begun: list[tuple[str, pa.Table]] | None = None
        self._turn = 0
        self._epoch = 0 if name is None else self._begin_epoch(name)

    def send(self, topic: str, messages: pa.Table) -> None:
        messages = conformed(messages)
        if self._begun is not None:
            self._begun.append((topic, messages))
        elif self._name is not None:
            raise LogProblem(f"The writer {self._name!r} sends in transactions alone.")
        else:
            with self._file.answering(), writing(self._connection):
                self._append(topic, messages)

    def flush(self) -> None:
        """Nothing is left to do: `send` has written it."""

    @contextmanager
    def transaction(
        self, reader: LogReader | None = None, positions: Positions | None = None
    ) -> Iterator[None]:
        if self._name is None:
            raise LogProblem("A writer without a name has no transactions: give it one.")
        if self._begun is not None:
            raise LogProblem(f"The writer {self._name!r} is in a transaction already.")
        self._begun = []
        try:
            yield
            with self._file.answering(), writing(self._connection):
                self._check_epoch()
                for topic, messages in self._begun:
                    self._append(topic, messages)
                if reader is not None and positions:
                    self._write_positions(reader, positions)
        finally:
            self._begun = None

    def close(self) -> None:
        self._connection.close()

    def _begin_epoch(self, name: str) -> int:
        with self._file.answering(), writing(self._connection):
            epoch: int = self._connection.execute(
                "INSERT INTO writers VALUES (?, 1) ON CONFLICT (name) "
                "DO UPDATE SET epoch = epoch + 1 RETURNING epoch",
                (name,),
            ).fetchall()[0][0]
        return epoch

    def _check_epoch(self) -> None:
        epoch = self._connection.execute(
            "SELECT epoch FROM writers WHERE name = ?", (self._name,)
        ).fetchone()
        if epoch is None or epoch[0] != self._epoch:
            raise Fenced(
                f"Another writer called {self._name!r} has begun since; this one's ends here."
            )

    def _append(self, topic: str, messages: pa.Table) -> None:
        number, partitions = self._topic(topic)
        for partition, own in spread(messages, partitions, self._turn).items():
            append(self._connection, number, partition, own)
        self._turn += 1
        self._retention.apply(self._connection, number)

    def _topic(self, name: str) -> tuple[int, int]:
        found = self._connection.execute(
            "SELECT number, partitions FROM topics WHERE name = ?", (name,)
        ).fetchone()
        if found is None:
            raise LogProblem(f"There is no topic {name!r} in {self._file}; make it first.")
        return found[0], found[1]

    def _write_positions(self, reader: LogReader, positions: Positions) -> None:
        """The group's own reader alone may say where the group is; within the transaction."""
        if not isinstance(reader, EmbeddedReader):
            raise LogProblem(
                "A transaction of this log takes the positions of its own readers alone."
            )
        if not reader.membership.owns(frozenset(positions), self._connection):
            raise NotTheReader(
                f"Partitions of {', '.join(map(str, sorted(positions)))} are another reader's of group "
                f"{reader.group!r} now."
            )
        for partition, position in positions.items():
            at = (reader.topic, reader.group, "committed", partition, position)
            write_position(self._connection, *at)

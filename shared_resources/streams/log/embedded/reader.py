"""A member of a group that reads the log of one's own.

Belongs here: `LogReader` over the log's file. Does not belong here: how the group shares a topic
(`membership.py`), how messages are stored (`chunks.py`).
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from shared_resources.streams.log.embedded.chunks import read_from
from shared_resources.streams.log.embedded.file import LogFile, looking
from shared_resources.streams.log.embedded.membership import Membership, Standing
from shared_resources.streams.log.port import (
    Assignment,
    LogProblem,
    OffsetsGone,
    Positions,
    message_schema,
)

if TYPE_CHECKING:
    import pyarrow as pa

# How often the file is asked whether something came while nothing is there: 10 µs each.
_PAUSE_SECONDS = 0.002
# A member that took nothing for so long is stuck, however well its heart beats; as in Kafka.
_IDLE_SECONDS = 300.0


class EmbeddedReader:
    """Implements `LogReader`. Its heart beats in a thread of its own, however long a window takes to
    publish; a stopped process stops both."""

    def __init__(
        self,
        file: LogFile,
        topic: tuple[str, int],
        group: str,
        assignment: Assignment,
        session_seconds: float,
    ) -> None:
        self._file = file
        self._name, self.topic = topic
        self.group = group
        self._assignment = assignment
        self._connection = file.connect_existing()
        self.membership = Membership(self._connection, self.topic, group, session_seconds)
        self._session = session_seconds
        self._standing: Standing | None = None
        self._due = 0.0  # when the group is looked after again, whatever its generation
        self._positions: dict[int, int] = {}
        self._held: dict[int, list[pa.RecordBatch]] = {}
        self._paused: set[int] = set()
        self._turn = 0
        self._taken_at = time.monotonic()
        self._closed = threading.Event()
        self._heart = threading.Thread(target=self._beat, name=f"heart of {group}", daemon=True)
        self._heart.start()

    def take(self, most: int, within_seconds: float) -> pa.Table:
        import pyarrow as pa

        until = time.monotonic() + within_seconds
        while True:
            self._taken_at = time.monotonic()
            batches = self._take_what_is_there(most)
            left = until - time.monotonic()
            if batches or left <= 0:
                return pa.Table.from_batches(batches, message_schema())
            self._wait(left)

    def positions(self) -> Positions:
        return dict(self._positions)

    def seek(self, positions: Positions) -> None:
        for partition, position in positions.items():
            if partition in self._positions:
                self._positions[partition] = position
                self._held.pop(partition, None)
                self._paused.discard(partition)

    def pause(self, partitions: Sequence[int]) -> None:
        self._paused.update(partitions)

    def show(self, positions: Positions) -> None:
        with self._file.answering():
            self.membership.show(dict(positions))

    def close(self) -> None:
        if not self._closed.is_set():
            self._closed.set()
            self._heart.join()
            with self._file.answering():
                self.membership.leave()
            self._connection.close()

    def _take_what_is_there(self, most: int) -> list[pa.RecordBatch]:
        while True:
            self._look_after_the_group()
            with self._file.answering(), looking(self._connection):
                assert self._standing is not None
                if self.membership.generation() == self._standing.generation:
                    self._check_range()
                    return self._of_all(most)
            self._due = 0.0  # changed hands since: nothing is given before that is known

    def _of_all(self, most: int) -> list[pa.RecordBatch]:
        found: list[pa.RecordBatch] = []
        readable = [partition for partition in self._positions if partition not in self._paused]
        for fair in (True, False):  # nobody waits for another's backlog; then what is left
            self._turn += 1
            for place in range(len(readable)):
                partition = readable[(place + self._turn) % len(readable)]
                share = -(-most // len(readable)) if fair else most
                taken = self._of(partition, min(share, most))
                most -= sum(batch.num_rows for batch in taken)
                found += taken
        return found

    def _of(self, partition: int, most: int) -> list[pa.RecordBatch]:
        """The partition's next messages, of what was fetched before and of the file."""
        taken: list[pa.RecordBatch] = []
        if most <= 0:
            return taken
        held = self._held.pop(partition, None)
        if held is None:
            held = read_from(
                self._connection, self.topic, partition, self._positions[partition], most
            )
        while held and most:
            batch = held.pop(0)
            if batch.num_rows > most:
                held.insert(0, batch.slice(most))
                batch = batch.slice(0, most)
            most -= batch.num_rows
            taken.append(batch)
        if held:
            self._held[partition] = held
        if taken:
            self._positions[partition] = taken[-1].column(1)[-1].as_py() + 1
        return taken

    def _check_range(self) -> None:
        there = {
            partition: (begins, ends)
            for partition, begins, ends in self._connection.execute(
                "SELECT partition, begins, ends FROM partitions WHERE topic = ?", (self.topic,)
            )
        }
        if not there:
            raise LogProblem(f"The topic {self._name} was deleted from {self._file}.")
        for partition, position in self._positions.items():
            begins, ends = there[partition]
            if not begins <= position <= ends and partition not in self._paused:
                self._held.pop(partition, None)
                raise OffsetsGone(self._name, partition, position, begins, ends)

    def _look_after_the_group(self) -> None:
        """Tell the `Assignment` what changed hands, in an order in which no partition is two members'."""
        if time.monotonic() < self._due and self._standing is not None:
            return
        standing = self._come_by()
        if standing.expelled:
            self._lose(frozenset(self._positions))
            standing = self._come_by()
        self._lose(frozenset(self._positions) - standing.has)
        if standing.surplus:
            self._lose(standing.surplus & self._positions.keys())
            with self._file.answering():
                self.membership.give_up(standing.surplus)
            standing = self._come_by()
        new = sorted(standing.has - self._positions.keys())
        if new:
            self._gain(new)
        self._standing = standing
        self._due = time.monotonic() + self._session / 4

    def _come_by(self) -> Standing:
        with self._file.answering():
            return self.membership.come_by()

    def _lose(self, partitions: frozenset[int]) -> None:
        if not partitions:
            return
        self._forget(partitions)
        self._assignment.taken(sorted(partitions))

    def _forget(self, partitions: frozenset[int]) -> None:
        for partition in partitions:
            self._positions.pop(partition, None)
            self._held.pop(partition, None)
        self._paused -= partitions

    def _gain(self, partitions: list[int]) -> None:
        answered = self._assignment.given(partitions)
        with self._file.answering():
            begins = dict(
                self._connection.execute(
                    "SELECT partition, begins FROM partitions WHERE topic = ?", (self.topic,)
                ).fetchall()
            )
        for partition in partitions:
            self._positions[partition] = answered.get(partition, begins.get(partition, 0))

    def _wait(self, seconds: float) -> None:
        """Until another connection has written, or the group is to be looked after."""
        until = min(time.monotonic() + seconds, self._due)
        before = self._version()
        while time.monotonic() < until and self._version() == before:
            time.sleep(min(_PAUSE_SECONDS, max(0.0, until - time.monotonic())))

    def _version(self) -> int:
        with self._file.answering():
            version: int = self._connection.execute("PRAGMA data_version").fetchone()[0]
        return version

    def _beat(self) -> None:
        """Be seen while a window is worked on; not by a process that is stopped, or stuck."""
        while not self._closed.wait(self._session / 4):
            member, idle = self.membership.joined, time.monotonic() - self._taken_at
            if member is None or idle > _IDLE_SECONDS:
                continue
            try:
                with self._file.opened() as connection:
                    if connection is not None:
                        sql = "UPDATE members SET seen_at = ? WHERE member = ?"
                        connection.execute(sql, (time.time(), member))
            except (LogProblem, sqlite3.Error):
                continue  # `take` comes upon the same, where somebody hears of it

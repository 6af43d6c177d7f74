"""Who of a group reads which partition: rows of the log's file that every member keeps by itself.

Belongs here: joining, heartbeats, which partitions a member has to give up and which it may take.
Does not belong here: telling the reader's `Assignment` (`reader.py`), positions.

There is no coordinator. Each member compares, at its own `take`, what it has with its fair share: what
it has beyond that it gives up, after it has told so, and what nobody has it takes. Nothing else moves, so
that assignments stay. A member that was silent for its session is removed by whichever comes by, and
finds so when it wakes.
"""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from dataclasses import dataclass

from shared_resources.streams.log.embedded.file import writing

SESSION_SECONDS = 10.0


@dataclass(frozen=True)
class Standing:
    """What a member has, what it has to give up of that, and the group's state that this was read in."""

    member: int
    generation: int
    has: frozenset[int]
    surplus: frozenset[int]
    expelled: bool = False


class Membership:
    """One member of one group of one topic. `joined` is None until it first comes by."""

    def __init__(
        self, connection: sqlite3.Connection, topic: int, group: str, session_seconds: float
    ) -> None:
        self._connection = connection
        self._of = (topic, group)
        self._session = session_seconds
        self.joined: int | None = None

    def generation(self) -> int:
        """It differs whenever a member or a partition of the group has changed hands."""
        found = self._connection.execute(
            'SELECT generation FROM groups WHERE topic = ? AND "group" = ?', self._of
        ).fetchone()
        return found[0] if found else -1

    def come_by(self) -> Standing:
        """Be seen, remove who was not, take what is free. Who was removed itself is `expelled`, and
        joins anew when it next comes by."""
        with writing(self._connection):
            now = time.time()
            if self.joined is not None and not self._be_seen(now):
                lost, self.joined = self.joined, None
                return Standing(lost, self.generation(), frozenset(), frozenset(), expelled=True)
            if self.joined is None:
                self.joined = self._join(now)
            self._remove_the_silent(now)
            return self._share()

    def give_up(self, partitions: frozenset[int]) -> None:
        with writing(self._connection):
            for partition in partitions:
                self._connection.execute(
                    'DELETE FROM owned WHERE topic = ? AND "group" = ? AND partition = ? AND member = ?',
                    (*self._of, partition, self.joined),
                )
            self._changed()

    def leave(self) -> None:
        if self.joined is not None:
            with writing(self._connection):
                self._remove(self.joined)
            self.joined = None

    def owns(self, partitions: frozenset[int], within: sqlite3.Connection | None = None) -> bool:
        """Whether these are this member's now; within the caller's transaction."""
        owned = self._owned(within or self._connection)
        return partitions <= {p for p, member in owned.items() if member == self.joined}

    def show(self, positions: dict[int, int]) -> None:
        """Nothing of partitions that are another's now."""
        with writing(self._connection):
            for partition, position in positions.items():
                if self.owns(frozenset((partition,))):
                    write_position(self._connection, *self._of, "shown", partition, position)

    def _be_seen(self, now: float) -> bool:
        seen = self._connection.execute(
            "UPDATE members SET seen_at = ? WHERE member = ?", (now, self.joined)
        )
        return seen.rowcount == 1

    def _join(self, now: float) -> int:
        joined = self._connection.execute(
            'INSERT INTO members (topic, "group", seen_at, session_seconds) VALUES (?, ?, ?, ?)',
            (*self._of, now, self._session),
        )
        self._changed()
        assert joined.lastrowid is not None
        return joined.lastrowid

    def _remove_the_silent(self, now: float) -> None:
        # One whose clock stands later than ours was seen "later": it is not silent.
        silent = self._connection.execute(
            'SELECT member FROM members WHERE topic = ? AND "group" = ? '
            "AND seen_at + session_seconds < ?",
            (*self._of, now),
        ).fetchall()
        for (member,) in silent:
            self._remove(member)

    def _remove(self, member: int) -> None:
        self._connection.execute("DELETE FROM members WHERE member = ?", (member,))
        self._connection.execute(
            'DELETE FROM owned WHERE topic = ? AND "group" = ? AND member = ?', (*self._of, member)
        )
        self._changed()

    def _changed(self) -> None:
        self._connection.execute(
            'INSERT INTO groups VALUES (?, ?, 0) ON CONFLICT (topic, "group") '
            "DO UPDATE SET generation = generation + 1",
            self._of,
        )

    def _owned(self, connection: sqlite3.Connection) -> dict[int, int]:
        query = 'SELECT partition, member FROM owned WHERE topic = ? AND "group" = ?'
        return dict(connection.execute(query, self._of).fetchall())

    def _share(self) -> Standing:
        assert self.joined is not None
        owned = self._owned(self._connection)
        mine = {partition for partition, member in owned.items() if member == self.joined}
        quota, partitions = self._quota(Counter(owned.values()))
        free = sorted(set(range(partitions)) - owned.keys())
        taking = free[: max(0, quota - len(mine))]
        for partition in taking:
            row = (*self._of, partition, self.joined)
            self._connection.execute("INSERT INTO owned VALUES (?, ?, ?, ?)", row)
        if taking:
            self._changed()
        surplus = frozenset(sorted(mine)[quota:])
        has = frozenset(mine | set(taking))
        return Standing(self.joined, self.generation(), has, surplus)

    def _quota(self, has: Counter[int]) -> tuple[int, int]:
        """How many partitions are this member's fair share, and how many there are.

        What does not divide evenly stays with those who have most now, so that the least moves.
        """
        partitions = self._connection.execute(
            "SELECT partitions FROM topics WHERE number = ?", (self._of[0],)
        ).fetchone()
        count = partitions[0] if partitions else 0
        members = [
            row[0]
            for row in self._connection.execute(
                'SELECT member FROM members WHERE topic = ? AND "group" = ?', self._of
            )
        ]
        members.sort(key=lambda member: (-has[member], member))
        each, more = divmod(count, len(members))
        assert self.joined is not None
        return each + (members.index(self.joined) < more), count


def write_position(
    connection: sqlite3.Connection, topic: int, group: str, kind: str, partition: int, position: int
) -> None:
    """`kind`: `shown`, for displays alone, or `committed` with a transaction."""
    connection.execute(
        "INSERT INTO positions VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT DO UPDATE SET position = excluded.position",
        (topic, group, kind, partition, position),
    )

"""What a topic no longer keeps: messages that are older than it says.

Belongs here: deleting them, giving their space back. Does not belong here: compaction (`compaction.py`).
"""

from __future__ import annotations

import sqlite3
import time

_LONGEST_SECONDS = 30.0


class Retention:
    """Called by whoever writes or reads, and looks no oftener than it needs to.

    A message is as old as the time since it was written: one that tells of last year, replayed today, is
    kept like any other.
    """

    def __init__(self) -> None:
        self._due: dict[int, float] = {}

    def apply(self, connection: sqlite3.Connection, topic: int) -> None:
        """Within the caller's transaction, which writes."""
        if time.monotonic() < self._due.get(topic, 0.0):
            return
        found = connection.execute(
            "SELECT keep_seconds FROM topics WHERE number = ?", (topic,)
        ).fetchone()
        keep = found[0] if found else None
        self._due[topic] = time.monotonic() + min(_LONGEST_SECONDS, (keep or _LONGEST_SECONDS) / 4)
        if keep is not None:
            forget_before(connection, topic, time.time() - keep)


def forget_before(connection: sqlite3.Connection, topic: int, moment: float) -> int:
    """Delete what was written before; how many rows of messages went. The caller's transaction."""
    gone = connection.execute(
        "SELECT partition, max(last) + 1 FROM chunks WHERE topic = ? AND written_at < ? "
        "GROUP BY partition",
        (topic, moment),
    ).fetchall()
    count = 0
    for partition, begins in gone:
        # A clock that was set back has written later rows with earlier times: never a hole.
        sql = "DELETE FROM chunks WHERE topic = ? AND partition = ? AND last < ?"
        count += connection.execute(sql, (topic, partition, begins)).rowcount
        connection.execute(
            "UPDATE partitions SET begins = max(begins, ?) WHERE topic = ? AND partition = ?",
            (begins, topic, partition),
        )
    return count


def give_space_back(connection: sqlite3.Connection) -> None:
    """What writers that delete leave free is used by what they write next; this makes the file smaller.

    In no transaction: Python goes through such a statement to its end in a script alone, which commits.
    """
    connection.executescript("PRAGMA incremental_vacuum")

"""The access log of readings row by row: noted by the spell.

Belongs here: what is one spell, and when it is noted. Does not belong here: the log (`access/log.py`).

Who reads of one version for one purpose has begun to read once, which is noted before his first row is
handed out; how many he was given is noted at the end of the spell. What is the same spell is named by who
reads, what by which terms.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Hashable
from dataclasses import dataclass

from shared_resources.access.log import AccessLog, Reading

SPELL = 10.0


@dataclass
class _Spell:
    reading: Reading
    began: float
    rows: int = 0


class SpellLog:
    """Safe for many threads. A spell that nobody ended is ended by the next `end_older_than`."""

    def __init__(self, log: AccessLog) -> None:
        self._log = log
        self._lock = threading.Lock()
        self._beginning = threading.Lock()
        self._open: dict[Hashable, _Spell] = {}

    def counted(self, same: Hashable, rows: int) -> bool:
        """Whether the reading is of a spell that has begun; then it is counted. Waits for no disk."""
        with self._lock:
            spell = self._open.get(same)
            if spell is None or time.monotonic() - spell.began >= SPELL:
                return False
            spell.rows += rows
            return True

    def note(self, same: Hashable, reading: Reading, rows: int) -> None:
        """Count the reading, in a spell that is begun with it if there is none; of many at once one
        begins it."""
        with self._beginning:
            if self.counted(same, rows):
                return
            with self._lock:
                over = self._open.pop(same, None)
            if over is not None:
                self._log.end(over.reading, over.rows)
            begun = self._log.begin(reading)
            with self._lock:
                self._open[same] = _Spell(begun, time.monotonic(), rows)

    def end_older_than(self, seconds: float) -> None:
        until = time.monotonic() - seconds
        with self._lock:
            over = [(same, spell) for same, spell in self._open.items() if spell.began <= until]
            for same, _ in over:
                del self._open[same]
        for _, spell in over:
            self._log.end(spell.reading, spell.rows)

"""Writers of generations that are killed, and readers that look on, over any serving port.

Belongs here: what runs in processes and threads of its own. Does not belong here: what is asserted of it
(`test_a_killed_writer_mixes_no_generations.py`).
"""

from __future__ import annotations

import json
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from shared_resources.serving_ports import following
from shared_resources.serving_ports.cassandra.port import CassandraPort
from shared_resources.serving_ports.cassandra.session import CassandraSession
from shared_resources.serving_ports.cassandra.settings import read_settings
from shared_resources.serving_ports.port import PortUnreachable, Row, ServingPort, State
from shared_resources.serving_ports.sqlite_port import SqlitePort
from shared_resources.stores.protocol import Version
from tests.serving_ports.made import PRODUCT, generation

# A folder of SQLite's, or the variables that lead to Cassandra.
Where = Path | dict[str, str]
STEPS = ("begin", "load", "written", "switch", "drop")


def port_at(where: Where) -> ServingPort:
    if isinstance(where, Path):
        return SqlitePort(where)
    settings = read_settings(where)
    assert settings is not None
    return CassandraPort(CassandraSession(settings))


class Published:
    """A version whose every row names it."""

    def __init__(self, number: int, rows: int) -> None:
        made = generation(number)
        self.version = Version(PRODUCT, "lake", number, "", rows, made.published_at)

    def batches(self, columns: list[str]) -> pa.RecordBatchReader:
        rows = self.version.rows
        table = pa.table({"id": range(rows), "of": [self.version.number] * rows}).select(columns)
        return table.to_reader(max_chunksize=500)


def write_one_version_after_the_other(
    where: Where, versions: range, rows: int, ready: Any = None, dies_at: str = ""
) -> None:
    """Without any lock: who writes takes everybody else for dead. `dies_at` is a step, and whether the
    process is killed `before`, `in` or `after` it."""
    port = _Dying(port_at(where), dies_at) if dies_at else port_at(where)
    if ready is not None:
        ready.set()
    for number in versions:
        try:
            _write(port, number, rows)
        except (
            PortUnreachable
        ):  # the server is started again: so does a housekeeping that comes later
            time.sleep(0.2)


def _write(port: Any, number: int, rows: int) -> None:
    following._clear_unfinished(port, PRODUCT)
    current, made = port.current(PRODUCT), generation(number)
    if following._to_be_written(made, current, anew=False):
        following._write(port, Published(number, rows), made, anew=False)  # type: ignore[arg-type]
    for held in port.held(PRODUCT):
        if held.state is State.REPLACED and held.since + timedelta(seconds=1) < datetime.now(UTC):
            port.drop(PRODUCT, held.generation.id)


class _Dying:
    """A port in the middle of which its process is killed."""

    def __init__(self, port: ServingPort, dies_at: str) -> None:
        self._port = port
        self._step, self._when = dies_at.split()

    def __getattr__(self, name: str) -> Any:
        does = getattr(self._port, name)
        return self._dying(does) if name == self._step else does

    def _dying(self, does: Callable[..., Any]) -> Callable[..., Any]:
        def called(*given: Any) -> Any:
            if self._when == "before":
                _die()
            if self._when == "in":
                given = (given[0], _dying_rows(given[1]))
            found = does(*given)
            _die()
            return found

        return called


def _dying_rows(rows: Iterable[Row]) -> Iterator[Row]:
    for number, row in enumerate(rows):
        if number == 100:
            _die()
        yield row


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@dataclass
class Seen:
    """What one reader saw: the versions in their order, and what must not be."""

    versions: list[int] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    unreachable: int = 0


@contextmanager
def looking_on(where: Where, rows: int, readers: int = 1) -> Iterator[list[Seen]]:
    ended, seen = threading.Event(), [Seen() for _ in range(readers)]
    threads = [threading.Thread(target=_read, args=(where, rows, ended, one)) for one in seen]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def _read(where: Where, rows: int, ended: threading.Event, seen: Seen) -> None:
    port, chosen = port_at(where), random.Random(3)
    while not ended.is_set():
        try:
            found = port.get(PRODUCT, f'["{chosen.randrange(rows)}"]')
        except PortUnreachable:
            seen.unreachable += 1
            time.sleep(0.1)
            continue
        if found is None:
            if seen.versions:
                seen.wrong.append(f"nothing after version {seen.versions[-1]}")
            continue
        version = found.generation.version
        of = json.loads(found.row)[1] if found.row is not None else None
        if of != version:
            seen.wrong.append(f"a row of {of} in the generation of {version}")
        if seen.versions and version < seen.versions[-1]:
            seen.wrong.append(f"version {version} after version {seen.versions[-1]}")
        if not seen.versions or version != seen.versions[-1]:
            seen.versions.append(version)

"""The access log: who read what of which product, for which purpose.

Belongs here: writing an event when somebody begins to read and when he ends, and reading them back.
Does not belong here: who may read (`grants.py`), the runs and versions that the mesh makes itself.

It is a folder of one file of JSON lines a day and process, `<home>/access/log/<day>/<process>.jsonl`;
each event is one write to a file that is opened for appending. Who is killed has written what he began;
no two processes wait for each other. An event that cannot be written (a full disk, a hung one) stops
no reader for longer than `PATIENCE` seconds: it is kept, written before the next one, and said.
In production the files are sent to one place besides (`shared_log.py`).
"""

from __future__ import annotations

import errno
import json
import logging
import os
import queue
import secrets
import threading
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from shared_resources.access.shared_log import SharedLog, send_soon
from shared_resources.mesh.model import is_product_key

PATIENCE = 0.25
# A quarter: what is read once a quarter (a report, a closing) is among what was read lately.
LATELY = timedelta(days=92)
_MOST_KEPT = 10_000
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reading:
    """One reading. `rows` and `ended` are None while it goes on, and of one that was killed.

    `columns` is None of who may have read any of a version that he sees whole. `by` is the product,
    command or call that read. `agreement` is its id, empty for an owner.
    """

    id: str
    at: datetime
    who: str
    product: str
    version: int
    store: str
    columns: tuple[str, ...] | None = None
    purpose: str = ""
    agreement: str = ""
    by: str = ""
    run: str = ""
    rows: int | None = None
    ended: datetime | None = None

    def as_json(self) -> dict[str, Any]:
        said = asdict(self)
        for name in ("at", "ended"):
            said[name] = said[name].isoformat() if said[name] is not None else None
        return said


class AccessLog:
    """The log of one machine's part of the mesh, and with `shared` that of every machine. Safe for many
    threads and processes."""

    def __init__(self, folder: Path, shared: SharedLog | None = None) -> None:
        self._folder, self._shared = folder, shared

    def begin(self, reading: Reading) -> Reading:
        """Note that it begins; return it with its id."""
        begun = replace(reading, id=secrets.token_hex(8))
        self._note(begun.as_json())
        return begun

    def end(self, reading: Reading, rows: int) -> None:
        self._note({"id": reading.id, "rows": rows, "ended": datetime.now(UTC).isoformat()})

    def _note(self, said: dict[str, Any]) -> None:
        _write(self._folder, said)
        if self._shared is not None:
            send_soon(self._folder, self._shared)

    def send(self) -> None:
        """Send what this machine has noted to the shared place now, where there is one."""
        if self._shared is not None:
            self._shared.send(self._folder)

    def readings(
        self, product: str | None = None, since: datetime | None = None
    ) -> Iterator[Reading]:
        """What is noted, oldest day first; of lines that a crash has cut, what is whole. With `since`
        days before that one are not read: what began on them may be among it."""
        local = {day.name for day in self._folder.glob("*/")}
        days = local.union(self._shared.days() if self._shared is not None else ())
        if since is not None:
            days = {day for day in days if day >= since.date().isoformat()}
        before: dict[
            str, dict[str, Any]
        ] = {}  # who began the day before may have ended on this one
        for day in sorted(days):
            events: dict[str, dict[str, Any]] = {}
            for line in self._lines(day):
                try:
                    said = json.loads(line)
                    one = said["id"]
                    (before if one in before else events).setdefault(one, {}).update(said)
                except (ValueError, KeyError, TypeError):
                    continue
            yield from _readings(before, product)
            before = events
        yield from _readings(before, product)

    def _lines(self, day: str) -> Iterator[bytes]:
        """What is both here and shared comes twice, and is one event by its id."""
        for file in sorted((self._folder / day).glob("*.jsonl")):
            yield from file.read_bytes().splitlines()
        if self._shared is not None:
            yield from self._shared.lines(day)


def _readings(events: dict[str, dict[str, Any]], product: str | None) -> Iterator[Reading]:
    read = (_reading(said) for said in events.values() if "who" in said)
    for reading in sorted(read, key=lambda one: (one.at, one.id)):
        if product in (None, reading.product):
            yield reading


def _reading(said: dict[str, Any]) -> Reading:
    columns = said.get("columns")
    ended = said.get("ended")
    return Reading(
        **{
            **said,
            "at": datetime.fromisoformat(said["at"]),
            "columns": None if columns is None else tuple(columns),
            "ended": None if ended is None else datetime.fromisoformat(ended),
        }
    )


class _Writer:
    """The thread that writes, so that a disk that hangs holds up nobody else."""

    def __init__(self) -> None:
        self._waiting: queue.Queue[tuple[Path, bytes, threading.Event]] = queue.Queue(_MOST_KEPT)
        self._kept: list[tuple[Path, bytes]] = []
        threading.Thread(target=self._run, name="access log", daemon=True).start()

    def write(self, folder: Path, line: bytes) -> None:
        done = threading.Event()
        try:
            self._waiting.put_nowait((folder, line, done))
        except queue.Full:
            _log.error("the access log in %s cannot be written, and lost an event", folder)
            return
        if not done.wait(PATIENCE):
            _log.warning("the access log in %s is slow: nobody waits for it any longer", folder)

    def _run(self) -> None:
        while True:
            folder, line, done = self._waiting.get()
            self._kept.append((folder, line))
            try:
                while self._kept:
                    _append(*self._kept[0])
                    del self._kept[0]
            except OSError as problem:
                _log.warning(
                    "the access log cannot be written now (%s); it is kept", problem.strerror
                )
                del self._kept[_MOST_KEPT:]
            finally:
                done.set()


_lock = threading.Lock()
_writers: dict[int, _Writer] = {}


def _write(folder: Path, said: dict[str, Any]) -> None:
    line = json.dumps(said, separators=(",", ":")).encode() + b"\n"
    process = os.getpid()
    with _lock:
        if process not in _writers:  # a process that was forked has its parent's threads no more
            _writers.clear()
            _writers[process] = _Writer()
    _writers[process].write(folder, line)


def _append(folder: Path, line: bytes) -> None:
    now = datetime.now(UTC)
    day = folder / now.date().isoformat()
    file = day / f"{os.getpid()}.jsonl"
    flags = os.O_APPEND | os.O_CREAT | os.O_WRONLY
    try:
        descriptor = os.open(file, flags, 0o600)
    except FileNotFoundError:
        day.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(file, flags, 0o600)
    try:
        written = os.write(descriptor, line)
        if written < len(line):  # a disk that became full in the middle of it
            os.ftruncate(descriptor, os.fstat(descriptor).st_size - written)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    finally:
        os.close(descriptor)


def log_of(home: Path, shared: SharedLog | None = None) -> AccessLog:
    return AccessLog(home / "access" / "log", shared)


def lately(log: AccessLog, product: str, now: datetime) -> list[Reading]:
    """What was read of the product since `LATELY`, but by products: what they read, they declare."""
    since = now - LATELY
    return [
        one
        for one in log.readings(product, since)
        if one.at >= since and not is_product_key(one.by)
    ]


def reading_of(
    who: object,
    product: str,
    version: int,
    store: str,
    columns: Sequence[str] | None,
    *,
    purpose: str = "",
    agreement: str = "",
    by: str = "",
    run: str = "",
) -> Reading:
    """A reading that begins now."""
    named = None if columns is None else tuple(columns)
    now = datetime.now(UTC)
    return Reading("", now, str(who), product, version, store, named, purpose, agreement, by, run)

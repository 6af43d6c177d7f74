"""The access logs of all machines in one place: objects that are written once, never changed.

Belongs here: sending what a machine has noted to the shared place, and reading what all have sent.
Does not belong here: noting (`log.py`), which waits for none of this.

An object holds whole lines of one machine's file, and is called by where in it they begin:
`<place>/<day>/<machine>/<process>.<first byte>.jsonl`. So what was sent before a crash is known from
what lies there: who sends the same lines again finds them, and goes on behind them. Two processes of a
machine that send at once do the same to each other. Nothing is sent twice, and nothing is left out that
still lies on its machine.
"""

from __future__ import annotations

import atexit
import concurrent.futures.thread  # noqa: F401 - S3's client needs it, and none that ends can import it
import logging
import os
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from shared_resources.state.whole_file import write_whole

if TYPE_CHECKING:
    from shared_resources.object_store.s3_objects import S3Objects

# Seconds between two sendings of a process that reads; after a failure they double up to the longest.
EVERY, LONGEST = 10.0, 300.0
# Seconds that a process that ends waits for its last lines; what is left is sent by the next.
LAST = 2.0
# Of one object; more is left for the next.
MOST_BYTES = 8 << 20
_MACHINE, _SENT = ".machine", ".sent"
_log = logging.getLogger(__name__)


class SharedLog:
    """Below `place` (`s3://bucket/prefix`). Safe for many threads, processes and machines."""

    def __init__(self, objects: S3Objects, place: str) -> None:
        self._objects = objects
        self._place = place

    def send(self, folder: Path) -> int:
        """Send what lies in a machine's folder and was not sent; the number of its bytes.

        Raises what the place raises: the rest is sent the next time.
        """
        if not folder.is_dir():
            return 0
        return sum(self._send_file(folder, file) for file in sorted(folder.glob("*/*.jsonl")))

    def _send_file(self, folder: Path, file: Path) -> int:
        noted, sent = file.with_suffix(_SENT), 0
        start = _number(noted)
        while lines := _whole_lines(file, start):
            name = f"{file.stem}.{start:015}.jsonl"
            location = f"{self._place}/{file.parent.name}/{_machine(folder)}/{name}"
            if self._objects.put_once(location, lines):
                sent += len(lines)
            else:  # somebody sent some of them before, and perhaps more
                there = self._objects.read(location)
                if _bytes(file, start, len(there)) != there:
                    _name_anew(folder)  # a copy of this folder is another machine's
                    continue
                lines = there
            start += len(lines)
            write_whole(noted, str(start).encode())
        return sent

    def days(self) -> list[str]:
        """The days of which there is something, the oldest first."""
        return sorted({one.removeprefix(f"{self._place}/").split("/")[0] for one in self._all()})

    def lines(self, day: str) -> Iterator[bytes]:
        """What all machines have sent of a day, those of one file in their order."""
        for location in self._all(f"{day}/"):
            yield from self._objects.read(location).splitlines()

    def _all(self, below: str = "") -> Iterator[str]:
        for one in self._objects.listing(f"{self._place}/{below}"):
            yield one.location


class _Sender:
    """Sends for a process, in a thread that lasts as long as there is something to send."""

    def __init__(self, folder: Path, shared: SharedLog) -> None:
        self._folder, self._shared = folder, shared
        self._lock = threading.Lock()
        self._noted = False
        self._thread: threading.Thread | None = None
        self.ending = threading.Event()

    def wake(self) -> None:
        """Returns at once."""
        with self._lock:
            self._noted = True
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="access log, shared", daemon=True
                )
                self._thread.start()

    def join(self, seconds: float) -> None:
        thread = self._thread
        if thread is not None:
            thread.join(max(0.0, seconds))

    def _run(self) -> None:
        pause = EVERY
        while self._take():
            try:
                self._shared.send(self._folder)
                pause = EVERY
            except Exception as problem:  # noqa: BLE001 - whatever it is, the lines lie here still
                if pause == EVERY:
                    _log.warning(
                        "the access log cannot be sent to its shared place now (%s); it is kept here",
                        type(problem).__name__,
                    )
                pause = min(LONGEST, 2 * pause)
                self._noted = not self.ending.is_set()
            self.ending.wait(pause)

    def _take(self) -> bool:
        """Whether there is something to send; who notes more after a no begins another thread."""
        with self._lock:
            taken, self._noted = self._noted, False
            if not taken:
                self._thread = None
            return taken


_lock = threading.Lock()
_senders: dict[tuple[int, Path], _Sender] = {}


def send_soon(folder: Path, shared: SharedLog) -> None:
    """Have this process send what lies in the folder, in a while; returns at once."""
    here = (os.getpid(), folder)
    with _lock:
        if not _senders:
            atexit.register(_send_the_last)
        if here not in _senders:  # a process that was forked has its parent's threads no more
            _senders[here] = _Sender(folder, shared)
    _senders[here].wake()


def _send_the_last() -> None:
    """No reader waits any more when a process ends: what it noted last has a moment to be sent."""
    mine = [sender for (process, _), sender in _senders.items() if process == os.getpid()]
    until = time.monotonic() + LAST
    for sender in mine:
        sender.ending.set()
    for sender in mine:
        sender.join(until - time.monotonic())


def _machine(folder: Path) -> str:
    """A name for the machine, or for the folder that its log lies in: made by the first who sends."""
    file = folder / _MACHINE
    if not file.is_file():
        made = file.with_name(f"{_MACHINE}.{secrets.token_hex(4)}")
        made.write_text(secrets.token_hex(8), encoding="ascii")
        with suppress(FileExistsError):
            os.link(made, file)
        made.unlink()
    return file.read_text(encoding="ascii")


def _name_anew(folder: Path) -> None:
    write_whole(folder / _MACHINE, secrets.token_hex(8).encode())


def _number(file: Path) -> int:
    """How much was noted as sent; nothing where a crash has left no number."""
    try:
        return int(file.read_bytes())
    except (FileNotFoundError, ValueError):
        return 0


def _whole_lines(file: Path, start: int) -> bytes:
    """What stands behind `start` as far as its lines are whole."""
    found = _bytes(file, start, MOST_BYTES)
    return found[: found.rfind(b"\n") + 1]


def _bytes(file: Path, start: int, length: int) -> bytes:
    with file.open("rb") as opened:
        opened.seek(start)
        return opened.read(length)

"""Ending a code server without a loss: its runs and its open calls end first.

Belongs here: what is still in progress on a server, and waiting for it.
Does not belong here: ending the process (`supervision.py`).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import psutil

from shared_resources.serving import calls

# A tick may ask a server for a minute; a call that is open for longer is lost.
_OPEN_CALLS = timedelta(seconds=90)
_AFTER_CANCEL = timedelta(seconds=30)
# Webserver and daemon notice a switch within a second or two; until then they may still call.
_LINGER = timedelta(seconds=2)


@dataclass(frozen=True)
class Drained:
    """How a server ended: the runs that it waited for, and those that were cancelled."""

    seconds: float
    waited_for: int
    cancelled: tuple[str, ...] = ()


def drain(socket: Path, pid: int, patience: timedelta, instance: Path) -> Drained:
    """Wait until nothing is in progress on the server; cancel the runs that outlast the patience.

    `instance` is the folder of the Dagster instance that the runs are of.
    """
    begun = time.monotonic()
    seen: set[str] = set()
    cancelled: tuple[str, ...] = ()
    idle_since = begun
    while pid and psutil.pid_exists(pid):
        now = time.monotonic()
        open_calls = _open_calls(socket, pid)  # before our own, which is open for a moment longer
        running = calls.runs(socket)
        if running is None:
            break  # it has no code loaded, or ended
        seen.update(running)
        if running or (open_calls and now - begun < _OPEN_CALLS.total_seconds()):
            idle_since = now
        elif now - idle_since > _LINGER.total_seconds():
            break
        if running and not cancelled and now - begun > patience.total_seconds():
            cancelled = tuple(running)
            for run in running:
                calls.cancel(socket, run, instance)
        over = patience + _AFTER_CANCEL
        if now - begun > max(over, _OPEN_CALLS).total_seconds():
            break
        time.sleep(0.3)
    return Drained(time.monotonic() - begun, len(seen), cancelled)


def _open_calls(socket: Path, pid: int) -> bool:
    """Whether anybody is connected: Dagster's clients connect for each call."""
    try:
        connections = psutil.Process(pid).net_connections(kind="unix")
    except psutil.Error:
        return False
    return sum(str(one.laddr) == str(socket) for one in connections) > 1  # one of them listens

"""The rule server as a fork of the process that asks it: there at once, where that is safe.

Belongs here: when a fork is safe, and what it lets go of.
Does not belong here: what the server does (`server.py`), which process asks for a fork (`cli/`).

A server that is started anew imports what this process has imported already: a fifth of what an audit
of a small file takes. A fork is safe while no other thread runs, which it would leave behind in the
midst of something. It inherits the memory of its parent, in which the platform's secrets may stand, so
that it asks queries alone: a query cannot look into memory, a function could.
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from shared_resources.confinement.variables import seen_by_domain
from shared_resources.governance.audit.domain_rules.process.server import serve

_THREADS = Path("/proc/self/task")  # those of native libraries, too


class Forked:
    """The other process, asked as `subprocess.Popen` is."""

    def __init__(self, process: int) -> None:
        self._process = process
        self._code: int | None = None

    def poll(self) -> int | None:
        """How it ended; None while it runs."""
        if self._code is None:
            ended, status = os.waitpid(self._process, os.WNOHANG)
            if ended:
                self._code = os.waitstatus_to_exitcode(status)
        return self._code

    def wait(self, timeout: float) -> int:
        """How it ended. Raises `subprocess.TimeoutExpired` when it has not after so many seconds."""
        deadline = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("the rule server", timeout)
            time.sleep(0.002)
        return code


def can_fork() -> bool:
    """Whether this process has one thread alone, as far as the system tells."""
    try:
        return len(list(_THREADS.iterdir())) == 1
    except OSError:
        return False


def fork_server(control: socket.socket) -> Forked:
    """A server that is told what to do by `control`, and has nothing else of this process open."""
    process = os.fork()
    if process:
        return Forked(process)
    code = 1
    try:
        os.setsid()
        _let_go(control.fileno())
        seen = seen_by_domain()
        os.environ.clear()
        os.environ.update(seen)
        serve(control)
        code = 0
    finally:
        os._exit(code)


def _let_go(kept: int) -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1):
        os.dup2(nowhere, standard)
    most = os.sysconf("SC_OPEN_MAX")
    with suppress(OSError):
        most = 1 + max(int(one.name) for one in Path("/proc/self/fd").iterdir())
    os.closerange(3, kept)
    os.closerange(kept + 1, most)

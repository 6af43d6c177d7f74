"""The server that forks a child for each job: a small process that has imported what it needs.

Belongs here: its life, and that nothing of a job is left when the job is over.
Does not belong here: what a child does (`child.py`), who asks (`client.py`).

It is started with the variables that a domain may see. It has no threads, so that a fork is safe.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import socket
import sys
import time
from pathlib import Path

from shared_resources.governance.audit.domain_rules.process.child import answer
from shared_resources.governance.audit.domain_rules.process.limits import inherit_orphans

START, WAIT, KILL = b"S", b"W", b"K"
# What some jobs need is imported when the first is to come, so that no child has to: what reads schemas
# (queries on many parts), and frames, of which pandas alone takes a third of a second (functions). Not
# polars: it starts threads, which a fork would leave behind.
SCHEMAS, FRAMES = b"M", b"F"
_RULES = "shared_resources.governance.audit"
LIBRARIES = {
    SCHEMAS: (f"{_RULES}.engine.staged_data", f"{_RULES}.domain_rules.many_parts"),
    FRAMES: (
        "pandas",
        "shared_resources.contracts.values.lossless",
        f"{_RULES}.engine.staged_data",
        f"{_RULES}.domain_rules.python",
    ),
}
_PATIENCE = 0.5  # for a child that has answered everything, and for what it has started


def serve(control: socket.socket) -> None:
    """Fork and clear up as told until who started this server is gone."""
    inherit_orphans()
    child = 0
    while True:
        told, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        if told in LIBRARIES:
            import_libraries(told)
        elif told == START:
            child = os.fork()
            if not child:
                _be_child(control, descriptors[0])
            os.close(descriptors[0])
        elif told in (WAIT, KILL):
            code, left = _end(child, told == WAIT)
            control.sendall(json.dumps({"code": code, "left": left}).encode() + b"\n")
        else:
            _end(child, False)
            return


def import_libraries(told: bytes) -> None:
    """What a server is told that its jobs need; nothing for other words."""
    for library in LIBRARIES.get(told, ()):
        importlib.import_module(library)


def _be_child(control: socket.socket, descriptor: int) -> None:
    code = 1
    try:
        control.close()
        with socket.socket(fileno=descriptor) as channel:
            answer(channel)
        code = 0
    finally:
        os._exit(code)


def _end(child: int, wait: bool) -> tuple[int | None, int]:
    """How the child ended (a signal is a negative number), and how many processes it left."""
    code: int | None = None
    if not child:
        return code, 0
    deadline = time.monotonic() + _PATIENCE
    while wait and time.monotonic() < deadline:
        ended, status = _reap()
        code = os.waitstatus_to_exitcode(status) if ended == child else code
        if ended is None:
            return code, 0
        if not ended:
            time.sleep(0.002)
    killed: set[int] = set()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        for process in _children():
            killed.add(process)
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        ended, status = _reap()
        code = os.waitstatus_to_exitcode(status) if ended == child else code
        if ended is None:
            break
        if not ended:
            time.sleep(0.002)
    return code, len(killed - {child})


def _reap() -> tuple[int | None, int]:
    """A child that has ended; 0 when all still run, None when there is none."""
    try:
        return os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return None, 0


def _children() -> list[int]:
    """The processes whose parent is this one: the child's, too, once it has ended."""
    found = []
    for place in Path("/proc").iterdir():
        if not place.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            state, parent = (place / "stat").read_text().rpartition(")")[2].split()[:2]
            if int(parent) == os.getpid() and state != "Z":
                found.append(int(place.name))
    return found


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as given:
        serve(given)

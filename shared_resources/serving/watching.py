"""`python -m shared_resources.serving.watching HOME`: what the supervisor does not see by itself.

Belongs here: renewing a server that has grown too large, and letting all runs end at once when all stops.
Does not belong here: how either is done (`servers.py`, `draining.py`).

The supervisor starts it as a listener: it tells events on standard input, and hears on standard output
that they were taken. Whatever this process prints besides goes to standard error, its log.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import psutil
from supervisor.childutils import listener

from shared_resources.problems import MeshProblem
from shared_resources.serving.draining import drain
from shared_resources.serving.limits import memory_limit
from shared_resources.serving.problems import NotServing
from shared_resources.serving.programs import Programs
from shared_resources.serving.servers import PATIENCE, Servers
from shared_resources.serving.supervision import Supervisor, Watched

_LOADING = timedelta(minutes=5)
_DAEMON_ENDS = 60.0


def main(home: Path) -> None:
    limit = memory_limit(os.environ)
    supervisor = Supervisor(Programs(home))
    known: dict[str, Watched] = {}
    renewing = threading.Lock()
    while True:
        headers, _ = listener.wait(sys.stdin, sys.stdout)
        if headers["eventname"] == "SUPERVISOR_STATE_CHANGE_STOPPING":
            _let_end(home, known)
        elif not renewing.locked():
            # One that ends answers nobody any more: what is known of it then is from before.
            with suppress(NotServing):
                known = supervisor.watched()
                renew = threading.Thread(target=_renew_large, args=(home, limit, renewing))
                renew.daemon = True
                renew.start()
        listener.ok(sys.stdout)


def _renew_large(home: Path, limit: int, renewing: threading.Lock) -> None:
    """Replace each server whose own memory, without its runs, is above the limit."""
    servers = Servers(home)
    with renewing, suppress(NotServing):
        for one in servers.running():
            if not one.serving or one.state != "up" or (one.memory or 0) <= limit:
                continue
            _say(
                f"the server of {one.domain} holds {(one.memory or 0) >> 20} MiB, more than the "
                f"{limit >> 20} MiB of MESH_SERVER_MEMORY: it is replaced"
            )
            try:
                with servers.alone():  # a deployment ends the old server by itself
                    drained = servers.renew(one.domain, _LOADING)
            except MeshProblem as problem:
                _say(f"the server of {one.domain} could not be replaced: {problem}")
            else:
                _say(
                    f"the server of {one.domain} was replaced; {drained.waited_for} runs ended first"
                )


def _let_end(home: Path, known: dict[str, Watched]) -> None:
    """Let the runs of all servers end at the same time; the supervisor stops one after the other.

    The daemon ends first, since it would launch runs on servers that take none any more.
    """
    programs = Programs(home)
    daemon = known["daemon"].pid if "daemon" in known else 0
    for program in programs.all():
        seen = known.get(program.name)
        if seen and seen.pid:
            server = (programs.socket(program), seen.pid, programs.instance)
            threading.Thread(target=_end_after, args=(daemon, *server), daemon=True).start()


def _end_after(daemon: int, socket: Path, pid: int, instance: Path) -> None:
    until = time.monotonic() + _DAEMON_ENDS
    while psutil.pid_exists(daemon) and time.monotonic() < until:
        time.sleep(0.1)
    drain(socket, pid, PATIENCE, instance)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)


def _say(text: str) -> None:
    print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except MeshProblem as problem:
        _say(f"mesh: {problem}")
        raise SystemExit(1) from None

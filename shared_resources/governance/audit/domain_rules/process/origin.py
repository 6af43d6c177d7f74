"""The process that the rule servers of several processes are forked from: it imports for all of them.

Belongs here: that process, starting it for a time, and asking it for a server.
Does not belong here: what a server does (`server.py`), and who asks a server (`client.py`).

Each domain's process has a server of its own, as before; importing what servers need takes up to a second
of the processor each, and up to 80 MiB. This process reads no rule and no batch, and is started with the
variables that a domain may see: what is forked from it has nothing of any domain in its memory, nor of
the platform's secrets. It ends when nobody can ask it any more.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from shared_resources.confinement.variables import seen_by_domain

_START = f"from {__name__} import main; main()"
_SERVER = f"{__package__}.server"
_FORK = b"F"
_END_SECONDS = 5.0


@dataclass(frozen=True)
class Origin:
    """Where a process asks for servers, and the variables that they have then."""

    channel: socket.socket
    variables: Mapping[str, str] = field(repr=False)


@dataclass
class _Here:
    origin: Origin | None = None


_here = _Here()


def fork_at(origin: Origin | None) -> None:
    """From now on this process has its rule server forked there; None: it starts one."""
    _here.origin = origin


@contextlib.contextmanager
def serving_rules(log: Path) -> Iterator[Origin | None]:
    """An origin for as long as the block lasts, of which processes may be told; None where the system
    has not what it takes. What it has to say goes to `log`."""
    if sys.platform != "linux":
        yield None
        return
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    variables = seen_by_domain()
    log.parent.mkdir(parents=True, exist_ok=True)
    with theirs, log.open("ab") as errors:
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", _START],
            env=variables | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
        )
    try:
        with ours:
            yield Origin(ours, variables)
            ours.shutdown(socket.SHUT_RDWR)
    finally:
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class OfOrigin:
    """A server that was forked there, asked as `subprocess.Popen` is: by the socket that it serves."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control

    def poll(self) -> int | None:
        """None while it runs."""
        try:
            return None if self._control.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) else 0
        except BlockingIOError:
            return None
        except OSError:
            return 0

    def wait(self, timeout: float) -> int:
        """Until it has ended. Raises `subprocess.TimeoutExpired` when it has not within the seconds."""
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0:
            self._control.settimeout(left)
            with contextlib.suppress(TimeoutError):
                try:
                    if not self._control.recv(4096):
                        return 0
                except ConnectionError:
                    return 0
        raise subprocess.TimeoutExpired("the rule server", timeout)


def server_of_origin(control: socket.socket, theirs: socket.socket) -> OfOrigin | None:
    """A server at the other end, `theirs`, of `control`, that has imported all libraries. None: there is
    no origin, or what it forks would see other variables than a server of this process's own."""
    origin = _here.origin
    if origin is None or seen_by_domain() != origin.variables:
        return None
    try:
        socket.send_fds(origin.channel, [_FORK], [theirs.fileno()])
    except OSError:
        fork_at(None)  # it has ended
        return None
    return OfOrigin(control)


def main() -> NoReturn:
    """The process: its standard input is the channel. Nothing is imported before a server is wanted."""
    channel = socket.socket(fileno=0)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how a server ended
    gc.disable()
    while True:
        told, descriptors, _, _ = socket.recv_fds(channel, len(_FORK), 1)
        if not told:
            os._exit(0)  # what was frozen is not taken apart
        server = importlib.import_module(_SERVER)
        for libraries in server.LIBRARIES:  # one needs these, another those
            server.import_libraries(libraries)
        gc.freeze()  # a server that looks for garbage would copy what it shares
        with contextlib.suppress(OSError):  # who asked hears nothing, and says so
            if os.fork() == 0:
                _be_server(channel, descriptors[0])
        os.close(descriptors[0])


def _be_server(channel: socket.socket, descriptor: int) -> NoReturn:
    code = 1
    try:
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        gc.enable()
        nowhere = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nowhere, channel.detach())
        os.close(nowhere)
        with socket.socket(fileno=descriptor) as control:
            importlib.import_module(_SERVER).serve(control)
        code = 0
    finally:
        os._exit(code)

"""Asking dbt's server: starting it for a time, handing it a command, hearing how that ended.

Belongs here: the side of who asks, in each process that may.
Does not belong here: the server (`server.py`), and what is done where there is none (`process.py`).

The server is asked over one socket. Whoever holds an end of it may ask; when the last of them is gone,
however that came about, so is the server.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO

from shared_resources.confinement.variables import seen_by_domain
from shared_resources.data_products.dbt.forking.server import REFUSED, STARTED
from shared_resources.problems import MeshProblem

_log = logging.getLogger(__name__)

_START = "from shared_resources.data_products.dbt.forking.server import main; main()"
# They are read by the interpreter, the loader and the allocator, before there is a server to be told.
_DECIDE_THE_START = re.compile(r"(PYTHON|LD_|DYLD_|MALLOC_|LC_|LANG)\w*")
UNBUFFERED = {"PYTHONUNBUFFERED": "1"}
_LONGEST_ANSWER = 65_536


class ServerEnded(MeshProblem):
    """dbt's server ended while it ran a command, and the command with it. What it wrote is half."""


@dataclass
class _Here:
    """Whom this process asks, and the most memory that what it asked for has held."""

    channel: socket.socket | None = None
    peak_kib: int = 0


_here = _Here()
_lock = threading.Lock()


def ask_at(channel: socket.socket | None) -> None:
    """From now on this process asks the server at the other end of `channel`; None: no server."""
    _here.channel = channel


def peak_kib() -> int:
    """The most memory that a command has held which this process asked a server for."""
    return _here.peak_kib


@contextlib.contextmanager
def serving(log: Path | None = None) -> Iterator[socket.socket | None]:
    """A server for as long as the block lasts, which this process asks, and who is given the channel.

    None where the system has not what it takes: there each command is a process of its own. What the
    server itself has to say goes to `log`, or where this process says it.
    """
    if sys.platform != "linux":
        yield None
        return
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    variables = _variables_of_start()
    with contextlib.ExitStack() as stack:
        stack.callback(ours.close)
        server = _start(theirs, variables, log)
        stack.callback(_reap, server)
        stack.callback(ask_at, _here.channel)
        stack.callback(ours.shutdown, socket.SHUT_RDWR)
        ask_at(ours)
        yield ours


def _start(
    channel: socket.socket, variables: Mapping[str, str], log: Path | None
) -> subprocess.Popen[bytes]:
    with contextlib.ExitStack() as stack:
        stack.callback(channel.close)
        errors: BinaryIO | None = None
        if log is not None:
            log.parent.mkdir(parents=True, exist_ok=True)
            errors = stack.enter_context(log.open("ab"))
        return subprocess.Popen(
            [sys.executable, "-P", "-c", _START, _digest(variables)],
            env={**variables},
            stdin=channel.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,  # Ctrl-C is for who asks
        )


def _reap(server: subprocess.Popen[bytes]) -> None:
    try:
        server.wait(5)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _digest(variables: Mapping[str, str]) -> str:
    deciding = {name: text for name, text in variables.items() if _DECIDE_THE_START.fullmatch(name)}
    told = json.dumps([sys.executable, sorted(deciding.items())])
    return hashlib.sha256(told.encode()).hexdigest()


class Asked:
    """A command that the server has begun. `lines` is what dbt prints."""

    def __init__(self, control: socket.socket, lines: IO[str]) -> None:
        self._control = control
        self.lines = lines

    def end(self) -> None:
        """End dbt, whatever it does."""
        with contextlib.suppress(OSError):
            self._control.shutdown(socket.SHUT_WR)

    def wait(self) -> int:
        """dbt's exit code; a signal is a negative number. Raises `ServerEnded`."""
        with self._control:
            answer = _heard(self._control)
        if answer is None:
            _forget("it ended while it ran a command")
            raise ServerEnded("dbt's server ended while it ran a command; try it again")
        _, ended = answer
        _here.peak_kib = max(_here.peak_kib, int(ended["peak_kib"]))
        return int(ended["code"])


def expect(modules: Sequence[str], parsing: bool) -> None:
    """Have the server get ready what a command will need; waits for nothing."""
    with _lock, contextlib.suppress(OSError):  # it has ended, which is found when it is asked
        if _here.channel is not None:
            wanted = {
                "modules": [*modules],
                "parsing": parsing,
                "start": _digest(_variables_of_start()),
            }
            _here.channel.send(json.dumps(wanted).encode())


def _variables_of_start() -> dict[str, str]:
    """What the server is started with."""
    return {**seen_by_domain(), **UNBUFFERED}


def ask(
    module: str,
    modules: Sequence[str],
    project: Path,
    arguments: Sequence[str],
    variables: Mapping[str, str],
) -> Asked | None:
    """Have the server run `module`'s `main` with these arguments, in the project's folder.

    `modules` are to be imported before. None: there is no server, or it cannot do it, of which the log
    then says why, and nothing was begun.
    """
    with _lock:
        channel = _here.channel
        if channel is None:
            return None
        command = {"project": str(project), "arguments": [*arguments], "variables": dict(variables)}
        wanted = {
            "module": module,
            "modules": [*modules],
            "parsing": "parse" in arguments,
            "start": _digest(variables),
        }
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        printed, prints = os.pipe()
        memory = os.memfd_create("command")
        try:
            with os.fdopen(memory, "w", encoding="utf-8", closefd=False) as file:
                json.dump(command, file)
            handed = [theirs.fileno(), memory, prints]
            socket.send_fds(channel, [json.dumps(wanted).encode()], handed)
        except OSError as problem:
            ours.close()
            os.close(printed)
            _forget(f"it has ended ({problem})")
            return None
        finally:
            theirs.close()
            os.close(memory)
            os.close(prints)
    return _begun(ours, os.fdopen(printed, encoding="utf-8", errors="replace"))


def _begun(control: socket.socket, lines: IO[str]) -> Asked | None:
    asked = None
    with contextlib.ExitStack() as stack:
        stack.callback(control.close)
        stack.callback(lines.close)
        what, why = _heard(control) or ("", None)
        if what == STARTED:
            stack.pop_all()
            asked = Asked(control, lines)
        elif what == REFUSED:
            _log.warning("dbt runs in a process of its own; its server does not run it: %s", why)
        else:
            _forget("it ended before it began a command")
    return asked


def _heard(control: socket.socket) -> tuple[str, Any] | None:
    try:
        answer = control.recv(_LONGEST_ANSWER)
    except ConnectionError:
        return None
    if not answer:
        return None
    what, more = json.loads(answer)
    return what, more


def _forget(why: str) -> None:
    _log.warning("from now on dbt runs in processes of its own; its server is gone: %s", why)
    ask_at(None)

"""dbt's server: it forks a child for each command, tells who asked how that ended, and ends what nobody
waits for.

Belongs here: the process's loop and a child's first steps. It runs nothing of any project itself, has no
thread and no connection, and reads no command's variables: those a child reads, after it was forked.
Does not belong here: who asks (`asking.py`), what is ready before the fork (`prepared.py`).

A message without descriptors says what is going to be needed. A command arrives as one message: what has
to be ready for it, and three descriptors: the socket on which
it is answered (`control`), memory that holds the command itself, its secrets included, and the pipe for
what dbt prints. Who asked is waiting as long as `control` is open at the other end. The server ends when
nobody can ask it any more, and its children with it, however it ends.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
import time
import traceback
from dataclasses import dataclass
from typing import Any, NoReturn

from shared_resources.data_products.dbt.forking.prepared import Prepared, threads
from shared_resources.governance.audit.domain_rules.process.limits import end_with_parent

STARTED, REFUSED, ENDED = "started", "refused", "ended"
_LONGEST_MESSAGE = 65_536
_DESCRIPTORS = 3


@dataclass(frozen=True)
class _Command:
    """One that is to be run: `memory` holds all of it, `out` is where it prints."""

    module: str
    memory: int
    out: int


class Server:
    """Serves on `channel`. `start` is the digest of what this process was started with."""

    def __init__(self, channel: socket.socket, start: str) -> None:
        self._channel = channel
        self._start = start
        self._prepared = Prepared()
        self._waiting: dict[int, socket.socket] = {}  # the control of each child, by its process
        self._selector = selectors.DefaultSelector()
        self._selector.register(channel, selectors.EVENT_READ)
        # A child's end wakes the loop as a message does.
        woken, wakes = socket.socketpair()
        woken.setblocking(False)
        wakes.setblocking(False)
        self._woken, self._wakes = woken, wakes
        self._selector.register(woken, selectors.EVENT_READ)
        signal.set_wakeup_fd(wakes.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def serve(self) -> _Command | None:
        """Until nobody can ask any more: None. In a child: what it is to run."""
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._woken:
                    self._hear_of_ends()
                elif key.fileobj is self._channel:
                    message, descriptors, _, _ = socket.recv_fds(
                        self._channel, _LONGEST_MESSAGE, _DESCRIPTORS
                    )
                    if not message:
                        self._end_all()
                        return None
                    wanted = json.loads(message)
                    if not descriptors:
                        self._not_here(wanted)  # so that it is ready when a command comes
                    elif command := self._answer(wanted, *descriptors):
                        return command
                else:
                    self._leave(key.data)

    def _answer(
        self, wanted: dict[str, Any], control_: int, memory: int, out: int
    ) -> _Command | None:
        """Fork for one command, or say why not. The command in the child, None in the server."""
        control = socket.socket(fileno=control_)
        child, server = 0, os.getpid()
        why = self._not_here(wanted)
        if not why:
            try:
                child = os.fork()
            except OSError as problem:
                why = f"it cannot fork: {problem}"
            else:
                if child == 0:
                    control.close()
                    self._become_child(server)
                    return _Command(wanted["module"], memory, out)
        os.close(memory)
        os.close(out)
        if why:
            _tell(control, REFUSED, why)
            control.close()
            return None
        with contextlib.suppress(OSError):  # it did the same, or has ended
            os.setpgid(child, child)
        self._waiting[child] = control
        self._selector.register(control, selectors.EVENT_READ, data=child)
        _tell(control, STARTED)
        return None

    def _not_here(self, wanted: dict[str, Any]) -> str:
        """Why a child would not be what a process of its own is; nothing if it is."""
        if wanted["start"] != self._start:
            return "it was started with other variables, of those that decide how Python starts"
        try:
            self._prepared.prepare(wanted["modules"], wanted["parsing"])
        except Exception as problem:  # noqa: BLE001 - of whichever module; a process of its own says it
            return f"it cannot import dbt: {type(problem).__name__}: {problem}"
        if (running := threads()) != 1:
            return f"it has {running} threads, of which a fork would have one"
        return ""

    def _become_child(self, server: int) -> None:
        """In the child: a group of its own, which ends with the server, and nothing of other commands."""
        end_with_parent(signal.SIGKILL)
        if os.getppid() != server:
            os._exit(1)
        with contextlib.suppress(OSError):
            os.setpgid(0, 0)
        gc.enable()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._selector.close()
        for one in (self._channel, self._woken, self._wakes, *self._waiting.values()):
            one.close()

    def _hear_of_ends(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._woken.recv(4096):
                pass
        while self._waiting:
            child, status, used = os.wait4(-1, os.WNOHANG)
            if child == 0:
                return
            control = self._waiting.pop(child)
            code = os.waitstatus_to_exitcode(status)
            _tell(control, ENDED, {"code": code, "peak_kib": used.ru_maxrss})
            with contextlib.suppress(KeyError):  # who asked has gone before
                self._selector.unregister(control)
            control.close()

    def _leave(self, child: int) -> None:
        """Who asked is gone, or wants no more of it, and may be waiting for the end."""
        if control := self._waiting.get(child):
            self._selector.unregister(control)
            _end(child)

    def _end_all(self) -> None:
        for child in self._waiting:
            _end(child)


def _end(child: int) -> None:
    """End the child, which is not waited for yet, and what it has started."""
    for end in (os.killpg, os.kill):  # before it has a group of its own there is none to end
        with contextlib.suppress(ProcessLookupError):
            end(child, signal.SIGKILL)


def _tell(control: socket.socket, what: str, more: object = None) -> None:
    with contextlib.suppress(OSError):  # who asked is gone
        control.send(json.dumps([what, more]).encode())


def _run(command: _Command) -> NoReturn:
    """dbt's command line, as a process that was started for it would run it."""
    code: object = 1
    try:
        with os.fdopen(command.memory, encoding="utf-8") as memory:
            memory.seek(0)
            asked = json.load(memory)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for here, there in ((nothing, 0), (command.out, 1), (command.out, 2)):
            os.dup2(here, there)
        os.close(command.out)
        os.environ.clear()
        os.environ.update(asked["variables"])
        time.tzset()
        os.chdir(asked["project"])
        sys.argv = ["-c", *asked["arguments"]]
        importlib.import_module(command.module).main()
        code = 0
    except SystemExit as ended:
        code = ended.code or 0
    except BaseException:  # noqa: BLE001 - as the interpreter does before it ends
        traceback.print_exc()
    finally:
        # Not by the interpreter's own end, which would take the inherited modules apart.
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 1)


def main() -> None:
    """The process: its standard input is the channel, its argument the digest of how it started."""
    end_with_parent(signal.SIGKILL)
    gc.disable()  # modules stay: a look for garbage while they are imported finds nothing
    command = Server(socket.socket(fileno=0), sys.argv[1]).serve()
    if command is not None:
        _run(command)
    os._exit(0)  # as a child ends: what was frozen is not taken apart

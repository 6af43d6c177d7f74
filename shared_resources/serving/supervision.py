"""The supervisor: what its configuration says, and asking it.

Belongs here: supervisord's files and its XML-RPC over a unix socket.
Does not belong here: what a program is (`programs.py`), when one is started or stopped (`servers.py`).
"""

from __future__ import annotations

import os
import pwd
import shlex
import sys
import time
import xmlrpc.client
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from http.client import HTTPException
from pathlib import Path
from typing import Any

from supervisor.xmlrpc import Faults, SupervisorTransport

from shared_resources.serving.problems import NotServing, ServingProblem
from shared_resources.serving.programs import Program, Programs
from shared_resources.state.whole_file import write_whole

# What a server may take to end after its runs have: open calls, then the interpreter.
_AFTER_RUNS = timedelta(seconds=60)
# A location that fails while it loads is tried again ever more slowly: it failed to *start*.
_LOADING = timedelta(seconds=20)

_MAIN = """\
; Written by `mesh serve` each time it starts.
[supervisord]
nodaemon = true
{user}umask = 077
directory = {folder}
logfile = {logs}/supervisord.log
logfile_maxbytes = 10MB
logfile_backups = 3
pidfile = {folder}/supervisord.pid
childlogdir = {logs}

[unix_http_server]
file = {supervisor}
chmod = 0600

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[include]
files = {files}/*.conf
"""
# The daemon is stopped first, so that nobody launches a run on a server that is about to end.
_PROGRAM = """
[{kind}:{name}]
command = {command}
directory = {folder}
priority = {priority}
autostart = true
autorestart = true
startsecs = {startsecs}
startretries = 1000000
stopsignal = TERM
stopwaitsecs = {stopwaitsecs}
killasgroup = true
{log} = {logs}/{name}.log
{log}_maxbytes = 10MB
{log}_backups = 3
{rest}
"""


@dataclass(frozen=True)
class Watched:
    """What the supervisor knows of a program; `pid` is 0 and `since` None while none runs."""

    state: str
    pid: int
    since: float | None


def write_main(programs: Programs, commands: Sequence[tuple[str, Sequence[str], int]]) -> Path:
    """The main file, with these programs beside the code servers: name, command, priority."""
    user = f"user = {pwd.getpwuid(0).pw_name}\n" if os.getuid() == 0 else ""
    text = _MAIN.format(
        user=user,
        folder=_escaped(programs.folder),
        logs=_escaped(programs.logs),
        files=_escaped(programs.files),
        supervisor=_escaped(programs.supervisor),
    )
    for name, command, priority in commands:
        text += _section(programs, "program", name, command, priority, timedelta(seconds=60))
    file = programs.folder / "supervisord.conf"
    write_whole(file, text.encode())
    return file


def listener(programs: Programs, name: str, command: Sequence[str], patience: timedelta) -> None:
    """A program that hears of the supervisor's events; started first, stopped last."""
    events = "events = SUPERVISOR_STATE_CHANGE_STOPPING,TICK_5"
    text = _section(programs, "eventlistener", name, command, -1, patience, events)
    write_whole(programs.files / f"{name}.conf", text.encode())


def write_program(programs: Programs, program: Program, patience: timedelta) -> None:
    """The program's file; the runs of a server that is stopped get the patience to end."""
    command = [
        sys.executable,
        "-P",
        "-m",
        "shared_resources.serving.launching",
        str(programs.description(program)),
    ]
    text = _section(programs, "program", program.name, command, 100, patience)
    write_whole(programs.configuration(program), text.encode())


def _section(
    programs: Programs,
    kind: str,
    name: str,
    command: Sequence[str],
    priority: int,
    patience: timedelta,
    rest: str = "",
) -> str:
    # What a listener prints is its answer to the supervisor; the others write one log.
    is_listener = kind == "eventlistener"
    return _PROGRAM.format(
        kind=kind,
        name=name,
        command=_escaped(shlex.join(command)),
        folder=_escaped(programs.folder),
        logs=_escaped(programs.logs),
        priority=priority,
        startsecs=round(_LOADING.total_seconds()) if kind == "program" else 1,
        stopwaitsecs=round((patience + _AFTER_RUNS).total_seconds()),
        log="stderr_logfile" if is_listener else "stdout_logfile",
        rest=f"{rest}\nstdout_logfile = NONE" if is_listener else "redirect_stderr = true",
    )


def _escaped(text: object) -> str:
    return str(text).replace("%", "%%")


class Supervisor:
    """A running supervisord. Every call raises `NotServing` where none answers."""

    def __init__(self, programs: Programs) -> None:
        self._programs = programs

    def answers(self) -> bool:
        try:
            state = self._ask("supervisor.getState")
        except NotServing:
            return False
        return bool(state["statename"] == "RUNNING")

    def pid(self) -> int:
        return int(self._ask("supervisor.getPID"))

    def add(self, name: str) -> None:
        """Read the files again, and start what one says that is new."""
        self._ask("supervisor.reloadConfig")
        self._ask("supervisor.addProcessGroup", name)

    def remove(self, name: str) -> None:
        """End its process and forget it; no problem if it is not there."""
        gone = (Faults.BAD_NAME, Faults.NOT_RUNNING)
        self._ask("supervisor.stopProcess", name, True, ignored=gone)
        while name in self.watched():
            # Somebody else may have begun to stop it: then it ends by itself.
            ignored = (Faults.BAD_NAME, Faults.STILL_RUNNING)
            if not self._ask("supervisor.removeProcessGroup", name, ignored=ignored):
                time.sleep(0.2)

    def signal(self, name: str, number: str) -> None:
        self._ask(
            "supervisor.signalProcess", name, number, ignored=(Faults.BAD_NAME, Faults.NOT_RUNNING)
        )

    def watched(self) -> dict[str, Watched]:
        """Each program by its name."""
        found = {}
        for one in self._ask("supervisor.getAllProcessInfo"):
            since = float(one["start"]) if one["pid"] else None
            found[one["name"]] = Watched(one["statename"], int(one["pid"]), since)
        return found

    def _ask(self, method: str, *arguments: Any, ignored: Sequence[int] = ()) -> Any:
        address = f"unix://{self._programs.supervisor}"
        transport = SupervisorTransport(None, None, address)
        try:
            with closing(transport):
                server = xmlrpc.client.ServerProxy("http://supervisor", transport=transport)
                return getattr(server, method)(*arguments)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode in ignored:
                return None
            if fault.faultCode == Faults.SHUTDOWN_STATE:
                raise NotServing(f"`mesh serve` over {self._programs.home} is ending") from fault
            raise ServingProblem(
                f"the supervisor refuses {method} {' '.join(map(str, arguments))}: "
                f"{fault.faultString}; {self._programs.logs}/supervisord.log may say more"
            ) from fault
        except (OSError, HTTPException, xmlrpc.client.ProtocolError) as problem:
            raise NotServing(
                f"nothing is served from {self._programs.home} ({problem}); start `mesh serve` and "
                "leave it running"
            ) from problem

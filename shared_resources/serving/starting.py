"""`mesh serve`: everything that is needed before the supervisor starts.

Belongs here: refusing a second one, ending what a killed one left, writing the supervisor's files.
Does not belong here: a single code server while the rest runs (`servers.py`).
"""

from __future__ import annotations

import os
import socket
import sys
from contextlib import suppress
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from shared_resources.environment import Environment
from shared_resources.serving.problems import AlreadyServing, CannotServe, NotServing
from shared_resources.serving.programs import Program, Programs
from shared_resources.serving.servers import PATIENCE
from shared_resources.serving.supervision import Supervisor, listener, write_main, write_program
from shared_resources.serving.workspace import write_address, write_workspace

# What a killed `mesh serve` may have left running: each names the folder on its command line.
_OURS = (
    "supervisor",
    "dagster-webserver",
    "dagster_instance.daemon",
    "dagster api grpc",
    ".serving.",
)
_TO_END = 30.0


def prepare(environment: Environment, host: str, port: int) -> tuple[list[str], list[str]]:
    """The command that serves, in the foreground, and the domains that it will serve.

    Raises `AlreadyServing`, and `CannotServe` for a port that is taken or a path that is too long.
    """
    from shared_resources.dagster_instance.instance import open_instance

    programs = Programs(environment.home)
    programs.prepare()
    try:
        with FileLock(programs.folder / ".starting.lock", blocking=False):
            _refuse_second(programs)
            _end_orphans(programs)
            _refuse_taken(host, port)
            with open_instance(
                environment
            ):  # its tables are there before several processes want them
                pass
            for program in programs.all():
                _begin_again(programs, program)
            write_workspace(programs)
            write_address(programs, host, port)
            file = _write(programs, host, port)
            domains = programs.domains()
    except Timeout:
        raise AlreadyServing(f"another `mesh serve` starts over {environment.home} now") from None
    command = [sys.executable, "-P", "-m", "supervisor.supervisord", "--nodaemon"]
    return [*command, "--configuration", str(file)], domains


def _refuse_second(programs: Programs) -> None:
    try:
        pid = Supervisor(programs).pid()
    except NotServing:
        return
    raise AlreadyServing(
        f"`mesh serve` runs over {programs.home} already, as process {pid}; stop it with "
        f"`kill {pid}`, or deploy to it"
    )


def _refuse_taken(host: str, port: int) -> None:
    """The webserver would be started again and again in vain."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as asked:
            asked.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            asked.bind((host, port))
    except OSError as problem:
        raise CannotServe(
            f"nothing can listen on {host}:{port} ({problem.strerror}); give another --port, or --host"
        ) from problem


def _begin_again(programs: Programs, program: Program) -> None:
    """Give what is served a new number, and forget what a killed deployment left.

    A server that was left running with runs of its own removes its socket when it ends at last: that
    must not be the new one's.
    """
    if programs.serving(program.server.domain) == program:
        anew = programs.add(program.server)
        write_program(programs, anew, PATIENCE)
        programs.lead_to(anew)
    programs.forget(program)


def _end_orphans(programs: Programs) -> None:
    """End what a killed supervisor left. A code server waits for its runs, and nobody for it."""
    left = [process for process in psutil.process_iter() if _is_ours(process, programs)]
    for process in left:
        try:
            process.terminate()
        except psutil.Error:
            continue
    _, alive = psutil.wait_procs(left, timeout=_TO_END)
    for process in alive:
        # Two daemons would launch everything twice; a server that still has runs harms nobody.
        if not _serves_code(process):
            process.kill()


def _is_ours(process: psutil.Process, programs: Programs) -> bool:
    if process.pid == os.getpid():
        return False
    with suppress(psutil.Error):
        if process.uids().real != os.getuid():
            return False
    words = _words(process)
    return str(programs.folder) in words and any(name in words for name in _OURS)


def _serves_code(process: psutil.Process) -> bool:
    return "dagster api grpc" in _words(process)


def _words(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def _write(programs: Programs, host: str, port: int) -> Path:
    beside = Path(sys.executable)
    workspace = ["--workspace", str(programs.workspace)]
    address = ["--host", host, "--port", str(port)]
    watching = [sys.executable, "-P", "-m", "shared_resources.serving.watching"]
    listener(programs, "watching", [*watching, str(programs.home)], PATIENCE)
    webserver = [str(beside.with_name("dagster-webserver")), *workspace, *address]
    daemon = [sys.executable, "-P", "-m", "shared_resources.dagster_instance.daemon", "run"]
    daemon += workspace
    return write_main(programs, [("daemon", daemon, 999), ("webserver", webserver, 998)])

"""The code servers of this machine: started beside each other, switched, drained.

Belongs here: what `mesh deploy` does to a domain's server while the rest runs on.
Does not belong here: starting and ending all of it (`starting.py`), what makes a release (`releasing/`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from shared_resources.serving import calls, loading
from shared_resources.serving.draining import Drained, drain
from shared_resources.serving.loading import Loaded
from shared_resources.serving.problems import (
    AlreadyServing,
    AnotherDeploys,
    CannotServe,
    LoadFailed,
    NotServing,
    ServingProblem,
)
from shared_resources.serving.programs import CodeServer, Program, Programs
from shared_resources.serving.supervision import Supervisor, write_program
from shared_resources.serving.workspace import tell_others, write_workspace

__all__ = [
    "PATIENCE",
    "AlreadyServing",
    "AnotherDeploys",
    "CannotServe",
    "CodeServer",
    "Drained",
    "LoadFailed",
    "Loaded",
    "NotServing",
    "Running",
    "Servers",
    "ServingProblem",
]

# How long runs that are in progress may take to end when their server does.
PATIENCE = timedelta(minutes=10)


@dataclass(frozen=True)
class Running:
    """A code server that there is. `memory` is in bytes, of the server without its runs."""

    domain: str
    release: str
    serving: bool
    state: str
    pid: int | None
    uptime: timedelta | None
    memory: int | None
    runs: int
    log: Path


class Servers:
    """One machine's code servers under supervisord, with their state in `home/serving`."""

    def __init__(self, home: Path) -> None:
        self._programs = Programs(home.resolve())
        self._supervisor = Supervisor(self._programs)

    def is_up(self) -> bool:
        """Whether `mesh serve` runs over this state."""
        return self._supervisor.answers()

    def start(self, server: CodeServer) -> None:
        """Start it beside what is served; returns at once.

        What a deployment of the same release that was interrupted has left is ended first. Raises
        `NotServing` if `mesh serve` does not run.
        """
        with self._changing():
            self._programs.prepare()
            current = self._programs.serving(server.domain)
            for left in self._programs.of(server.domain, server.release):
                if left != current:
                    self._remove(left)
            program = self._programs.add(server)
            write_program(self._programs, program, PATIENCE)
            try:
                self._supervisor.add(program.name)
            except ServingProblem:
                self._programs.forget(program)
                raise

    def wait_loaded(self, server: CodeServer, patience: timedelta) -> Loaded:
        """Wait until it serves its location. Raises `LoadFailed`, and then it is ended already."""
        program = self._newest(server)
        try:
            return loading.wait(self._programs, self._supervisor, program, patience)
        except LoadFailed:
            with self._changing():
                self._remove(program)
            raise

    def serving(self, domain: str) -> str | None:
        """The release that the domain's symlink leads to."""
        program = self._programs.serving(domain)
        return program.server.release if program else None

    def switch(self, server: CodeServer) -> None:
        """Let webserver and daemon reach it in place of the one before, in one step.

        A domain that was not served is added to the workspace. Raises `ServingProblem` when it is
        served and webserver or daemon could not be told so.
        """
        with self._changing():
            self._programs.lead_to(self._newest(server))
            if write_workspace(self._programs):
                tell_others(self._programs)

    def stop(self, domain: str, release: str, patience: timedelta) -> Drained:
        """Wait for the runs of a release that is no longer served, end it and forget it.

        With it what deployments that were interrupted have left. Runs that outlast the patience are
        cancelled. No problem if there is none. Raises `ServingProblem` for the release that is served.
        """
        current = self._programs.serving(domain)
        old = [one for one in self._programs.of(domain) if one != current]
        named = any(one.server.release == release for one in old)
        if current and current.server.release == release and not named:
            raise ServingProblem(
                f"release {release[:12]} of {domain} is the one that is served: switch to another first, "
                "or withdraw the domain"
            )
        return self._end(old, patience)

    def withdraw(self, domain: str, patience: timedelta = PATIENCE) -> Drained:
        """Serve the domain no longer: it leaves the workspace, then its servers end."""
        with self._changing():
            self._programs.door(domain).unlink(missing_ok=True)
            if write_workspace(self._programs):
                tell_others(self._programs)
        return self._end(self._programs.of(domain), patience)

    def renew(self, domain: str, patience: timedelta) -> Drained:
        """Replace a domain's server by another of the same release, without a gap."""
        before = self._programs.serving(domain)
        if before is None:
            raise ServingProblem(f"domain {domain} is not served; deploy it first")
        self.start(before.server)
        self.wait_loaded(before.server, patience)
        self.switch(before.server)
        return self.stop(domain, before.server.release, patience)

    def running(self) -> list[Running]:
        """Every code server that there is, by domain, the one that is served first."""
        watched = self._supervisor.watched()
        found = []
        for program in self._programs.all():
            seen = watched.get(program.name)
            pid = seen.pid if seen and seen.pid else None
            up = timedelta(seconds=time.time() - seen.since) if seen and seen.since else None
            server = program.server
            found.append(
                Running(
                    domain=server.domain,
                    release=server.release,
                    serving=self._programs.serving(server.domain) == program,
                    state=self._state(program, seen.state if seen else "UNKNOWN"),
                    pid=pid,
                    uptime=up,
                    memory=resident(pid) if pid else None,
                    runs=len(calls.runs(self._programs.socket(program)) or ()),
                    log=self._programs.log(program),
                )
            )
        return sorted(found, key=lambda one: (one.domain, not one.serving))

    def knows(self, server: CodeServer) -> bool:
        """Whether a program of the release is there, served or not."""
        return bool(self._programs.of(server.domain, server.release))

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold what one deployment of this machine holds. Raises `AnotherDeploys`, without waiting."""
        self._programs.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with ExitStack() as held:
            try:
                held.enter_context(FileLock(self._programs.folder / ".deploying.lock", timeout=0))
            except Timeout:
                raise AnotherDeploys(
                    "another deployment is under way on this machine, or a large server is replaced; "
                    "wait until it has ended"
                ) from None
            yield

    def _state(self, program: Program, supervised: str) -> str:
        """In words for people: the supervisor calls a server running that still loads."""
        if supervised in ("RUNNING", "STARTING"):
            return "up" if calls.answers(self._programs.socket(program)) else "loading"
        return {"BACKOFF": "failing", "EXITED": "failing", "STOPPING": "stopping"}.get(
            supervised, supervised.lower()
        )

    def _newest(self, server: CodeServer) -> Program:
        programs = self._programs.of(server.domain, server.release)
        if not programs:
            raise ServingProblem(
                f"release {server.release[:12]} of {server.domain} was not started"
            )
        return programs[-1]

    def _end(self, programs: list[Program], patience: timedelta) -> Drained:
        begun = time.monotonic()
        waited_for = 0
        cancelled: tuple[str, ...] = ()
        watched = self._supervisor.watched()
        instance = self._programs.instance
        for program in programs:
            pid = watched[program.name].pid if program.name in watched else 0
            socket = self._programs.socket(program)
            if in_progress := calls.runs(socket):
                calls.say_where(in_progress, socket, instance)
            drained = drain(socket, pid, patience, instance)
            waited_for += drained.waited_for
            cancelled += drained.cancelled
            with self._changing():
                self._remove(program)
        return Drained(time.monotonic() - begun, waited_for, cancelled)

    def _remove(self, program: Program) -> None:
        self._supervisor.remove(program.name)
        self._programs.forget(program)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """One deployment at a time changes the files; waiting for a server is not among it."""
        if not self.is_up():
            raise NotServing(
                f"nothing is served from {self._programs.home}; start `mesh serve` and leave it running"
            )
        with FileLock(self._programs.folder / ".changing.lock"):
            yield


def resident(pid: int) -> int | None:
    """The resident memory of the process itself, in bytes; None when it is gone."""
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return None

"""Asking the rule server: its start, its answers, and its end when a rule takes too long.

Belongs here: what the audit's own process does for a job.
Does not belong here: which rules are asked, and what their outcomes mean
(`governance/audit/domain_rules/asking.py`).
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace

from shared_resources.confinement.variables import seen_by_domain
from shared_resources.governance.audit.domain_rules.process.forked import (
    Forked,
    can_fork,
    fork_server,
)
from shared_resources.governance.audit.domain_rules.process.job import (
    MOST_BYTES,
    Job,
    Question,
    left,
    read_answer,
)
from shared_resources.governance.audit.domain_rules.process.origin import (
    OfOrigin,
    server_of_origin,
)
from shared_resources.governance.audit.domain_rules.process.server import (
    FRAMES,
    KILL,
    LIBRARIES,
    SCHEMAS,
    START,
    WAIT,
)
from shared_resources.governance.audit.engine.outcome import Outcome
from shared_resources.problems import MeshProblem
from shared_resources.state.per_process import OncePerProcess

# A query is interrupted when its time is over; this much later its process is ended.
GRACE_SECONDS = 2.0
_START_SECONDS = 30.0

Answers = dict[tuple[int, int], Outcome]


class ServerGone(MeshProblem):
    """The rule server cannot be started, or has ended."""


@dataclass
class _Server:
    """The process and the socket to it. One job at a time; threads wait for each other."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    process: subprocess.Popen[bytes] | Forked | OfOrigin | None = None
    control: socket.socket | None = None
    imported: set[bytes] = field(default_factory=set)

    def start(self, libraries: bytes | None) -> None:
        """Start it unless it runs, and have it import `libraries` once; waits for neither."""
        if libraries == FRAMES and isinstance(self.process, Forked):
            self.stop()  # a fork has this process's memory, which a function could look into
        if self.process is None or self.process.poll() is not None:
            self._start()
        if libraries is not None and libraries not in self.imported:
            assert self.control is not None
            with suppress(OSError):  # it has just ended, which is said where an answer is missed
                self.control.sendall(libraries)
            self.imported.add(libraries)

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self.control, self.imported = ours, set()
            self.process = server_of_origin(ours, theirs)
            if self.process is not None:
                self.imported.update(LIBRARIES)
                return
            self.process = subprocess.Popen(
                [sys.executable, "-m", f"{__package__}.server", str(theirs.fileno())],
                env=seen_by_domain() | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )

    def start_as_fork(self) -> None:
        """Be a fork of this process, unless it runs or this process cannot be forked."""
        if self.process is not None or not can_fork():
            return
        ours, theirs = socket.socketpair()
        with theirs:
            self.process = fork_server(theirs)
        self.control, self.imported = ours, set()

    def stop(self) -> None:
        """End it with all that it has started; the next job gets another."""
        if self.control is not None:
            with suppress(OSError):
                self.control.shutdown(socket.SHUT_WR)
        if self.process is not None:
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(_START_SECONDS)
        if self.control is not None:
            self.control.close()
        self.process = self.control = None

    def fork(self, libraries: bytes | None) -> socket.socket:
        """A child that has these libraries; the channel to it."""
        self.start(libraries)
        assert self.control is not None
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self.control, [START], [theirs.fileno()])
        return ours

    def end(self, how: bytes) -> tuple[int | None, int]:
        """How the child ended, and how many processes it had left behind."""
        assert self.control is not None
        self.control.sendall(how)
        said = b""
        while not said.endswith(b"\n"):
            received = self.control.recv(4096)
            if not received:
                raise ServerGone("it has ended")
            said += received
        answer = json.loads(said)
        return answer["code"], answer["left"]


_server = OncePerProcess(_Server)


def prepare(libraries: bytes | None) -> None:
    """Start the server: by the time that its first job comes, it has imported its libraries."""
    server = _server()
    with server.lock:
        server.start(libraries)


def prepare_at_once() -> None:
    """Fork the server from this process, as long as that is safe: for one that asks of one file, at its
    beginning. Otherwise it is started when it is needed."""
    server = _server()
    with server.lock:
        server.start_as_fork()


def run(job: Job, rows: list[int]) -> Answers:
    """Every question's outcome by (part, place). `rows` are those of each part.

    A rule that brings its process down is a problem on the part where it did and on those after it.
    """
    server = _server()
    found: Answers = {}
    with server.lock:
        while job.questions:
            try:
                job = replace(job, questions=_run_once(server, job, rows, found))
            except (ServerGone, OSError) as problem:
                server.stop()
                gone = Outcome(
                    problem=f"the process that runs rules is gone ({problem}); try again"
                )
                return found | {(one.part, one.place): gone for one in job.questions}
    return found


def _run_once(server: _Server, job: Job, rows: list[int], found: Answers) -> tuple[Question, ...]:
    """Ask one child until it is through or down; the questions that are left for another."""
    with server.fork(_libraries(job)) as channel:
        lines = _Lines(channel)
        with suppress(OSError):  # it has ended already, and will not say that it is ready
            channel.sendall(job.line())
        if lines.next(_START_SECONDS) is None:
            server.end(KILL)
            raise ServerGone("it does not start")
        patience = job.seconds + job.at_once_seconds + GRACE_SECONDS
        for number, question in enumerate(job.questions):
            line = lines.next(patience)
            if line is None:
                code, _ = server.end(KILL if lines.open else WAIT)
                down = Outcome(problem=_why(job, question, lines, code))
                later = job.questions[number:]
                found.update(
                    {(one.part, one.place): down for one in later if one.place == question.place}
                )
                return left(later, question.place)
            counts = rows[question.part] if job.python else None
            found[question.part, question.place] = read_answer(line, question, counts)
        _, left_over = server.end(WAIT)
    if left_over:
        for one in job.questions:
            problem = (
                f"{one.text} left {left_over} processes running; a rule ends all that it starts"
            )
            found[one.part, one.place] = Outcome(problem=problem)
    return ()


def _libraries(job: Job) -> bytes | None:
    if job.python:
        return FRAMES
    return SCHEMAS if len({one.part for one in job.questions}) > 1 else None


def _why(job: Job, question: Question, lines: _Lines, code: int | None) -> str:
    """Why no answer came, for people."""
    said = question.text if job.python else "the query"
    if lines.too_long:
        return f"{said} answered more than a rule may say"
    if lines.open:
        setting = "its custom property `seconds`" if job.python else "MESH_AUDIT_SQL_SECONDS"
        remedy = f"simplify it, or raise {setting}"
        return f"{said} took longer than {job.seconds:g} s and was ended; {remedy}"
    if code is not None and code < 0:
        memory = f"; it may take {job.memory >> 20:,} MiB of memory"
        return f"{said} ended its process by signal {-code}{memory}"
    return f"{said} ended its process (exit code {code}) instead of answering"


class _Lines:
    """Lines from a channel, each within its time. `open`: whether the other end still is."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._read = b""
        self.open = True
        self.too_long = False

    def next(self, seconds: float) -> bytes | None:
        deadline = time.monotonic() + seconds
        while b"\n" not in self._read:
            if len(self._read) > MOST_BYTES:
                self.too_long = True
                return None
            self._channel.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                received = self._channel.recv(MOST_BYTES)
            except TimeoutError:
                return None
            except ConnectionResetError:
                received = b""
            if not received:
                self.open = False
                return None
            self._read += received
        line, _, self._read = self._read.partition(b"\n")
        return line

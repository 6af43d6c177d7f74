"""The files of what is served: one program for each code server, and where its socket lies.

Belongs here: names and places below `home/serving`, what a program's file holds, which one a domain's
symlink leads to.
Does not belong here: the supervisor (`supervision.py`), starting and stopping (`servers.py`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from shared_resources.serving.problems import CannotServe, ServingProblem
from shared_resources.state.whole_file import write_whole

_SOCKET_PATH = 103  # bytes that a socket's path may have: Linux takes four more than macOS
_LONGEST_OF_OURS = "supervisor.sock.1234567"  # the supervisor adds its process id for a moment
_SHOWN_OF_DIGEST = 12
_LOGS_KEPT = 5


@dataclass(frozen=True)
class CodeServer:
    """What a domain's code server is: a release, with its interpreter and its files.

    `release` is the release's digest. `files` is its project's root. `environment` are variables beside
    those of the process that serves.
    """

    domain: str
    release: str
    python: Path
    files: Path
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Program:
    """A code server under the supervisor. One release may run twice for a while: the numbers differ."""

    number: int
    server: CodeServer

    @property
    def name(self) -> str:
        release = self.server.release[:_SHOWN_OF_DIGEST]
        return f"{self.server.domain}.{release}.{self.number}"


class Programs:
    """The folder `home/serving`."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.folder = home / "serving"
        self.files = self.folder / "programs"
        self.logs = self.folder / "logs"
        self.sockets = self.folder / "sockets"
        self.doors = self.folder / "doors"
        self.workspace = self.folder / "workspace.yaml"
        self.supervisor = self.folder / "supervisor.sock"

    def prepare(self) -> None:
        """Make the folders. Raises `CannotServe` where the path is too long for a socket's."""
        self._refuse_long(self.folder / _LONGEST_OF_OURS)
        if " " in str(self.home):
            raise CannotServe(f"{self.home} has a blank, which the supervisor cannot do with")
        for folder in (self.folder, self.files, self.logs, self.sockets, self.doors):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def all(self) -> list[Program]:
        """Every program that has a file, the oldest first."""
        found = [self.read(file) for file in self.files.glob("*.json")]
        return sorted(found, key=lambda program: program.number)

    def of(self, domain: str, release: str | None = None) -> list[Program]:
        """Those of a domain, or of one release of it, the oldest first."""
        return [
            program
            for program in self.all()
            if program.server.domain == domain and release in (None, program.server.release)
        ]

    def read(self, file: Path) -> Program:
        """The program that a file of `files` describes."""
        try:
            held = json.loads(file.read_text())
            server = CodeServer(
                domain=held["domain"],
                release=held["release"],
                python=Path(held["python"]),
                files=Path(held["files"]),
                environment=dict(held["environment"]),
            )
            return Program(int(held["number"]), server)
        except (ValueError, KeyError, TypeError) as problem:
            raise ServingProblem(
                f"{file} does not describe a code server ({problem}); remove it and deploy its domain "
                "again"
            ) from problem

    def add(self, server: CodeServer) -> Program:
        """A program of a number that no other has, with its file. Raises `CannotServe` as `prepare`."""
        self._refuse_long(self.door(server.domain))
        numbers = [program.number for program in self.all()]
        program = Program(max(numbers, default=0) + 1, server)
        held = {
            "number": program.number,
            "domain": server.domain,
            "release": server.release,
            "python": str(server.python),
            "files": str(server.files),
            "environment": dict(server.environment),
        }
        self.socket(program).unlink(missing_ok=True)
        write_whole(self.description(program), json.dumps(held, indent=1).encode())
        return program

    def forget(self, program: Program) -> None:
        """Remove what is the program's, but for its log."""
        self.configuration(program).unlink(missing_ok=True)
        self.description(program).unlink(missing_ok=True)
        self.socket(program).unlink(missing_ok=True)
        logs = self.logs.glob(f"{program.server.domain}.*.log")
        for old in sorted(logs, key=lambda log: log.stat().st_mtime)[:-_LOGS_KEPT]:
            for part in self.logs.glob(f"{old.name}*"):
                part.unlink(missing_ok=True)

    def description(self, program: Program) -> Path:
        return self.files / f"{program.name}.json"

    def configuration(self, program: Program) -> Path:
        return self.files / f"{program.name}.conf"

    def log(self, program: Program) -> Path:
        return self.logs / f"{program.name}.log"

    def socket(self, program: Program) -> Path:
        return self.sockets / str(program.number)

    def door(self, domain: str) -> Path:
        """The symlink that webserver and daemon connect to."""
        return self.doors / f"{domain}.sock"

    def serving(self, domain: str) -> Program | None:
        """The program that the domain's symlink leads to."""
        try:
            socket = self.door(domain).readlink()
        except FileNotFoundError:
            return None
        led_to = [program for program in self.of(domain) if str(program.number) == socket.name]
        return led_to[0] if led_to else None

    @property
    def instance(self) -> Path:
        """The folder of the Dagster instance that everything here works with."""
        return Path(os.environ.get("DAGSTER_HOME") or self.home / "dagster")

    def domains(self) -> list[str]:
        """Those that are served."""
        doors = sorted(door.stem for door in self.doors.glob("*.sock") if door.is_symlink())
        return [domain for domain in doors if self.serving(domain)]

    def lead_to(self, program: Program) -> None:
        """Let the domain's symlink lead to the program, in one step."""
        domain = program.server.domain
        made = self.doors / f".{domain}-{os.getpid()}"  # no door: those end with .sock
        made.unlink(missing_ok=True)
        made.symlink_to(Path("..") / self.socket(program).relative_to(self.folder))
        made.replace(self.door(domain))

    def _refuse_long(self, socket: Path) -> None:
        excess = len(os.fsencode(socket)) - _SOCKET_PATH
        if excess > 0:
            raise CannotServe(
                f"{self.home} is too long a path for the socket {socket.name} below it, by {excess} "
                "bytes: set MESH_HOME to a shorter one, such as /var/lib/mesh"
            )

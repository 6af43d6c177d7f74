"""Whether a code server has loaded its location, and if not, why: in words for its team.

Belongs here: waiting for it, and reading the log of one that ended or hangs.
Does not belong here: what becomes of it then (`servers.py`).
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from shared_resources.serving.calls import Held, Refused, answers, contents
from shared_resources.serving.launching import STARTS
from shared_resources.serving.problems import LoadFailed
from shared_resources.serving.programs import Program, Programs
from shared_resources.serving.supervision import Supervisor

_ENDED = frozenset({"BACKOFF", "EXITED", "FATAL", "STOPPED", "UNKNOWN"})
_LAST_OF_LOG = 200_000
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_FRAME = re.compile(r'^ *File "(?P<file>[^"]+)", line (?P<line>\d+) in (?P<name>.*)$')
_TRACEBACK = "Traceback (most recent call last):"
_PLACE = re.compile(r'^ *File "(?P<file>[^"]+)", line (?P<line>\d+)')


@dataclass(frozen=True)
class Loaded:
    """A code server that serves its location."""

    seconds: float
    holds: Held


def wait(
    programs: Programs, supervisor: Supervisor, program: Program, patience: timedelta
) -> Loaded:
    """Wait until the server has loaded. Raises `LoadFailed` with the location's own error."""
    begun = time.monotonic()
    socket, log = programs.socket(program), programs.log(program)
    while not answers(socket):
        watched = supervisor.watched().get(program.name)
        if watched is None or watched.state in _ENDED:
            raise LoadFailed(f"{_whose(program)} could not be loaded: {_error(log, program)}")
        if time.monotonic() - begun > patience.total_seconds():
            supervisor.signal(program.name, "ABRT")
            time.sleep(0.5)  # it writes the stack of its threads
            raise LoadFailed(
                f"{_whose(program)} did not load within {patience.total_seconds():g} s: "
                f"{_where(log, program)}; nothing may be waited for while its modules are imported "
                f"(log: {log})"
            )
        time.sleep(0.1)
    try:
        holds = contents(socket, program.server.domain)
    except Refused as refused:
        raise LoadFailed(
            f"{_whose(program)} could not be loaded: {refused} (log: {log})"
        ) from refused
    return Loaded(time.monotonic() - begun, holds)


def _whose(program: Program) -> str:
    return f"domain {program.server.domain}, release {program.server.release[:12]},"


def _error(log: Path, program: Program) -> str:
    """The first exception of the last start, which is the cause of those that follow."""
    lines = _since_start(log)
    if _TRACEBACK not in lines:
        last = [line for line in lines if line.strip()][-1:]
        return f"its process ended{': ' + last[0] if last else ' without a word'} (log: {log})"
    at = lines.index(_TRACEBACK)
    place = ""
    said: list[str] = []
    for line in lines[at + 1 :]:
        found = _PLACE.match(line)
        if found and _is_ours(found["file"], program):
            place = f"{_short(found['file'], program)}:{found['line']}: "
        if line and not line.startswith(" "):
            said.append(line)
        elif said:
            break
    return f"{place}{' '.join(said) or 'its process ended'} (log: {log})"


def _where(log: Path, program: Program) -> str:
    """Where the domain's own code stood when it was told to abort."""
    for line in _since_start(log):
        found = _FRAME.match(line)
        if found and _is_ours(found["file"], program):
            return (
                f"it waits at {_short(found['file'], program)}:{found['line']}, in {found['name']}"
            )
    return "it hangs"


def _is_ours(file: str, program: Program) -> bool:
    return Path(file).is_relative_to(program.server.files)


def _short(file: str, program: Program) -> str:
    return str(Path(file).relative_to(program.server.files))


def _since_start(log: Path) -> list[str]:
    return list(_lines(log))


def _lines(log: Path) -> Iterator[str]:
    if not log.exists():
        return
    with log.open("rb") as opened:
        opened.seek(max(0, log.stat().st_size - _LAST_OF_LOG))
        text = opened.read().decode(errors="replace")
    *_, last = text.split(STARTS)
    yield from _COLOURS.sub("", last).splitlines()

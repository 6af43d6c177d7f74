"""Whether a code server has loaded its location, and if not, why: in words for its team.

Belongs here: waiting for it, and reading the log of one that ended or hangs.
Does not belong here: what becomes of it then (`servers.py`).
"""

from __future__ import annotations

import re
import time
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
# Seconds until one that is told to abort has written its stacks and ended, on a busy machine.
_TO_ABORT = 20.0
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
            where = where_it_waits(_aborted(supervisor, program, log), program)
            raise LoadFailed(
                f"{_whose(program)} did not load within {patience.total_seconds():g} s: {where}; "
                f"nothing may be waited for while its modules are imported (log: {log})"
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


def _aborted(supervisor: Supervisor, program: Program, log: Path) -> list[str]:
    """Tell it to abort; what it has written of itself when it has ended.

    The supervisor starts it again at once, so that what it wrote stands before the last start.
    """
    told = log.stat().st_size if log.exists() else 0
    before = supervisor.watched().get(program.name)
    supervisor.signal(program.name, "ABRT")
    until = time.monotonic() + _TO_ABORT
    while before and before.pid and time.monotonic() < until:
        now = supervisor.watched().get(program.name)
        if now is None or now.pid != before.pid:
            break
        time.sleep(0.1)
    text = _text(log, told)
    return _COLOURS.sub("", text.partition(STARTS)[0]).splitlines()


def where_it_waits(stacks: list[str], program: Program) -> str:
    """Where the domain's own code stood, by the stack of each thread, in each the innermost first.

    A location is loaded by the first thread, which is the last that is listed: another may be the
    domain's own, and wait as it should.
    """
    found = ""
    seen = False
    for line in stacks:
        frame = _FRAME.match(line)
        if frame is None:
            seen = False
        elif not seen and _is_ours(frame["file"], program):
            place = f"{_short(frame['file'], program)}:{frame['line']}"
            found, seen = f"it waits at {place}, in {frame['name']}", True
    return found or "it hangs"


def _is_ours(file: str, program: Program) -> bool:
    return Path(file).is_relative_to(program.server.files)


def _short(file: str, program: Program) -> str:
    return str(Path(file).relative_to(program.server.files))


def _since_start(log: Path) -> list[str]:
    size = log.stat().st_size if log.exists() else 0
    *_, last = _text(log, max(0, size - _LAST_OF_LOG)).split(STARTS)
    return _COLOURS.sub("", last).splitlines()


def _text(log: Path, since: int) -> str:
    """What stands in the log since then, or all of it where it was begun anew."""
    if not log.exists():
        return ""
    with log.open("rb") as opened:
        size = log.stat().st_size
        opened.seek(since if since <= size else 0)
        return opened.read().decode(errors="replace")

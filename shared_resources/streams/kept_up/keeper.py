"""Several streams under one roof: a process each, so that one that stops disturbs no other.

Belongs here: when a process is started, and started again; how all of them end.
Does not belong here: which there are and what their command is (`cli/commands/arriving/`).

A process that ended with `SOMEBODY_ACTS` stays down: started again it would end the same way. So does
one that ended well, since somebody has told it to. Whatever else one died of, it is started again.
"""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from shared_resources.problems import MeshProblem

SOMEBODY_ACTS = 2
_LOOK_SECONDS = 0.2
_READY_SECONDS = 5.0
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
# Who ran for so long was well: its next death is a new trouble.
_WELL_SECONDS = 60.0
_END_SECONDS = 120.0


@dataclass(frozen=True)
class Wanted:
    """A process: its name for people, its command, and what it still waits for (nothing: "")."""

    name: str
    command: Sequence[str]
    lacks: Callable[[], str] = lambda: ""


@dataclass
class _Kept:
    wanted: Wanted
    process: subprocess.Popen[bytes] | None = None
    next_at: float = 0.0
    began_at: float = 0.0
    pause: float = field(default_factory=lambda: _FIRST_PAUSE)
    said: str = ""
    code: int | None = None  # with which it ended for good


@dataclass
class Keeper:
    """`stopping` is asked often; `say` hears what a person should know of the processes."""

    stopping: Callable[[], bool]
    say: Callable[[str], None]
    _kept: list[_Kept] = field(default_factory=list)

    def keep(self, wanted: Sequence[Wanted]) -> bool:
        """Keep them up until `stopping`, or all have ended for good; whether none ended in trouble."""
        self._kept = [_Kept(one) for one in wanted]
        try:
            while not self.stopping() and any(one.code is None for one in self._kept):
                for one in self._kept:
                    self._look_at(one)
                time.sleep(_LOOK_SECONDS)
        finally:
            self._end()
        return all(one.code in (None, 0) for one in self._kept)

    def _look_at(self, one: _Kept) -> None:
        if one.code is not None:
            return
        if one.process is None:
            if time.monotonic() >= one.next_at and self._is_ready(one):
                # A terminal's Ctrl-C is for this process alone, which ends the others in order.
                one.process = subprocess.Popen(one.wanted.command, start_new_session=True)
                one.began_at = time.monotonic()
        elif (code := one.process.poll()) is not None:
            self._ended(one, code)

    def _is_ready(self, one: _Kept) -> bool:
        try:
            lacks = one.wanted.lacks()
        except MeshProblem as problem:
            lacks = str(problem)
        if lacks and lacks != one.said:
            self.say(f"{one.wanted.name}: {lacks}")
        one.said = lacks
        one.next_at = time.monotonic() + _READY_SECONDS
        return not lacks

    def _ended(self, one: _Kept, code: int) -> None:
        one.process = None
        if code in (0, SOMEBODY_ACTS):
            one.code = code
            how = "has ended" if code == 0 else "cannot go on until somebody acts"
            self.say(f"{one.wanted.name}: {how}; the others go on")
            return
        now = time.monotonic()
        if now - one.began_at > _WELL_SECONDS:
            one.pause = _FIRST_PAUSE
        how = f"ended with {code}" if code > 0 else f"was ended by {signal.Signals(-code).name}"
        self.say(f"{one.wanted.name}: {how}; it is started again in {one.pause:.0f} s")
        one.next_at = now + one.pause
        one.pause = min(2 * one.pause, _LONGEST_PAUSE)

    def _end(self) -> None:
        """Each commits what it has gathered; who does not end in time is killed, and loses nothing."""
        running = [one.process for one in self._kept if one.process is not None]
        for process in running:
            process.terminate()
        until = time.monotonic() + _END_SECONDS
        for process in running:
            try:
                process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

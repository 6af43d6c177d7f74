"""Several streams under one roof: a process each, so that one that stops disturbs no other.

Belongs here: when a process is started, and started again; how all of them end.
Does not belong here: which there are and what their command is (`cli/commands/arriving/`).

One that ended well stays down, since somebody has told it to. One that ended with `SOMEBODY_ACTS` would
end the same way, until that is done: it is tried again, ever more rarely, so that nobody need start the
others anew. Whatever else one died of may pass, and it is started again soon.
"""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from shared_resources.problems import MeshProblem
from shared_resources.streams.kept_up.endings import SOMEBODY_ACTS

_LOOK_SECONDS = 0.2
_READY_SECONDS = 5.0
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
# Each try of what waits for a person is a process that reads the whole mesh.
_FIRST_PATIENCE, _LONGEST_PATIENCE = 60.0, 960.0
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
    patience: float = field(default_factory=lambda: _FIRST_PATIENCE)
    said: str = ""
    waits_for_somebody: bool = False
    told_to_end: bool = False


@dataclass
class Keeper:
    """`stopping` is asked often; `say` hears what a person should know of the processes."""

    stopping: Callable[[], bool]
    say: Callable[[str], None]
    _kept: list[_Kept] = field(default_factory=list)

    def keep(self, wanted: Sequence[Wanted]) -> bool:
        """Keep them up until `stopping`, or all were told to end; whether none waits for somebody."""
        self._kept = [_Kept(one) for one in wanted]
        try:
            while not self.stopping() and not all(one.told_to_end for one in self._kept):
                for one in self._kept:
                    self._look_at(one)
                time.sleep(_LOOK_SECONDS)
        finally:
            self._end()
        return not any(one.waits_for_somebody for one in self._kept)

    def _look_at(self, one: _Kept) -> None:
        if one.told_to_end:
            return
        if one.process is None:
            if time.monotonic() >= one.next_at and self._is_ready(one):
                # A terminal's Ctrl-C is for this process alone, which ends the others in order.
                one.process = subprocess.Popen(one.wanted.command, start_new_session=True)
                one.began_at = time.monotonic()
        elif (code := one.process.poll()) is not None:
            self._ended(one, code)
        elif one.waits_for_somebody and self._is_well(one):
            one.waits_for_somebody = False
            self.say(f"{one.wanted.name}: goes on again")

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

    def _is_well(self, one: _Kept) -> bool:
        return time.monotonic() - one.began_at > _WELL_SECONDS

    def _ended(self, one: _Kept, code: int) -> None:
        one.process = None
        if code == 0:
            one.told_to_end, one.waits_for_somebody = True, False
            self.say(f"{one.wanted.name}: has ended; the others go on")
            return
        if self._is_well(one):
            one.pause, one.patience = _FIRST_PAUSE, _FIRST_PATIENCE
        if code == SOMEBODY_ACTS:
            self._waits_for_somebody(one)
            return
        one.waits_for_somebody = False
        how = f"ended with {code}" if code > 0 else f"was ended by {signal.Signals(-code).name}"
        self.say(f"{one.wanted.name}: {how}; it is started again in {one.pause:.0f} s")
        one.next_at = time.monotonic() + one.pause
        one.pause = min(2 * one.pause, _LONGEST_PAUSE)

    def _waits_for_somebody(self, one: _Kept) -> None:
        """Said once: what is tried and ends the same way is nothing new."""
        if not one.waits_for_somebody:
            self.say(
                f"{one.wanted.name}: cannot go on until somebody acts; the others go on, and it is tried "
                f"again, in {one.patience:.0f} s and then more rarely"
            )
        one.waits_for_somebody = True
        one.next_at = time.monotonic() + one.patience
        one.patience = min(2 * one.patience, _LONGEST_PATIENCE)

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

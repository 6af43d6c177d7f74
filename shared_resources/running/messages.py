"""What `mesh run` and its worker processes tell each other.

Belongs here: a task, what a location is, how a run ended; all of it can be pickled.
Does not belong here: sending it (`workers.py`), and what follows from it (`engine.py`).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Task:
    product: str
    partitions: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunOutcome:
    """How one run ended. `message` is for people: the refusal or the error, empty when it succeeded."""

    product: str
    run_id: str
    succeeded: bool
    message: str = ""
    rows: int | None = None
    version: int | None = None
    seconds: float = 0.0
    peak_mib: float | None = None
    days: tuple[str, ...] = ()  # those that were published, of a product with days


@dataclass(frozen=True)
class Waits:
    """The task has not begun: `message` says for whom it waits. Its outcome follows."""

    message: str


@dataclass(frozen=True)
class Loaded:
    """A location that loaded: what each of its products reads, and why some of them are stopped."""

    reads: dict[str, tuple[str, ...]]
    stopped: dict[str, str]


@dataclass(frozen=True)
class NotLoaded:
    message: str

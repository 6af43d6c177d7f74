"""A log that does not answer is asked once, whoever looks at many of its topics.

Belongs here: remembering that. Does not belong here: which errors mean that nobody answers (the logs').
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from shared_resources.streams.log.port import LogUnreachable

_T = TypeVar("_T")


class AskedOnce:
    """For one look at a mesh: who waits for an answer in vain, waits once."""

    def __init__(self) -> None:
        self.unreachable: LogUnreachable | None = None

    def ask(self, question: Callable[[], _T]) -> _T:
        """What `question` answers. Raises what it raises, `LogUnreachable` without asking once it did."""
        if self.unreachable is not None:
            raise self.unreachable
        try:
            return question()
        except LogUnreachable as problem:
            self.unreachable = problem
            raise

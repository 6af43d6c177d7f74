"""Who asks: from a request's header to a reader, and bounds on guessing.

Belongs here: what is remembered of tokens, for how long, and how many unknown ones are looked up.
Does not belong here: tokens themselves (`tokens.py`), what they show (`serving_ports/reading.py`).

A token that was revoked is known as such within `FRESH` seconds. What is not written as a token is, is
looked up nowhere; of what is, and is unknown, `GUESSES` are within `FRESH` seconds. Beyond them who was
in force a moment ago is still answered, and everybody else is told to wait: nobody guesses 256 bits, but
whoever tries would keep the mesh's state busy.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TypeVar

from starlette.concurrency import run_in_threadpool

from shared_resources.access.door import Reader
from shared_resources.problems import MeshProblem
from shared_resources.serving_ports.http.tokens import Tokens, is_written_as_one
from shared_resources.serving_ports.kept_grants import FRESH

GUESSES = 50
_MOST = 10_000
# A token that is used is looked up again when so much of its time is left.
_AHEAD = 0.6
# Seconds for which who was in force is told from who guesses.
_REMEMBERED = 600.0
_Kept = TypeVar("_Kept")


@dataclass
class _Known:
    reader: Reader
    until: float
    used: bool = True


class TooManyGuesses(MeshProblem):
    """Unknown tokens are not looked up for a moment."""


class Askers:
    """Of one event loop."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._known: dict[str, _Known] = {}
        self._unknown: dict[str, float] = {}
        self._guesses, self._since = 0, 0.0

    async def reader(self, header: str) -> Reader | None:
        """Who sends this `Authorization`; None for nobody who is known. Raises `TooManyGuesses`."""
        scheme, _, secret = header.partition(" ")
        if scheme.lower() != "bearer" or not is_written_as_one(secret):
            return None
        now = time.monotonic()
        known = self._known.get(secret)
        if known is not None and known.until >= now:
            known.used = True
            return known.reader
        if known is None:
            if self._unknown.get(secret, 0.0) >= now:
                return None
            self._count(now)
        token = await run_in_threadpool(self._tokens.find, secret)
        if token is None:
            self._known.pop(secret, None)
            _keep(self._unknown, secret, now + FRESH)
            return None
        if known is None:
            self._guesses -= 1
        _keep(self._known, secret, _Known(token.reader, now + FRESH))
        return token.reader

    async def renew(self) -> None:
        """Look up again what was used since it was looked up, before somebody waits for it; forget what
        was not for a while."""
        now = time.monotonic()
        for secret, known in list(self._known.items()):
            if known.used and known.until - now < _AHEAD * FRESH:
                began = time.monotonic()
                token = await run_in_threadpool(self._tokens.find, secret)
                if token is None:
                    self._known.pop(secret, None)
                else:
                    self._known[secret] = _Known(token.reader, began + FRESH, used=False)
            elif known.until + _REMEMBERED < now:
                self._known.pop(secret, None)

    def _count(self, now: float) -> None:
        if now - self._since > FRESH:
            self._guesses, self._since = 0, now
        if self._guesses >= GUESSES:
            raise TooManyGuesses("too many unknown tokens were sent; try again in a second")
        self._guesses += 1


def _keep(kept: dict[str, _Kept], name: str, value: _Kept) -> None:
    if len(kept) >= _MOST:
        kept.clear()
    kept[name] = value

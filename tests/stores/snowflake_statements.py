"""What the Snowflake store says to Snowflake: recorded, or answered as a bad network would.

Belongs here: stepping between the store and its session. Does not belong here: assertions.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared_resources.stores.cloud_warehouse.session import (
    ConnectionLost,
    Result,
    SnowflakeSession,
)
from tests.stores.places import Place
from tests.stores.products import day, publish
from tests.stores.workers import DAILY


@dataclass
class Said:
    """The statements in order, and the values that were bound to them."""

    statements: list[str] = field(default_factory=list)
    values: list[tuple[Any, ...]] = field(default_factory=list)

    def starting(self, words: str) -> list[str]:
        return [statement for statement in self.statements if statement.startswith(words)]


@contextlib.contextmanager
def recorded() -> Iterator[Said]:
    """Record every statement of this process, reading included."""
    said = Said()
    original = SnowflakeSession._cursor

    def recording(self: SnowflakeSession, statement: str, values: Sequence[Any]) -> Any:
        said.statements.append(statement)
        said.values.append(tuple(values))
        return original(self, statement, values)

    SnowflakeSession._cursor = recording  # type: ignore[method-assign]
    try:
        yield said
    finally:
        SnowflakeSession._cursor = original  # type: ignore[method-assign]


@contextlib.contextmanager
def losing(statement_number: int, *, executed: bool) -> Iterator[list[str]]:
    """Lose the connection at that statement, before or after Snowflake executed it.

    Yields the statements that were lost: none when fewer were said.
    """
    original = SnowflakeSession.execute
    lost: list[str] = []
    count = 0

    def unreliable(self: SnowflakeSession, statement: str, values: Sequence[Any] = ()) -> Result:
        nonlocal count
        count += 1
        if count - 1 != statement_number:
            return original(self, statement, values)
        if executed:
            original(self, statement, values)
        lost.append(statement)
        self.close()
        raise ConnectionLost("the test cut the connection")

    SnowflakeSession.execute = unreliable  # type: ignore[method-assign]
    try:
        yield lost
    finally:
        SnowflakeSession.execute = original  # type: ignore[method-assign]


@contextlib.contextmanager
def losing_after(word: str, number: int) -> Iterator[list[str]]:
    """Lose the connection after the `number`th statement that begins with the word was executed.

    Yields the statements that were lost: none when fewer were said.
    """
    original = SnowflakeSession.execute
    said: list[str] = []
    lost: list[str] = []

    def unreliable(self: SnowflakeSession, statement: str, values: Sequence[Any] = ()) -> Result:
        done = original(self, statement, values)
        said.extend([statement] if statement.startswith(word) else [])
        if len(said) == number and not lost:
            lost.append(statement)
            self.close()
            raise ConnectionLost("the test cut the connection")
        return done

    SnowflakeSession.execute = unreliable  # type: ignore[method-assign]
    try:
        yield lost
    finally:
        SnowflakeSession.execute = original  # type: ignore[method-assign]


def publish_and_die_at(
    place: Place, batch_id: str, numbers: Sequence[int], statement_number: int, when: str
) -> None:
    """Publish a batch of one partition; die (SIGKILL) before or after its n-th statement."""
    original = SnowflakeSession.execute
    count = 0

    def deadly(self: SnowflakeSession, statement: str, values: Sequence[Any] = ()) -> Result:
        nonlocal count
        count += 1
        if count - 1 == statement_number and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(self, statement, values)
        if count - 1 == statement_number:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    SnowflakeSession.execute = deadly  # type: ignore[method-assign]
    publish(place.open(), DAILY, batch_id, {day(0): numbers})

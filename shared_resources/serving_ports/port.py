"""The port: what is asked of a store that serves rows by their key.

Belongs here: the protocol, and the types that cross it. One conformance suite tests every port.
Does not belong here: which version becomes a generation (`following.py`), what a reader may see
(`reading.py`), how values are written (`rows.py`).

    begin -> load … -> (read back, counted, compared) -> written -> switch        drop

A generation's name is its writer's alone and is never used again, so that a pointer that has one name
has had no other meanwhile. Whoever dies before the switch has changed nothing for readers: what he left
is `WRITING` or `WRITTEN`, and is dropped by the next who follows. `drop` first takes from a generation
that it may become current, then its rows: a writer that was thought dead, and is not, cannot switch to
what is being taken away.

A row is `(key, row)`, both text (`rows.py`). `upsert` changes single rows of the current generation, and
notes with them the position of the stream that they come from, in one step: who begins again reads the
position, and goes on behind it. A writer says after which position it writes: another one that has
written since is seen, whatever it has written. A new generation begins without a position: it shows its
version, and the stream's writer brings it level from where that version ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Protocol

from shared_resources.contracts.promise import parse_type
from shared_resources.contracts.types import ColumnType
from shared_resources.problems import MeshProblem
from shared_resources.stores.protocol import Version

Row = tuple[str, str]


class State(StrEnum):
    WRITING = "writing"
    WRITTEN = "written"
    CURRENT = "current"
    REPLACED = "replaced"
    DROPPING = "dropping"


class PortUnreachable(MeshProblem):
    """The port does not answer; the message names it, without a password. It may pass."""


class Superseded(MeshProblem):
    """The generation is not what its writer takes it for any more: it was replaced, or dropped."""


class Behind(MeshProblem):
    """Somebody else has written since: these rows do not come after those that are there."""


@dataclass(frozen=True)
class Generation:
    """One version as it is served. `columns` are those of a row, in order, with DuckDB's names of their
    types; `shown` are those that readers are served, the others are there for agreements' conditions.

    `rows` and `digest` (`rows.Digest`) are of what the version holds.
    """

    id: str
    product: str
    store: str
    version: int
    batch_id: str
    published_at: datetime
    columns: tuple[tuple[str, str], ...]
    key: tuple[str, ...]
    shown: tuple[str, ...]
    contract_version: str = ""
    rows: int = 0
    digest: str = ""

    @cached_property
    def types(self) -> dict[str, ColumnType]:
        return {name: parse_type(type_) for name, type_ in self.columns}

    @property
    def as_version(self) -> Version:
        return Version(
            self.product, self.store, self.version, self.batch_id, self.rows, self.published_at
        )

    def same_as(self, other: Generation) -> bool:
        """Whether it serves the same of the same version."""
        return all(
            getattr(self, name) == getattr(other, name)
            for name in ("store", "version", "batch_id", "columns", "key", "shown")
        )

    def newer_than(self, other: Generation) -> bool:
        """Numbers count in one store; between two, the moment of publication does."""
        if self.store == other.store:
            return self.version > other.version
        return self.published_at > other.published_at


@dataclass(frozen=True)
class Held:
    """A generation that the port has, whatever became of it. `since` is when its state began. `note` is
    what the writer of the position says of it."""

    generation: Generation
    state: State
    since: datetime
    position: int | None = None
    note: str = ""


@dataclass(frozen=True)
class Found:
    """What stands under a key, in the generation that was current: None for no row."""

    generation: Generation
    row: str | None
    position: int | None = None
    note: str = ""


@dataclass(frozen=True)
class Counted:
    """What is to be noted with a generation when all of its rows are there."""

    rows: int
    digest: str = field(repr=False)


class ServingPort(Protocol):
    """Every method is safe to call from many threads and processes. Each raises `PortUnreachable`."""

    name: str
    remote: bool  # whether it is asked over a network, and waited for

    def products(self) -> list[str]:
        """The products of which the port has anything, sorted."""
        ...

    def current(self, product: str) -> Held | None: ...

    def held(self, product: str) -> list[Held]:
        """Every generation, the oldest state first."""
        ...

    def begin(self, generation: Generation) -> None:
        """Note it as being written, and make an empty place for its rows."""
        ...

    def load(self, generation: Generation, rows: Iterable[Row]) -> None:
        """Add rows to a generation that is being written. A key that comes twice is there once.
        Raises `Superseded` when it was dropped meanwhile."""
        ...

    def stored(self, generation: Generation) -> Iterator[Row]:
        """Every row that is there now. Raises `Superseded` when it was dropped."""
        ...

    def written(self, generation: Generation, counted: Counted) -> None:
        """Note that all rows are there. Raises `Superseded` when it was dropped meanwhile."""
        ...

    def switch(self, generation: Generation, instead_of: str | None) -> bool:
        """Make it the current one, in one step, if the current one is `instead_of` still; whether it
        was. Raises `Superseded` when it is not written, or was dropped."""
        ...

    def drop(self, product: str, generation: str) -> bool:
        """Take a generation away, but never the current one; whether it is away. Safe to repeat."""
        ...

    def forget(self, product: str) -> None:
        """Take everything of the product away, the current generation too. Safe to repeat."""
        ...

    def get(self, product: str, key: str) -> Found | None:
        """The row of the key in the current generation; None when the product is not served."""
        ...

    def upsert(
        self,
        generation: Generation,
        rows: Mapping[str, str],
        position: int,
        *,
        after: int | None,
        note: str = "",
    ) -> None:
        """Put rows into the current generation, with `position` and a note of it, in one step.
        Raises `Superseded` when the generation is not current, `Behind` when its position is not `after`
        (None: it has none yet), or `position` is not above it."""
        ...

    def scrub(self, product: str) -> None:
        """Leave nothing on the disk of what was dropped, as far as the port can: rows were erased."""
        ...

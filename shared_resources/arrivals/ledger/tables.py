"""The ledger's tables: an object's way from its discovery to a version, what was passed over, and
what the sensor said.

Belongs here: columns, times as text. Does not belong here: the states (`states.py`), what is done with
the rows (`ledger.py`, `sensor_notes.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from shared_resources.arrivals.ages import Dated
from shared_resources.arrivals.ledger.states import State
from shared_resources.landing.zones.zone import LandingObject
from shared_resources.state.database import TABLES, Words


class UtcTime(sa.types.TypeDecorator[datetime]):
    """A moment as ISO 8601 text in UTC: sorts by time, and a person can read it."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> str | None:
        return None if value is None else value.astimezone(UTC).isoformat(timespec="microseconds")

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> datetime | None:
        return None if value is None else datetime.fromisoformat(value)


OBJECTS = sa.Table(
    "mesh_landing_objects",
    TABLES,
    sa.Column("product", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("etag", sa.Text, primary_key=True),
    sa.Column("listed", sa.Text, nullable=False),  # the etag as a listing gives it
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("size", sa.BigInteger),
    sa.Column("modified_at", UtcTime),
    sa.Column("discovered_at", UtcTime, nullable=False),
    sa.Column("run_key", sa.Text),
    sa.Column("asked_at", UtcTime),
    sa.Column("not_before", UtcTime),
    sa.Column("run_id", sa.Text),
    sa.Column("batch_id", sa.Text),
    # Counts what a run key must tell apart; `failures` are those since somebody last looked.
    sa.Column("attempt", sa.Integer, nullable=False, default=1),
    sa.Column("failures", sa.Integer, nullable=False, default=0),
    # False: so young when a run read it that another of the same second may have followed.
    sa.Column("settled", sa.Boolean, nullable=False, default=True),
    sa.Index("mesh_landing_objects_state", "product", "state", "modified_at"),
    sa.Index("mesh_landing_objects_listed", "product", "key", "listed"),
)

# What was passed over, or is odd; an etag is as a listing gives it.
STRAYS = sa.Table(
    "mesh_landing_strays",
    TABLES,
    sa.Column("product", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("etag", sa.Text, primary_key=True),
    sa.Column("reason", Words, nullable=False),
    sa.Column("size", sa.BigInteger),
    sa.Column("modified_at", UtcTime),
    sa.Column("seen_at", UtcTime, nullable=False),
    sa.Column("odd", sa.Boolean, nullable=False),
)
SETTLED = sa.Table(
    "mesh_landing_settled",
    TABLES,
    sa.Column("product", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("etag", sa.Text, primary_key=True),
    sa.Column("settled_why", Words, nullable=False),
    sa.Column("settled_by", Words, nullable=False),
    sa.Column("settled_at", UtcTime, nullable=False),
)

SENSORS = sa.Table(
    "mesh_landing_sensors",
    TABLES,
    sa.Column("product", sa.Text, primary_key=True),
    sa.Column("adopted", sa.Boolean, nullable=False, default=False),
    sa.Column("resets", sa.Integer, nullable=False, default=0),
    sa.Column("ticked_at", UtcTime),
    sa.Column("cursor", sa.Text),
    sa.Column("said", Words),
)


@dataclass(frozen=True)
class Entry:
    """A row of the ledger."""

    key: str
    etag: str
    state: State
    size: int | None
    modified_at: datetime | None
    discovered_at: datetime
    run_key: str | None
    asked_at: datetime | None
    not_before: datetime | None
    run_id: str | None
    batch_id: str | None
    attempt: int
    failures: int
    settled: bool

    @classmethod
    def of(cls, row: sa.Row[Any]) -> Entry:
        values = row._mapping
        return cls(
            **{name: values[name] for name in cls.__dataclass_fields__ if name != "state"},
            state=State(values["state"]),
        )

    @property
    def id(self) -> tuple[str, str]:
        return self.key, self.etag

    @property
    def order(self) -> tuple[datetime, str]:
        """By the object's own time."""
        return self.object.modified_at, self.key

    @property
    def dated(self) -> Dated[Entry]:
        modified = self.object.modified_at
        return Dated(self, modified, self.discovered_at, self.key)

    @property
    def object(self) -> LandingObject:
        """The object as it was found; what was adopted unseen is as old as can be."""
        modified = self.modified_at or datetime.fromtimestamp(0, UTC)
        return LandingObject(self.key, self.size or 0, modified, self.etag)

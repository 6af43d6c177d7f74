"""Pins: the version of each product that a run reads, the same from its first step to its last.

Belongs here: remembering, across a run's step processes, which version the run saw first.
Does not belong here: opening versions (the stores) or the lineage that is published with them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from shared_resources.state.database import TABLES, StateDatabase, insert
from shared_resources.stores.protocol import Version

# Whoever opened what was current, or pinned it, has so long to finish reading, whatever a contract
# says. No run is known to take longer; one that does reads on, until the retention is over too.
GRACE = timedelta(days=1)
KEPT = timedelta(days=14)  # no run lasts longer; older pins belong to runs that are over

_PINS = sa.Table(
    "mesh_pins",
    TABLES,
    sa.Column("run_id", sa.Text, primary_key=True),
    sa.Column("product", sa.Text, primary_key=True),
    sa.Column("store", sa.Text, nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("snapshot", sa.Text, nullable=False),
    sa.Column("pinned_at", sa.DateTime(timezone=True), nullable=False, index=True),
)


@dataclass(frozen=True)
class Pin:
    """`store` is where the version was read (lake or warehouse), `number` its number there."""

    product: str
    store: str
    number: int
    snapshot: str

    def __str__(self) -> str:
        return f"{self.store}:{self.number}:{self.snapshot}"


def pin_of(version: Version) -> Pin:
    """The pin of a version that was published or opened."""
    return Pin(version.product, version.store, version.number, version.snapshot)


class Pins:
    """One row a run and product; its key lets the first reader decide for all the others."""

    def __init__(self, state: StateDatabase) -> None:
        self._state = state

    def get(self, run_id: str, product: str) -> Pin | None:
        with self._state.begin() as connection:
            return _held(connection, run_id, product)

    def keep_first(self, run_id: str, pin: Pin) -> Pin:
        """Pin, unless the run has pinned the product already; return the pin that holds."""
        with self._state.begin() as connection:
            _forget_old(connection)
            connection.execute(
                insert(connection, _PINS).values(_row(run_id, pin)).on_conflict_do_nothing()
            )
            return _held(connection, run_id, pin.product) or pin

    def since(self, product: str, moment: datetime) -> list[Pin]:
        """What runs have pinned of the product since then."""
        columns = _PINS.c.product, _PINS.c.store, _PINS.c.number, _PINS.c.snapshot
        chosen = sa.select(*columns).where(_PINS.c.product == product, _PINS.c.pinned_at >= moment)
        with self._state.begin() as connection:
            rows = connection.execute(chosen)
            return [Pin(r.product, r.store, r.number, r.snapshot) for r in rows]

    def replace(self, run_id: str, pin: Pin) -> None:
        """Pin what the run itself has just published: its later steps read that."""
        row = _row(run_id, pin)
        changed = {name: row[name] for name in ("store", "number", "snapshot", "pinned_at")}
        with self._state.begin() as connection:
            connection.execute(
                insert(connection, _PINS)
                .values(row)
                .on_conflict_do_update(index_elements=["run_id", "product"], set_=changed)
            )


def _held(connection: sa.Connection, run_id: str, product: str) -> Pin | None:
    row = connection.execute(
        sa.select(_PINS.c.product, _PINS.c.store, _PINS.c.number, _PINS.c.snapshot).where(
            _PINS.c.run_id == run_id, _PINS.c.product == product
        )
    ).one_or_none()
    return None if row is None else Pin(row.product, row.store, row.number, row.snapshot)


def _row(run_id: str, pin: Pin) -> dict[str, object]:
    if not run_id:
        raise ValueError("a pin needs the id of the run that holds it")
    return {"run_id": run_id, **vars(pin), "pinned_at": datetime.now(UTC)}


def _forget_old(connection: sa.Connection) -> None:
    connection.execute(sa.delete(_PINS).where(_PINS.c.pinned_at < datetime.now(UTC) - KEPT))

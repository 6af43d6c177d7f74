"""What a landing sensor said last of a product, and what people asked of it, beside the ledger.

Belongs here: the row of each product that the command line shows and changes.
Does not belong here: where the sensor stands (its cursor is Dagster's), what became of objects.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from shared_resources.arrivals.ledger.tables import SENSORS
from shared_resources.state.database import StateDatabase, insert


@dataclass(frozen=True)
class SensorNotes:
    """`adopted`: the ledger knows what was ingested before it. `resets` counts requests to start
    over. The rest is a copy of what the last tick told Dagster, for people: `cursor`, `said`."""

    adopted: bool = False
    resets: int = 0
    ticked_at: datetime | None = None
    cursor: dict[str, Any] = field(default_factory=dict)
    said: str = ""


def read_notes(database: StateDatabase, product: str) -> SensorNotes:
    return notes_of(database, [product])[product]


def notes_of(database: StateDatabase, products: Iterable[str]) -> dict[str, SensorNotes]:
    """The notes of each of the products; those of one that no sensor has looked at are empty."""
    found = dict.fromkeys(products, SensorNotes())
    with database.begin() as connection:
        for row in connection.execute(sa.select(SENSORS).where(SENSORS.c.product.in_(list(found)))):
            found[row.product] = SensorNotes(
                adopted=row.adopted,
                resets=row.resets,
                ticked_at=row.ticked_at,
                cursor=json.loads(row.cursor or "{}"),
                said=row.said or "",
            )
    return found


def note_ticks(database: StateDatabase, products: Sequence[str], at: datetime) -> None:
    """The products were looked at, and nothing has changed since the last time."""
    if products:
        with database.begin() as connection:
            which = SENSORS.c.product.in_(products)
            connection.execute(sa.update(SENSORS).where(which).values(ticked_at=at))


def write_notes(database: StateDatabase, product: str, **values: Any) -> None:
    """Change the named fields; `cursor` is given as JSON."""
    with database.begin() as connection:
        connection.execute(
            insert(connection, SENSORS)
            .values(product=product, **values)
            .on_conflict_do_update(index_elements=[SENSORS.c.product], set_=values)
        )


def ask_for_reset(database: StateDatabase, product: str) -> None:
    """Let the sensor's next tick start over at the first key; the ledger decides what is new."""
    with database.begin() as connection:
        connection.execute(
            insert(connection, SENSORS)
            .values(product=product, resets=1)
            .on_conflict_do_update(
                index_elements=[SENSORS.c.product], set_={"resets": SENSORS.c.resets + 1}
            )
        )

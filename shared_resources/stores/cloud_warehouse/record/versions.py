"""Which versions a product has in Snowflake, and the one statement that publishes the next.

Belongs here: the tables `heads` and `versions` of a domain, reading them, and the compare-and-set.
Does not belong here: the versions' own tables (`stores/cloud_warehouse/tables.py`), the view of the
current one (`stores/cloud_warehouse/view.py`), deciding what to publish
(`stores/cloud_warehouse/store.py`).

The head of a product is one row, which holds its newest version with all evidence. A publish is one
UPDATE of it that asks for the number that was there: Snowflake lets one such statement at a time
change the table, so of two writers one finds no row. It is atomic by itself. A transaction over
several requests would be too, but a client that dies within one leaves its lock behind for minutes.

`versions` keeps the history: the head is copied there afterwards, and before it is changed again at
the latest. Readers see both, so a death between the two statements hides nothing.

Before tables are dropped the head's `fence` is raised: an UPDATE that was sent before, by a process
that may be gone by now, then finds no row, and cannot name a table that is no longer there.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from shared_resources.sql import quote_identifier
from shared_resources.stores.cloud_warehouse.record.entry import (
    COLUMNS,
    NAMES,
    STORE,
    Entry,
    Head,
    values_of,
)
from shared_resources.stores.cloud_warehouse.record.spares import Spares
from shared_resources.stores.cloud_warehouse.session import Missing, SnowflakeSession, Value
from shared_resources.stores.cloud_warehouse.sql import Name
from shared_resources.stores.cloud_warehouse.view import shown_table
from shared_resources.stores.protocol import OutOfStep, Version
from shared_resources.stores.versions import version_of

VERSIONS_SCHEMA = "__versions"
_HEADS_OWN = ', "shown" NUMBER(19,0), "fence" NUMBER(19,0)'


class Versions:
    """The versions of one product. What was read of one is kept: a version never changes."""

    def __init__(self, session: SnowflakeSession, product: str) -> None:
        self.product = product
        self._session = session
        self.domain, _, self.name = product.partition("/")
        self.schema = versions_schema(self.domain)
        self._heads = Name(self.schema, "heads")
        self._history = Name(self.schema, "versions")
        self.spares = Spares(session, product)
        self._known: dict[int, Version] = {}

    def prepare(self) -> None:
        """Make what the domain's first publish needs; `heads` last, since its absence calls this."""
        for schema in (self.domain, self.schema):
            self._session.execute(f"CREATE SCHEMA IF NOT EXISTS {quote_identifier(schema)}")
        for table, more in ((self._history, ""), (self._heads, _HEADS_OWN)):
            self._session.execute(f"CREATE TABLE IF NOT EXISTS {table} ({COLUMNS}{more})")

    # -- reading ---------------------------------------------------------------------------------

    def head(self) -> Head:
        """Raises `Missing` when the domain has published nothing here yet."""
        rows = self._session.query(
            f'SELECT "table_name", "evidence", "content", "shown", "fence" FROM {self._heads} '
            'WHERE "product" = ? ORDER BY "number" DESC, "fence" DESC LIMIT 1',
            [self.name],
        ).rows
        if not rows:
            return Head()
        table, evidence, content, shown, fence = rows[0]
        entry = Entry.of(table, evidence, content) if table is not None else None
        return Head(entry, int(shown), int(fence))

    def all(self) -> list[Version]:
        """Every kept version, oldest first."""
        known = self._known
        last = max(known, default=0)
        rows = self._rows('"number", "table_name", IFF("number" > ?, "evidence", NULL)', [last])
        kept: dict[int, Version] = {}
        for number, table, evidence in sorted(rows, key=lambda row: int(row[0])):
            if evidence is not None:
                made = version_of(self.product, STORE, table, json.loads(evidence))
            elif int(number) in known and known[int(number)].snapshot == table:
                made = known[int(number)]
            else:  # another process has rewritten it
                self._known = {}
                return self.all()
            kept[int(number)] = made
        self._known = kept
        return list(kept.values())

    def entry(self, number: int) -> Entry | None:
        return self._one('"number" = ?', number)

    def of_batch(self, batch_id: str) -> Entry | None:
        return self._one('"batch_id" = ?', batch_id)

    def tables(self) -> set[str]:
        """The names of the tables that a kept version has."""
        return set().union(*self._recorded().values())

    def check_in_step(self) -> int:
        """Raise `OutOfStep` when a version was published that is not recorded.

        Its spare tells so, or people's view, which shows its table. The answer is the highest number
        that was ever given to a version.
        """
        for _ in range(2):  # once more: what was seen first may have been another's by now
            spare = self.spares.numbers()
            shown = shown_table(self._session, self.product)
            recorded = self._recorded()
            missing = spare.kept - recorded.keys()
            if not missing and (shown is None or shown in set().union(*recorded.values())):
                return max((*spare.kept, *spare.lost, *recorded), default=0)
        if missing:
            what = f"does not know version {max(missing)}, which was published"
        else:
            what = f"does not know the version that the view shows, the table {shown}"
        raise OutOfStep(
            self.product,
            Name(self.schema, "heads"),
            f"{what}. The schema was lost, or an earlier state of it was put back",
            "Nothing is published and nothing dropped before the two agree: put the schema back with "
            f"UNDROP, or `heads` and `versions` by Time Travel; or run `mesh repair {self.product}`, "
            "which records every version again whose table is there, and takes the rows of a later "
            "one from the lake where the product is published there",
        )

    def missing(self) -> list[int]:
        """The numbers of versions that have a spare and are not recorded, ascending."""
        return sorted(self.spares.numbers().kept - self._recorded().keys())

    def refresh_spares(self) -> None:
        """Make the spares that lack: their process died, or was of an earlier release."""
        for number in sorted(self._recorded().keys() - self.spares.numbers().kept):
            if (entry := self.entry(number)) is not None:
                self.spares.keep(entry)
                if self.entry(number) is None:  # it expired meanwhile
                    self.spares.forget([number])

    def _recorded(self) -> dict[int, set[str]]:
        """The tables of the kept versions by their numbers: two while one is being rewritten."""
        found: dict[int, set[str]] = {}
        for number, table in self._rows('"number", "table_name"', []):
            found.setdefault(int(number), set()).add(table)
        return found

    def drop_view(self) -> None:
        with suppress(Missing):  # the schema is gone
            self._session.execute(f"DROP VIEW IF EXISTS {Name(self.domain, self.name)}")

    def remove(self) -> None:
        """Forget the product: every row of it. Its tables must be gone by then."""
        self._known = {}
        for table in (self._heads, self._history):
            with suppress(Missing):
                self._session.execute(f'DELETE FROM {table} WHERE "product" = ?', [self.name])
        self.spares.forget_all()

    def _one(self, condition: str, value: Value) -> Entry | None:
        rows = self._rows('"table_name", "evidence", "content"', [], condition, value)
        return Entry.of(*rows[0]) if rows else None

    def _rows(
        self,
        select: str,
        bound: Sequence[Value],
        condition: str = "TRUE",
        *values: Value,
    ) -> list[tuple[Any, ...]]:
        """Of the history and the head; a version that is in both comes once or twice."""
        halves = (
            f'SELECT {select} FROM {table} WHERE "product" = ? AND "number" > 0 AND {condition}'
            for table in (self._history, self._heads)
        )
        half = [*bound, self.name, *values]
        try:
            return self._session.query(" UNION ALL ".join(halves), [*half, *half]).rows
        except Missing:
            return []

    # -- publishing ------------------------------------------------------------------------------

    def claim(self, entry: Entry, after: Head) -> bool:
        """Make the entry the version after that head. False when another version is there by now.

        After `ConnectionLost` it may be done, or yet to come: look at `of_batch`, and keep the table.
        """
        if after.entry is None:
            self._begin()
        elif after.shown < after.number:
            self.record(after.entry)
        # Several may insert the first row at once, and one of them after a fence was raised: a row
        # counts only while there is none of a later number or a higher fence.
        changed = self._session.execute(
            f'UPDATE {self._heads} SET "number" = ?, "batch_id" = ?, "table_name" = ?, '
            '"row_count" = ?, "published_at" = CAST(? AS TIMESTAMP_TZ(6)), "evidence" = ?, "content" = ? '
            'WHERE "product" = ? AND "number" = ? AND "fence" = ? AND NOT EXISTS (SELECT 1 FROM '
            f'{self._heads} AS later WHERE later."product" = ? '
            'AND (later."number" > ? OR later."fence" > ?))',
            [*values_of(entry), *(self.name, after.number, after.fence) * 2],
        )
        return changed.count > 0

    def _begin(self) -> None:
        """Insert the product's row that stands before its first version, unless it has one."""
        self._session.execute(
            f'INSERT INTO {self._heads} ("product", "number", "shown", "fence") '
            "SELECT ?, 0, 0, 0 "
            f'WHERE NOT EXISTS (SELECT 1 FROM {self._heads} WHERE "product" = ?)',
            [self.name, self.name],
        )

    def record(self, entry: Entry) -> None:
        """Copy a version that was the head to the history, unless it is there."""
        self._session.execute(
            f"INSERT INTO {self._history} ({NAMES}) "
            "SELECT ?, ?, ?, ?, ?, CAST(? AS TIMESTAMP_TZ(6)), ?, ? WHERE NOT EXISTS "
            f'(SELECT 1 FROM {self._history} WHERE "product" = ? AND "number" = ?)',
            [self.name, *values_of(entry), self.name, entry.number],
        )

    def rewrite(self, entry: Entry, before: Entry, *, head: bool) -> bool:
        """Record other content of a version, in its head or else in the history. False when it is not
        recorded there as it was before. No claim succeeds any more that knew the head before."""
        table, fenced = (self._heads, ', "fence" = "fence" + 1') if head else (self._history, "")
        self.spares.forget([entry.number])
        said: list[Value] = [entry.table, entry.rows, values_of(entry)[5], entry.content()]
        done = self._session.execute(
            f'UPDATE {table} SET "table_name" = ?, "row_count" = ?, "evidence" = ?, "content" = ?'
            f'{fenced} WHERE "product" = ? AND "number" = ? AND "table_name" = ?',
            [*said, self.name, entry.number, before.table],
        )
        self._known = {}
        self.spares.keep(entry)
        return done.count > 0

    def half_rewritten(self) -> tuple[Entry, Entry] | None:
        """The head, and what the history still says of the same version, where a process died between
        the two."""
        head = self.head().entry
        rows = self._session.query(
            f'SELECT "table_name", "evidence", "content" FROM {self._history} '
            'WHERE "product" = ? AND "number" = ?',
            [self.name, head.number if head is not None else 0],
        ).rows
        if head is None or not rows or rows[0][0] == head.table:
            return None
        return head, Entry.of(*rows[0])

    def showing(self, number: int) -> bool:
        """Note that the view shows this version. False when it is not the head's any more."""
        changed = self._session.execute(
            f'UPDATE {self._heads} SET "shown" = ? WHERE "product" = ? AND "number" = ?',
            [number, self.name, number],
        )
        return changed.count > 0

    def raise_fence(self) -> None:
        """Let no claim succeed that was based on a head read before, or on there being none."""
        self._begin()
        self._session.execute(
            f'UPDATE {self._heads} SET "fence" = "fence" + 1 WHERE "product" = ?', [self.name]
        )

    def forget(self, numbers: Sequence[int]) -> None:
        """Remove versions from the history, in one statement."""
        self.spares.forget(numbers)  # first: a spare alone says that a version was lost
        marks = ", ".join("?" for _ in numbers)
        self._session.execute(
            f'DELETE FROM {self._history} WHERE "product" = ? AND "number" IN ({marks})',
            [self.name, *numbers],
        )
        self.spares.forget(numbers)  # once more: a clean-up may have made one meanwhile


def versions_schema(domain: str) -> str:
    """The schema of a domain's heads, history and version tables."""
    return domain + VERSIONS_SCHEMA


def products(session: SnowflakeSession) -> list[str]:
    """The keys of all published products."""
    found = session.query("SHOW TERSE SCHEMAS IN DATABASE")
    column = [name.lower() for name in found.columns].index("name")
    schemas = sorted({str(row[column]) for row in found.rows})
    keys: list[str] = []
    for schema in schemas:
        if schema.endswith(VERSIONS_SCHEMA):
            domain = schema.removesuffix(VERSIONS_SCHEMA)
            try:
                rows = session.query(
                    f'SELECT DISTINCT "product" FROM {Name(schema, "heads")} WHERE "number" > 0'
                ).rows
            except Missing:  # another's, or not yet finished
                continue
            keys.extend(f"{domain}/{name}" for (name,) in rows)
    return sorted(keys)

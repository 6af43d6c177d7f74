"""One version in Snowflake as it is recorded, and the newest of a product.

Belongs here: what a row of `heads`, `versions` and `spares` says, and its columns.
Does not belong here: reading and writing such rows (`versions.py`, `spares.py`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shared_resources.contracts.promise import parse_type
from shared_resources.contracts.types import ColumnType
from shared_resources.evidence.keys import BATCH_ID, NUMBER, PUBLISHED_AT
from shared_resources.evidence.statement import AttestedFile
from shared_resources.stores.cloud_warehouse.session import Value
from shared_resources.stores.protocol import Version
from shared_resources.stores.versions import version_of

STORE = "warehouse"
COLUMNS = (
    '"product" VARCHAR NOT NULL, "number" NUMBER(19,0) NOT NULL, "batch_id" VARCHAR, '
    '"table_name" VARCHAR, "row_count" NUMBER(19,0), "published_at" TIMESTAMP_TZ(6), '
    '"evidence" VARCHAR, "content" VARCHAR'
)
NAMES = (
    '"product", "number", "batch_id", "table_name", "row_count", "published_at", "evidence", '
    '"content"'
)


@dataclass(frozen=True)
class Entry:
    """One version: the table that holds its rows, its columns in order, its rows by partition.

    `view` is the statement that makes the product's view one of this version.
    """

    table: str
    columns: tuple[tuple[str, ColumnType], ...]
    partition_column: str | None
    partitions: Mapping[str, int]
    view: str
    properties: Mapping[str, str] = field(default_factory=dict)

    @property
    def number(self) -> int:
        return int(self.properties[NUMBER])

    @property
    def rows(self) -> int:
        return sum(self.partitions.values())

    def attested(self) -> tuple[AttestedFile, ...]:
        """Snowflake shows no bytes: a table is known by its name, and by how many rows it has."""
        return (AttestedFile(self.table, None, None, self.partitions),)

    def content(self) -> str:
        return json.dumps(
            {
                "columns": [(name, type_.duckdb) for name, type_ in self.columns],
                "partition_column": self.partition_column,
                "partitions": dict(self.partitions),
                "view": self.view,
            }
        )

    def version(self, product: str) -> Version:
        return version_of(product, STORE, self.table, self.properties)

    @classmethod
    def of(cls, table: str, evidence: str, content: str) -> Entry:
        body: dict[str, Any] = json.loads(content)
        return cls(
            table=table,
            columns=tuple((name, parse_type(type_)) for name, type_ in body["columns"]),
            partition_column=body["partition_column"],
            partitions=body["partitions"],
            view=body["view"],
            properties=json.loads(evidence),
        )


@dataclass(frozen=True)
class Head:
    """The product's newest version, and the number of the one that its view is known to show."""

    entry: Entry | None = None
    shown: int = 0
    fence: int = 0

    @property
    def number(self) -> int:
        return self.entry.number if self.entry else 0


def values_of(entry: Entry) -> list[Value]:
    """Of the columns after the product's name, to be bound."""
    own = entry.properties
    return [
        entry.number,
        own[BATCH_ID],
        entry.table,
        entry.rows,
        own[PUBLISHED_AT],
        json.dumps(dict(own)),
        entry.content(),
    ]

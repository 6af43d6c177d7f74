"""A read-only SQL door for people: every product as a view `domain.product`, nothing copied.

Belongs here: opening a DuckDB connection over a store's current versions.
Does not belong here: who may read what, and reading in code (`Snapshot`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shared_resources.sql import quote_identifier
from shared_resources.stores.reading.duck import in_memory
from shared_resources.stores.reading.sql_snapshot import SqlSnapshot

if TYPE_CHECKING:
    import duckdb

    from shared_resources.stores.protocol import ProductStore


def connect(store: ProductStore, products: Sequence[str]) -> duckdb.DuckDBPyConnection:
    """An in-memory connection with a view for each product, pinned to its current version.

    Whatever is done on it, nothing published changes: the files are attached read-only. Raises
    `NotPublished` for a product that the store does not have.
    """
    connection = in_memory()
    try:
        for product in products:
            snapshot = store.open(product)
            if not isinstance(snapshot, SqlSnapshot):
                raise TypeError(f"{store.name} does not read its products with DuckDB")
            domain, _, name = (quote_identifier(part) for part in product.partition("/"))
            snapshot.attach(connection)
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {domain}")
            select = snapshot.select(snapshot.schema.names)
            connection.execute(f"CREATE VIEW {domain}.{name} AS {select}")
    except BaseException:
        connection.close()
        raise
    return connection

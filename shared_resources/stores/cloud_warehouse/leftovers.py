"""Tables in Snowflake that are no version's: made in vain, left by the dead, of expired versions.

Belongs here: which of a product's tables no version has, and dropping them under live publishers.
Does not belong here: making tables (`tables.py`), the record of versions
(`stores/cloud_warehouse/record/versions.py`), when to look (`store.py`).
"""

from __future__ import annotations

from collections.abc import Iterable

from shared_resources.stores.cloud_warehouse.record.versions import Versions
from shared_resources.stores.cloud_warehouse.sql import Name
from shared_resources.stores.cloud_warehouse.tables import VersionTable, VersionTables


def unnamed(versions: Versions, candidates: Iterable[VersionTable]) -> list[Name]:
    """Those of the tables that no version has now."""
    named = versions.tables()
    return [table.name for table in candidates if table.name.name not in named]


def drop_unnamed(
    versions: Versions, tables: VersionTables, candidates: Iterable[VersionTable]
) -> list[str]:
    """Drop those of the tables that no version has, and that none can have from now on."""
    found = list(candidates)
    if not found:
        return []
    versions.raise_fence()
    gone = unnamed(versions, found)
    for table in gone:
        tables.drop(table)
    return [str(table) for table in gone]

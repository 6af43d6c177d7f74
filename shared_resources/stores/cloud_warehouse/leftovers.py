"""Tables in Snowflake that are no version's: made in vain, left by the dead, of expired versions.

Belongs here: which of a product's tables no version has, and dropping them under live publishers.
Does not belong here: making tables (`tables.py`), the record of versions
(`stores/cloud_warehouse/record/versions.py`), when to look (`store.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from shared_resources.stores.attested.attestor import Attestor
from shared_resources.stores.cloud_warehouse.record.entry import STORE
from shared_resources.stores.cloud_warehouse.record.versions import Versions
from shared_resources.stores.cloud_warehouse.sql import Name
from shared_resources.stores.cloud_warehouse.tables import VersionTable, VersionTables
from shared_resources.stores.expiring.thinning import Expiry, Thinning
from shared_resources.stores.protocol import Version
from shared_resources.stores.versions import expirable


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


def expire(
    versions: Versions,
    tables: VersionTables,
    finish: Callable[[], None],
    before: Expiry,
    attestor: Attestor,
) -> list[Version]:
    """Forget the versions in one statement, then drop the tables that no other version has.

    `finish` does what a publisher left that died after its commit.
    """
    versions.check_in_step()
    expired = expirable(versions.all(), before)
    if not expired:
        return []
    finish()
    attestor.expiring(versions.product, STORE, expired, in_runs=isinstance(before, Thinning))
    versions.forget([version.number for version in expired])
    gone = {version.snapshot for version in expired}
    drop_unnamed(versions, tables, [t for t in tables.all() if t.name.name in gone])
    attestor.expired(versions.product, STORE, expired)
    return expired

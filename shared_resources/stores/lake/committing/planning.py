"""What a version in the lake is made on, and the snapshot that makes it one.

Belongs here: the table as a commit finds it, and staging schema and snapshot in its transaction.
Does not belong here: which files the version has (`publishing.py`), Iceberg's own updates (`commit.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pyiceberg.manifest import DataFile, ManifestEntry
from pyiceberg.table import Table, Transaction
from pyiceberg.table.snapshots import Snapshot as IcebergSnapshot

from shared_resources.contracts.model import Contract
from shared_resources.evidence.keys import NUMBER
from shared_resources.stores.evolution import check_evolution, check_partition_column
from shared_resources.stores.lake.committing.commit import stage_snapshot
from shared_resources.stores.lake.committing.evolving import evolve
from shared_resources.stores.lake.files.manifests import files_of, live_entries, live_files
from shared_resources.stores.lake.history import last_snapshot, tag_of, to_version, untagged
from shared_resources.stores.lake.schema import columns_of_schema, schema_of
from shared_resources.stores.protocol import Damaged

Files = dict[str, DataFile]


@dataclass(frozen=True)
class Base:
    """What a commit is made on: `live` is what main lists, `held` what the last version holds.

    They differ only after another tool has committed to main; our next commit drops what it did.
    Where they cannot be read, for which `lost` is the reason, only a commit that needs nothing of them
    can be made.
    """

    table: Table | None
    last: IcebergSnapshot | None
    live: Mapping[str, list[ManifestEntry]]
    held: Files
    lost: Damaged | None = None

    @classmethod
    def of(cls, table: Table | None) -> Base:
        if table is None:
            return cls(None, None, {}, {})
        main, last = table.current_snapshot(), last_snapshot(table)
        try:
            live = live_entries(table, main)
            held = files_of(live) if last == main else live_files(table, last)
        except Damaged as problem:
            return cls(table, last, {}, {}, problem)
        return cls(table, last, live, held)


def evolve_table(
    contract: Contract, base: Base, transaction: Transaction, *, rows_stay: bool
) -> None:
    check_table(contract, base, rows_stay=rows_stay)
    evolve(transaction, contract, rows_stay=rows_stay)


def check_table(contract: Contract, base: Base, *, rows_stay: bool) -> None:
    """Raise `PublishError` unless what is published can become the contract's."""
    assert base.table is not None and base.last is not None
    schema, spec = base.table.schema(), base.table.spec()
    columns = [schema.find_field(field.source_id).name for field in spec.fields]
    check_partition_column(contract, ", ".join(columns))
    check_evolution(
        contract,
        columns_of_schema(schema_of(base.table, base.last)),
        to_version(contract.key, base.last).properties,
        replaces_everything=not rows_stay,
    )


def stage_version(
    transaction: Transaction, base: Base, files: Files, properties: Mapping[str, str]
) -> None:
    paths = files_of(base.live).keys()
    stage_snapshot(
        transaction,
        live=None if base.lost else base.live,
        add=[file for path, file in files.items() if path not in paths],
        remove=paths - files.keys(),
        properties=properties,
        tag=tag_of(int(properties[NUMBER])),
        missing_tags=untagged(base.table),
    )

"""What readers would see changed: rows added, gone and changed, by column. Numbers, no values.

Belongs here: comparing a batch that was made with what is published, and two versions.
Does not belong here: whether a change of a contract breaks a promise (`data_products/compared/`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pyarrow as pa

from shared_resources.contracts.model import Contract
from shared_resources.governance.audit.engine.connection import audit_connection
from shared_resources.rehearsing.forgetting import ForgettingEnvironment
from shared_resources.sql import parquet_rows, quote_identifier, quote_literal
from shared_resources.stores.opening import open_product
from shared_resources.stores.protocol import NotPublished, Snapshot, StagedBatch
from shared_resources.stores.reading.called import in_names_of

_MADE, _PUBLISHED = "made", "published"


@dataclass(frozen=True)
class Changes:
    """Against version `version`. By the primary key; without one a row that changed is one that is
    gone and one that is added. `columns` counts the rows that each changes in, where it does.

    `only_made` are the columns that what is published lacks, `only_published` the other way round,
    `retyped` those of another type there: none of these is compared.
    """

    version: int
    added: int
    gone: int
    changed: int
    columns: Mapping[str, int] = field(default_factory=dict)
    only_made: tuple[str, ...] = ()
    only_published: tuple[str, ...] = ()
    retyped: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        return {
            "version": self.version,
            "added": self.added,
            "gone": self.gone,
            "changed": self.changed,
            "columns": dict(self.columns),
            "new_columns": list(self.only_made),
            "gone_columns": list(self.only_published),
            "retyped_columns": list(self.retyped),
        }


def changes(
    environment: ForgettingEnvironment, contract: Contract, batch: StagedBatch
) -> Changes | None:
    """None where nothing is published to compare with. Of a daily product, the batch's days alone."""
    try:
        published = open_product(environment.real, contract.key)
    except NotPublished:
        return None
    types = {column.name: column.type.arrow for column in contract.columns}
    with audit_connection(environment.scratch) as connection:
        made = parquet_rows(file.path for file in batch.files)
        connection.execute(f"CREATE TEMP VIEW {_MADE} AS FROM {made}")
        return _compared(connection, contract, types, published, batch.partitions)


def changes_between(
    scratch: Path,
    contract: Contract,
    published: Snapshot,
    made: Snapshot,
    days: Sequence[str] | None = None,
) -> Changes:
    """What `made` changes of `published`; of a daily product, in these days alone."""
    published = in_names_of(contract, published, with_aliases=False)
    made = in_names_of(contract, made, with_aliases=False)
    types = {field.name: field.type for field in made.schema}
    with audit_connection(scratch) as connection:
        made.register(connection, "_mesh_made")
        daily = days is not None and _daily(contract, types)
        condition = _days(contract, days or ()) if daily else "TRUE"
        connection.execute(f"CREATE TEMP VIEW {_MADE} AS FROM _mesh_made WHERE {condition}")
        return _compared(connection, contract, types, published, days)


def _compared(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    types: Mapping[str, pa.DataType],
    published: Snapshot,
    days: Sequence[str] | None,
) -> Changes:
    """The view `made`, which has columns of these types, against what is published."""
    there = {field.name: field.type for field in published.schema}
    retyped = [name for name, type_ in types.items() if there.get(name, type_) != type_]
    common = [name for name in types if name in there and name not in retyped]
    published.register(connection, "_mesh_version")
    daily = days is not None and _daily(contract, common)
    condition = _days(contract, days or ()) if daily else "TRUE"
    connection.execute(f"CREATE TEMP VIEW {_PUBLISHED} AS FROM _mesh_version WHERE {condition}")
    key = [name for name in contract.primary_key if name in common]
    keyed = bool(key) and key == [*contract.primary_key]
    if not common:
        query = f"SELECT (SELECT count(*) FROM {_MADE}), (SELECT count(*) FROM {_PUBLISHED}), 0"
    else:
        query = _by_key(key, common) if keyed else _without_key(common)
    added, gone, changed, *each = connection.execute(query).fetchall()[0]
    others = [name for name in common if name not in key] if keyed else []
    columns = {name: rows for name, rows in zip(others, each, strict=True) if rows}
    return Changes(
        published.version.number,
        added,
        gone,
        changed,
        columns,
        tuple(name for name in types if name not in there),
        tuple(name for name in there if name not in types),
        tuple(retyped),
    )


def _daily(contract: Contract, columns: Collection[str]) -> bool:
    return contract.partitioning is not None and contract.partitioning.column in columns


def _days(contract: Contract, partitions: Sequence[str]) -> str:
    if contract.partitioning is None:
        return "TRUE"
    column = quote_identifier(contract.partitioning.column)
    listed = ", ".join(map(quote_literal, partitions))
    return f"CAST(CAST({column} AS DATE) AS VARCHAR) IN ({listed})"


def _by_key(key: Sequence[str], common: Sequence[str]) -> str:
    both = "m._mesh_there AND p._mesh_there"
    joined = " AND ".join(f"m.{_name(one)} IS NOT DISTINCT FROM p.{_name(one)}" for one in key)
    differs = [
        f"m.{_name(one)} IS DISTINCT FROM p.{_name(one)}" for one in common if one not in key
    ]
    each = [f"count(*) FILTER ({both} AND {one})" for one in differs]
    any_differs = f"count(*) FILTER ({both} AND ({' OR '.join(differs) or 'FALSE'}))"
    counted = ", ".join(
        [
            "count(*) FILTER (p._mesh_there IS NULL)",
            "count(*) FILTER (m._mesh_there IS NULL)",
            any_differs,
            *each,
        ]
    )
    return (
        f"SELECT {counted} FROM (SELECT *, TRUE AS _mesh_there FROM {_MADE}) AS m "
        f"FULL JOIN (SELECT *, TRUE AS _mesh_there FROM {_PUBLISHED}) AS p ON {joined}"
    )


def _without_key(common: Sequence[str]) -> str:
    names = ", ".join(map(_name, common))
    made, published = (f"SELECT {names} FROM {one}" for one in (_MADE, _PUBLISHED))
    return (
        f"SELECT (SELECT count(*) FROM ({made} EXCEPT ALL {published})), "
        f"(SELECT count(*) FROM ({published} EXCEPT ALL {made})), 0"
    )


def _name(column: str) -> str:
    return quote_identifier(column)

"""A lake table's schema and partitions as the platform's column types and keys.

Belongs here: the schema that a version was published with, its columns, partition keys.
Does not belong here: a contract as an Iceberg schema (`contracts/compiling/iceberg_schema.py`), a schema
over time (`committing/evolving.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

from pyiceberg.manifest import DataFile
from pyiceberg.schema import Schema
from pyiceberg.types import DecimalType, IcebergType

from shared_resources.contracts.compiling.iceberg_schema import iceberg_type
from shared_resources.contracts.types import ColumnType, Family
from shared_resources.stores.lake.table_facts import AnyTable, SnapshotFacts
from shared_resources.stores.protocol import UNPARTITIONED, PublishError

EPOCH = date(1970, 1, 1)
_FROM_ICEBERG: dict[IcebergType, ColumnType] = {
    iceberg_type(type_): type_
    for type_ in (
        *(ColumnType(family) for family in Family if family is not Family.DECIMAL),
        ColumnType(Family.INTEGER, width=32),
        ColumnType(Family.FLOAT, width=32),
    )
}


def schema_of(table: AnyTable, snapshot: SnapshotFacts) -> Schema:
    """The schema that the version was published with, whatever the table's is now."""
    for schema in table.metadata.schemas:
        if schema.schema_id == snapshot.schema_id:
            return schema
    return table.schema()


def columns_of_schema(schema: Schema) -> tuple[tuple[str, ColumnType], ...]:
    return tuple((field.name, column_type(field.field_type)) for field in schema.fields)


def written_names(schemas: Sequence[Schema], file: DataFile, path: Path) -> Mapping[int, str]:
    """By field id what the file calls its columns: as the schema did that it was written with.

    The manifest says which fields it has. Where schemas call those differently, the file itself is asked.
    """
    held = {*file.value_counts}
    fitting = [
        {field.field_id: field.name for field in one.fields}
        for one in schemas
        if {field.field_id for field in one.fields} == held
    ]
    if len({tuple(sorted(names.items())) for names in fitting}) > 1:
        import pyarrow.parquet as pq

        own = {*pq.read_schema(path).names}
        fitting = [names for names in fitting if own == {*names.values()}]
    return fitting[-1] if fitting else {}


def partition_key(day: object) -> str:
    """The partition key of an Iceberg partition value: days since 1970, or a date."""
    if day is None:
        return UNPARTITIONED
    return (day if isinstance(day, date) else EPOCH + timedelta(days=int(str(day)))).isoformat()


def column_type(type_: IcebergType) -> ColumnType:
    if isinstance(type_, DecimalType):
        return ColumnType(Family.DECIMAL, precision=type_.precision, scale=type_.scale)
    try:
        return _FROM_ICEBERG[type_]
    except KeyError:
        raise PublishError(
            f"the published table has a column of type {type_}, which no contract can declare; "
            "another tool changed the table: restore its schema there"
        ) from None

"""The schema of a lake table over time, and back to the platform's column types.

Belongs here: field ids that stay with their column for life, the name mapping, partition keys.
Does not belong here: a contract as an Iceberg schema (`contracts/compiling/iceberg_schema.py`), whether a
change may be made (`stores/evolution.py`), committing it (`store.py`).
"""

from __future__ import annotations

from datetime import date, timedelta

from pyiceberg.schema import Schema
from pyiceberg.table import TableProperties, Transaction
from pyiceberg.table.name_mapping import create_mapping_from_schema
from pyiceberg.table.update import (
    AddSchemaUpdate,
    AssertCurrentSchemaId,
    AssertLastAssignedFieldId,
    SetCurrentSchemaUpdate,
    SetPropertiesUpdate,
)
from pyiceberg.types import DecimalType, IcebergType, NestedField

from shared_resources.contracts.compiling.iceberg_schema import iceberg_type
from shared_resources.contracts.model import Contract
from shared_resources.contracts.promise import widens
from shared_resources.contracts.types import ColumnType, Family
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


def columns_of_schema(schema: Schema) -> tuple[tuple[str, ColumnType], ...]:
    return tuple((field.name, column_type(field.field_type)) for field in schema.fields)


def evolve(transaction: Transaction, contract: Contract) -> None:
    """Stage the contract's columns as the table's current schema, in the contract's order.

    A column keeps its field id while its type only widens; a column of another type is another
    column, with a new id, so that no file is ever read as what it is not.
    """
    metadata = transaction.table_metadata
    current = metadata.schema()
    held = {field.name: field for field in current.fields}
    next_id = metadata.last_column_id + 1
    fields = []
    for column in contract.columns:
        type_ = iceberg_type(column.type)
        old = held.get(column.name)
        if old is not None and widens(column_type(old.field_type), column.type):
            field_id = old.field_id
        else:
            field_id, next_id = next_id, next_id + 1
        fields.append(NestedField(field_id, column.name, type_, doc=column.description))
    use_schema(transaction, Schema(*fields))


def use_schema(transaction: Transaction, wanted: Schema) -> None:
    """Stage `wanted` as the current schema (an older one, on a rollback) with its name mapping."""
    metadata = transaction.table_metadata
    current = metadata.schema()
    if current.fields == wanted.fields:
        return
    guards = (
        AssertCurrentSchemaId.model_validate({"current-schema-id": metadata.current_schema_id}),
        AssertLastAssignedFieldId.model_validate(
            {"last-assigned-field-id": metadata.last_column_id}
        ),
    )
    known = next((s for s in metadata.schemas if s.fields == wanted.fields), None)
    if known is not None:
        transaction._stage((_set_schema(known.schema_id),), guards)
    else:
        schema_id = 1 + max(schema.schema_id for schema in metadata.schemas)
        added = Schema(*wanted.fields, schema_id=schema_id)
        transaction._stage(
            (AddSchemaUpdate.model_validate({"schema": added}), _set_schema(-1)), guards
        )
    # Local files have no field ids: every engine finds their columns through this mapping.
    transaction._stage((SetPropertiesUpdate(updates=name_mapping(wanted)),))


def _set_schema(schema_id: int) -> SetCurrentSchemaUpdate:
    return SetCurrentSchemaUpdate.model_validate({"schema-id": schema_id})


def name_mapping(schema: Schema) -> dict[str, str]:
    return {
        TableProperties.DEFAULT_NAME_MAPPING: create_mapping_from_schema(schema).model_dump_json()
    }


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

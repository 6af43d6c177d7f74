"""The schema of a lake table over time.

Belongs here: field ids that stay with their column for life, the name mapping.
Does not belong here: a contract as an Iceberg schema (`contracts/compiling/iceberg_schema.py`), whether a
change may be made (`stores/evolution.py`), what a schema means (`stores/lake/schema.py`).
"""

from __future__ import annotations

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
from pyiceberg.types import NestedField

from shared_resources.contracts.compiling.iceberg_schema import iceberg_type
from shared_resources.contracts.model import Contract
from shared_resources.contracts.promise import widens
from shared_resources.stores.lake.schema import column_type


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

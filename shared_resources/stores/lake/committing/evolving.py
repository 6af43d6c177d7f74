"""The schema of a lake table over time.

Belongs here: field ids that stay with their column for life, the name mapping.
Does not belong here: a contract as an Iceberg schema (`contracts/compiling/iceberg_schema.py`), whether a
change may be made (`stores/evolution.py`), what a schema means (`stores/lake/schema.py`).
"""

from __future__ import annotations

from collections.abc import Iterable

from pyiceberg.schema import Schema
from pyiceberg.table import TableProperties, Transaction
from pyiceberg.table.name_mapping import MappedField, NameMapping
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
from shared_resources.contracts.promise import renamed, widens
from shared_resources.stores.lake.schema import column_type
from shared_resources.stores.protocol import PublishError


def evolve(transaction: Transaction, contract: Contract, *, rows_stay: bool) -> None:
    """Stage the contract's columns as the table's current schema, in the contract's order.

    A column keeps its field id while its type only widens, whatever it is called; a column of another
    type is another column, with a new id, so that no file is ever read as what it is not. Raises
    `PublishError` when a column is called as one of the rows that stay was.
    """
    metadata = transaction.table_metadata
    current = metadata.schema()
    held = {field.name: field for field in current.fields}
    called = renamed(contract, held)
    next_id = metadata.last_column_id + 1
    fields = []
    for column in contract.columns:
        type_ = iceberg_type(column.type)
        old = held.get(called.get(column.name, column.name))
        if old is not None and widens(column_type(old.field_type), column.type):
            field_id = old.field_id
        else:
            field_id, next_id = next_id, next_id + 1
        fields.append(NestedField(field_id, column.name, type_, doc=column.description))
    wanted = Schema(*fields)
    if rows_stay:
        _check_names(contract, wanted, metadata.schemas)
    use_schema(transaction, wanted)


def _check_names(contract: Contract, wanted: Schema, earlier: Iterable[Schema]) -> None:
    """Other engines find the columns of local files by name: one name is one column's."""
    ids = {field.name: field.field_id for field in wanted.fields}
    names = {of: name for name, of in ids.items()}
    for field in (field for one in earlier for field in one.fields):
        if field.field_id in names and ids.get(field.name, field.field_id) != field.field_id:
            raise PublishError(
                f"{contract.key}: rows that stay have a column {field.name} that is called "
                f"{names[field.field_id]} by now, and the contract has another column {field.name}. Call "
                f"that one otherwise in {contract.path}, or publish every partition in one batch."
            )


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
    earlier = (*metadata.schemas, current)
    transaction._stage((SetPropertiesUpdate(updates=name_mapping(wanted, earlier)),))


def _set_schema(schema_id: int) -> SetCurrentSchemaUpdate:
    return SetCurrentSchemaUpdate.model_validate({"schema-id": schema_id})


def name_mapping(schema: Schema, earlier: Iterable[Schema] = ()) -> dict[str, str]:
    """By field the names under which files have it: those of `earlier` schemas, too, unless one of them
    is another column's by now."""
    taken = {field.name for field in schema.fields}
    names = {field.field_id: [field.name] for field in schema.fields}
    for field in (field for one in earlier for field in one.fields):
        known = names.get(field.field_id)
        if known is not None and field.name not in taken:
            known.append(field.name)
            taken.add(field.name)
    fields = [{"field-id": of, "names": known} for of, known in names.items()]
    mapping = NameMapping([MappedField.model_validate(one) for one in fields])
    return {TableProperties.DEFAULT_NAME_MAPPING: mapping.model_dump_json()}

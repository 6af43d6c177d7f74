"""The Iceberg schema holds the contract's columns as the Arrow schema has them."""

from __future__ import annotations

from pyiceberg.io.pyarrow import schema_to_pyarrow
from pyiceberg.transforms import DayTransform

from shared_resources.contracts.compiling.iceberg_schema import (
    iceberg_partition_spec,
    iceberg_schema,
)
from shared_resources.contracts.types import arrow_schema
from tests.contract_factory import TYPES, make_contract
from tests.contracts.reading import read, rich


def test_every_type_is_the_same_in_arrow_and_in_iceberg() -> None:
    contract = make_contract({name: name for name in TYPES})
    columns = arrow_schema(tuple((column.name, column.type) for column in contract.columns))
    found = schema_to_pyarrow(iceberg_schema(contract), include_field_ids=False)
    assert found.names == columns.names
    for field in found:
        wanted = columns.field(field.name).type
        assert str(field.type).removeprefix("large_") == str(wanted)


def test_columns_are_numbered_in_order_optional_and_described() -> None:
    schema = iceberg_schema(read(rich()))
    assert [field.field_id for field in schema.fields] == list(range(1, 9))
    assert not any(field.required for field in schema.fields)
    assert schema.find_field("line_id").doc == "The number of the line."


def test_the_partition_is_the_day_of_its_column() -> None:
    contract = read(rich())
    schema = iceberg_schema(contract)
    (field,) = iceberg_partition_spec(contract, schema).fields
    assert field.source_id == schema.find_field("sold_at").field_id
    assert isinstance(field.transform, DayTransform)
    unpartitioned = make_contract({"a": "int"})
    assert not iceberg_partition_spec(unpartitioned, iceberg_schema(unpartitioned)).fields

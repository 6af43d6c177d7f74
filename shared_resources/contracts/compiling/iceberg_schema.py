"""The contract as an Iceberg schema and partition spec.

Belongs here: Iceberg's names for the column types, and the daily partitions.
Does not belong here: tables, commits and schema evolution (`stores/`).
"""

from __future__ import annotations

from pyiceberg.partitioning import PARTITION_FIELD_ID_START, PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import DayTransform
from pyiceberg.types import (
    BooleanType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IcebergType,
    IntegerType,
    LongType,
    NestedField,
    StringType,
    TimestampType,
    TimestamptzType,
)

from shared_resources.contracts.model import Contract
from shared_resources.contracts.types import ColumnType, Family


def iceberg_type(type_: ColumnType) -> IcebergType:
    match type_.family:
        case Family.STRING:
            return StringType()
        case Family.INTEGER:
            return IntegerType() if type_.width == 32 else LongType()
        case Family.FLOAT:
            return FloatType() if type_.width == 32 else DoubleType()
        case Family.DECIMAL:
            return DecimalType(type_.precision, type_.scale)
        case Family.BOOLEAN:
            return BooleanType()
        case Family.DATE:
            return DateType()
        case Family.TIMESTAMP:
            return TimestampType()
        case Family.TIMESTAMP_TZ:
            return TimestamptzType()


def iceberg_schema(contract: Contract) -> Schema:
    """The columns in contract order, numbered from 1, with their descriptions.

    All are optional in Iceberg, required ones too: the audit is what refuses nulls, and a column
    that is required today may be optional in the next version.
    """
    return Schema(
        *(
            NestedField(
                field_id=number,
                name=column.name,
                field_type=iceberg_type(column.type),
                required=False,
                doc=column.description,
            )
            for number, column in enumerate(contract.columns, start=1)
        )
    )


def iceberg_partition_spec(contract: Contract, schema: Schema) -> PartitionSpec:
    """One partition a day of the partition column (in UTC); unpartitioned without one."""
    if contract.partitioning is None:
        return PartitionSpec()
    name = contract.partitioning.column
    return PartitionSpec(
        PartitionField(
            source_id=schema.find_field(name).field_id,
            field_id=PARTITION_FIELD_ID_START,
            transform=DayTransform(),
            name=f"{name}_day",
        )
    )

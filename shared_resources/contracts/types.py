"""Column types: one closed list, and what each is called in Arrow and DuckDB.

Belongs here: the closed list of types and their names in Arrow and DuckDB.
Does not belong here: ODCS's names for them (`contracts/reading/logical_types.py`), Iceberg's
(`contracts/compiling/iceberg_schema.py`) or converting values (`contracts/values/lossless.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


class Family(StrEnum):
    """What a type's values are, whatever their width: the unit in which the rules think."""

    STRING = "string"
    INTEGER = "integer"
    FLOAT = "float"
    DECIMAL = "decimal"
    BOOLEAN = "boolean"
    DATE = "date"
    TIMESTAMP = "timestamp"
    TIMESTAMP_TZ = "timestamp_tz"


# The families whose values have a day.
MOMENTS = frozenset({Family.DATE, Family.TIMESTAMP, Family.TIMESTAMP_TZ})


@dataclass(frozen=True)
class FormerName:
    """What a column was called. Until the day `until` is over, readers are promised that name, too; of
    one without it, only rows that lie there are still found by it."""

    name: str
    until: date | None = None


@dataclass(frozen=True)
class ColumnType:
    """`width`: bits of an integer or float. `precision`, `scale`: of a decimal."""

    family: Family
    width: int = 64
    precision: int = 38
    scale: int = 0

    @property
    def arrow(self) -> pa.DataType:
        import pyarrow as pa  # here: who only reads a contract needs none of it

        match self.family:
            case Family.STRING:
                return pa.string()
            case Family.INTEGER:
                return pa.int32() if self.width == 32 else pa.int64()
            case Family.FLOAT:
                return pa.float32() if self.width == 32 else pa.float64()
            case Family.DECIMAL:
                return pa.decimal128(self.precision, self.scale)
            case Family.BOOLEAN:
                return pa.bool_()
            case Family.DATE:
                return pa.date32()
            case Family.TIMESTAMP:
                return pa.timestamp("us")
            case Family.TIMESTAMP_TZ:
                return pa.timestamp("us", tz="UTC")

    @property
    def duckdb(self) -> str:
        match self.family:
            case Family.STRING:
                return "VARCHAR"
            case Family.INTEGER:
                return "INTEGER" if self.width == 32 else "BIGINT"
            case Family.FLOAT:
                return "FLOAT" if self.width == 32 else "DOUBLE"
            case Family.DECIMAL:
                return f"DECIMAL({self.precision},{self.scale})"
            case Family.BOOLEAN:
                return "BOOLEAN"
            case Family.DATE:
                return "DATE"
            case Family.TIMESTAMP:
                return "TIMESTAMP"
            case Family.TIMESTAMP_TZ:
                return "TIMESTAMP WITH TIME ZONE"

    def __str__(self) -> str:
        return self.duckdb


def arrow_schema(columns: tuple[tuple[str, ColumnType], ...]) -> pa.Schema:
    """The Arrow schema, nullable throughout (nulls in required columns are the audit's to find)."""
    import pyarrow as pa

    return pa.schema([pa.field(name, type_.arrow) for name, type_ in columns])

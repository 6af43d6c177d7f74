"""Snowflake's types as Arrow's: a table of dbt's streamed with a schema that is known beforehand.

Belongs here: what a type that Snowflake describes is in Arrow, and the names of its columns.
Does not belong here: converting to the contract's types (`contracts/values/lossless.py`).

Snowflake sends each chunk in the narrowest type that fits its values, so that two chunks may differ;
and its integers are decimals of up to 38 digits, of which most are meant as 64 bits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import pyarrow as pa

from shared_resources.sql import quote_identifier
from shared_resources.stores.cloud_warehouse.session import SnowflakeSession

_NUMBER = re.compile(r"(?:NUMBER|DECIMAL)\((\d+),\s*(\d+)\)")
_LONG = 1 << 63
_OTHERS: Mapping[str, pa.DataType] = {
    "FLOAT": pa.float64(),
    "VARCHAR": pa.string(),
    "BOOLEAN": pa.bool_(),
    "DATE": pa.date32(),
    "TIMESTAMP_NTZ": pa.timestamp("us"),
    "TIMESTAMP_TZ": pa.timestamp("us", tz="UTC"),
    "TIMESTAMP_LTZ": pa.timestamp("us", tz="UTC"),
}


def integers_of(
    session: SnowflakeSession, relation: str, types: Mapping[str, str]
) -> frozenset[str]:
    """The columns of whole numbers that 64 bits hold. Snowflake knows the bounds without a scan."""
    wide = [name for name, type_ in types.items() if _whole_digits(type_) > 18]
    fitting = {name for name, type_ in types.items() if 0 < _whole_digits(type_) <= 18}
    if wide:
        bounds = ", ".join(
            f"MIN({quote_identifier(name)}), MAX({quote_identifier(name)})" for name in wide
        )
        (found,) = session.query(f"SELECT {bounds} FROM {relation}").rows  # noqa: S608
        for position, name in enumerate(wide):
            low, high = found[2 * position], found[2 * position + 1]
            if low is None or (int(low) >= -_LONG and int(high) < _LONG):
                fitting.add(name)
    return frozenset(fitting)


def stream(
    session: SnowflakeSession,
    relation: str,
    types: Mapping[str, str],
    integers: frozenset[str],
    contract: tuple[str, ...],
) -> pa.RecordBatchReader:
    """The table's rows, its columns called as the contract does.

    A column of a type that no contract has keeps what Snowflake shows of it as text; the audit says
    that it is not of the contract's type.
    """
    written = {name.upper(): name for name in contract}
    fields, expressions = [], []
    for name, described in types.items():
        type_ = pa.int64() if name in integers else _arrow(described)
        fields.append((written.get(name.upper(), name.lower()), type_ or pa.string()))
        quoted = quote_identifier(name)
        expressions.append(quoted if type_ else f"TO_VARCHAR({quoted})")
    schema = pa.schema(fields)
    query = f"SELECT {', '.join(expressions)} FROM {relation}"  # noqa: S608
    return pa.RecordBatchReader.from_batches(schema, _batches(session, query, schema))


def _batches(session: SnowflakeSession, query: str, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for table in session.arrow(query):
        yield from table.rename_columns(schema.names).cast(schema).to_batches()


def _whole_digits(type_: str) -> int:
    """The digits of a whole number's type, else 0."""
    number = _NUMBER.fullmatch(type_)
    return int(number[1]) if number and number[2] == "0" else 0


def _arrow(type_: str) -> pa.DataType | None:
    if number := _NUMBER.fullmatch(type_):
        return pa.decimal128(int(number[1]), int(number[2]))
    return _OTHERS.get(type_.partition("(")[0])

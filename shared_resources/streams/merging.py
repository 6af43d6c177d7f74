"""Upserts: of the messages with one key the last is the row, and one without a value takes it away.

Belongs here: the product's next content from what is published and a window.
Does not belong here: products to which rows are added (`window.py`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from shared_resources.contracts.model import Contract
from shared_resources.contracts.rules.view import BATCH
from shared_resources.contracts.types import Family, arrow_schema
from shared_resources.contracts.values.duckdb_to_arrow import arrow_batches
from shared_resources.data_products.batch import Attempt
from shared_resources.governance.audit.engine.connection import audit_connection
from shared_resources.landing.rejects import Reason
from shared_resources.sql import quote_identifier
from shared_resources.stores.reading.called import in_names_of
from shared_resources.streams.decoding.decoded import Decoder
from shared_resources.streams.decoding.json.messages import JsonDecoder
from shared_resources.streams.window_rows import WindowRows

_PUBLISHED = "_mesh_published"
_GONE = "_mesh_gone"
ROWS_PER_BATCH = 65_536
_NOT_THERE = "is not in the key of a message without a value"


def last_of_each_key(contract: Contract, decoded: WindowRows, messages: pa.Table) -> WindowRows:
    """Of the rows with one key the last, of those after which no tombstone of it came; and the faults
    of tombstones whose key cannot be read. Messages of a key are in one partition, in their order."""
    names = contract.primary_key
    keys = list(zip(*(decoded.rows.column(name).to_pylist() for name in names), strict=True))
    last: dict[tuple[Any, ...], tuple[int, int | None]] = {}
    for row, (key, place) in enumerate(zip(keys, decoded.places, strict=True)):
        last[key] = (place, row)
    faults = dict(decoded.faults)
    tombstones = []
    of = messages.column("key").take(pa.array(decoded.tombstones, pa.int64())).to_pylist()
    for place, read in zip(decoded.tombstones, read_keys(contract, of), strict=True):
        if isinstance(read, Reason):
            faults[place] = (read,)
            continue
        tombstones.append(place)
        if read not in last or last[read][0] < place:
            last[read] = (place, None)
    kept = sorted(row for _, row in last.values() if row is not None)
    return WindowRows(
        decoded.rows.take(pa.array(kept, pa.int64())),
        tuple(decoded.places[row] for row in kept),
        faults,
        tuple(tombstones),
        decoded.ignored,
    )


def read_keys(contract: Contract, keys: Sequence[bytes | None]) -> list[tuple[Any, ...] | Reason]:
    """The primary key in each message's key: a JSON object of its columns, or, of one column, its value
    as text or JSON. It is read as the same values in a message are."""
    found: list[tuple[Any, ...] | Reason] = []
    documents = [_as_document(contract, key) for key in keys]
    texts = [None if isinstance(one, Reason) else one for one in documents]
    decoded = _key_decoder(contract).decode(pa.array(texts, pa.binary()))
    columns = tuple(contract.column(name) for name in contract.primary_key)
    schema = arrow_schema(tuple((column.name, column.type) for column in columns))
    rows = decoded.frame.to_arrow().select(schema.names).cast(schema)
    values = zip(*(rows.column(name).to_pylist() for name in schema.names), strict=True)
    read = dict(zip(decoded.positions.to_list(), values, strict=True))
    for place, document in enumerate(documents):
        key = read.get(place)
        if isinstance(document, Reason):
            found.append(document)
        elif key is None or None in key:
            found.append(Reason(contract.primary_key[0], None, _NOT_THERE))
        else:
            found.append(key)
    return found


@lru_cache(maxsize=4)
def _key_decoder(contract: Contract) -> Decoder:
    columns = tuple(contract.column(name) for name in contract.primary_key)
    return JsonDecoder(replace(contract, columns=columns), ignores_extra=True)


def _as_document(contract: Contract, key: bytes | None) -> bytes | Reason:
    """The key as a JSON object of the columns."""
    if key is None:
        return Reason(None, None, "has neither a value nor a key, so that it is about nothing")
    first = contract.column(contract.primary_key[0])
    try:
        text = key.decode("utf-8")
    except UnicodeDecodeError:
        return Reason(None, None, "has a key that is not UTF-8")
    try:
        value = json.loads(text, parse_constant=_no_number)
    except RecursionError:
        return Reason(first.name, None, _NOT_THERE)
    except ValueError:
        value = text
    if isinstance(value, dict):
        return key
    if len(contract.primary_key) > 1:
        return Reason(first.name, None, _NOT_THERE)
    # Where texts are keys, 1.10 and true are the texts that they are.
    if isinstance(value, str) or first.type.family is Family.STRING:
        text = json.dumps(value if isinstance(value, str) else text)
    return f"{{{json.dumps(first.landed_as or first.name)}: {text}}}".encode()


def _no_number(said: str) -> None:
    raise ValueError(said)


def merge(attempt: Attempt, decoded: WindowRows, messages: pa.Table, number: int, to: Path) -> int:
    """Write the product's next content to `to`; the number of its rows. What is published stands first,
    without the keys that the window is about."""
    contract = attempt.contract
    schema = decoded.rows.schema
    names = contract.primary_key
    rows = 0
    with pq.ParquetWriter(to, schema, compression="zstd") as writer:
        if number:
            for batch in _untouched(attempt, decoded, messages, number, names, schema):
                writer.write_batch(batch)
                rows += batch.num_rows
        writer.write_table(decoded.rows)
    return rows + len(decoded.places)


def _untouched(
    attempt: Attempt,
    decoded: WindowRows,
    messages: pa.Table,
    number: int,
    names: tuple[str, ...],
    schema: pa.Schema,
) -> Iterator[pa.RecordBatch]:
    contract = attempt.contract
    opened = attempt.environment.stores_of(contract)[0].open(contract.key, number)
    published = in_names_of(contract, opened, with_aliases=False)
    of = messages.column("key").take(pa.array(decoded.tombstones, pa.int64())).to_pylist()
    keys = read_keys(contract, of)
    gone = [dict(zip(names, key, strict=True)) for key in keys if not isinstance(key, Reason)]
    of_keys = pa.schema([schema.field(name) for name in names])
    with audit_connection(attempt.environment.scratch) as connection:
        connection.execute("SET preserve_insertion_order = true")
        published.register(connection, _PUBLISHED)
        connection.register(BATCH, decoded.rows)
        connection.register(_GONE, pa.Table.from_pylist(gone, schema=of_keys))
        listed = ", ".join(quote_identifier(name) for name in names)
        columns = ", ".join(f"{_PUBLISHED}.{quote_identifier(field.name)}" for field in schema)
        same = " AND ".join(
            f"{_PUBLISHED}.{quote_identifier(name)} = _touched.{quote_identifier(name)}"
            for name in names
        )
        relation = connection.sql(
            f"SELECT {columns} FROM {_PUBLISHED} ANTI JOIN (SELECT {listed} FROM {BATCH} "
            f"UNION ALL SELECT {listed} FROM {_GONE}) AS _touched ON {same}"
        )
        for batch in arrow_batches(relation, ROWS_PER_BATCH):
            yield batch if batch.schema.equals(schema) else batch.cast(schema)

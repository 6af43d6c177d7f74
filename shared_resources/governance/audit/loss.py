"""Splitting a batch within its loss budget: good rows to publish, bad rows to quarantine.

Belongs here: which rows of a refused batch are bad, writing both sides, and a few of the bad ones.
Does not belong here: whether the budget allows it, the second audit (`sifting.py`),
or keeping the bad rows (`governance/quarantine/quarantine.py`).

Of rows that share a key that must be unique, one is kept when they are identical in every column;
when they differ nobody can say which is right, and all go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from shared_resources.contracts.model import Contract, Rule
from shared_resources.contracts.rules.kind import KeyKind, ReferenceKind, RowKind
from shared_resources.contracts.rules.registry import kind_of
from shared_resources.contracts.rules.view import BATCH, compared, duplicated_keys, key_expressions
from shared_resources.contracts.values.duckdb_to_arrow import arrow_batches
from shared_resources.governance.audit.engine.connection import (
    FILE,
    ROW,
    asking,
    audit_connection,
    float_columns,
    parquet_scan,
    without_nan,
)
from shared_resources.governance.audit.engine.staged_data import StagedData
from shared_resources.governance.audit.report import AuditReport
from shared_resources.parquet import write_parquet
from shared_resources.sql import quote_identifier, quote_literal
from shared_resources.stores.protocol import Snapshot, StagedFile
from shared_resources.stores.staging.staging import write_staged

REASONS = "_reasons"
PLACE = "_place"
_REASONS_TYPE = pa.list_(pa.string())
_FLAGGED = "_mesh_flagged"
ROWS_PER_BATCH = 65_536


@dataclass(frozen=True)
class Split:
    """`files` hold the good rows, staged as the batch was. `rejected` is a Parquet file of the bad
    rows, as they came, with the names of the rules that each broke in `_reasons` (a list).

    `rejected_rows` counts these and those that could not be read, which stay in `batch.rejects`.
    """

    files: tuple[StagedFile, ...]
    rejected: Path
    rejected_rows: int


def separates(rule: Rule) -> bool:
    """Whether the rule tells rows of a batch apart. What could not be read is apart already."""
    return isinstance(kind_of(rule), RowKind | KeyKind | ReferenceKind)


def split(
    data: StagedData,
    contract: Contract,
    report: AuditReport,
    *,
    references: Mapping[str, Snapshot] | None = None,
    kept: Path,
    rejected: Path,
    places: bool = False,
) -> Split:
    """Separate the rows that break a row-level rule for which `report` refuses the batch.

    Writes below `kept` and to `rejected`; the batch itself stays as it is, its file of rows that
    could not be read too. A rule that could not be checked separates nothing. With `places` the rejected
    have the column `_place` first: their place in the batch's one file, from 0.
    """
    if places and len(data.batch.files) > 1:
        raise ValueError("a place in one file is asked for, and the batch has several")
    blamed = [
        result.rule for result in report.refusals if result.rows_failed and separates(result.rule)
    ]
    unread = data.batch.rejected_rows
    schema = data.schema
    whole = _with_reasons(schema, places)
    rejected.parent.mkdir(parents=True, exist_ok=True)
    if not data.batch.files:
        write_parquet(rejected, whole, ())
        return Split((), rejected, unread)
    with audit_connection(data.batch.folder) as connection:
        # The order of rows is what makes files compress and their footers useful.
        connection.execute("SET preserve_insertion_order = true")
        names = _flag(connection, data, contract, blamed, references or {})
        good = pa.RecordBatchReader.from_batches(
            schema, _select(connection, names, schema, f"len({REASONS}) = 0")
        )
        files = write_staged(good, kept, contract, data.batch.partitions)
        bad = _select(connection, [*_place(places), *names, REASONS], whole, f"len({REASONS}) > 0")
        rows = write_parquet(rejected, whole, bad)
    return Split(files, rejected, rows + unread)


def bad_rows(
    data: StagedData,
    contract: Contract,
    rules: Sequence[Rule],
    references: Mapping[str, Snapshot],
    limit: int,
    *,
    places: bool = False,
) -> list[pa.RecordBatch]:
    """Up to `limit` rows that break one of the row-level `rules`, with `_reasons`, as they came; with
    `places` as `split` has them."""
    whole = _with_reasons(data.schema, places)
    with audit_connection(None) as connection:
        connection.execute("SET preserve_insertion_order = true")
        names = _flag(connection, data, contract, rules, references)
        bad = f"len({REASONS}) > 0 LIMIT {limit}"
        return list(_select(connection, [*_place(places), *names, REASONS], whole, bad))


def _with_reasons(schema: pa.Schema, places: bool) -> pa.Schema:
    if taken := {REASONS, PLACE} & {*schema.names}:
        raise ValueError(f"a column of a product cannot be called {sorted(taken)[0]}; rename it")
    before = [pa.field(PLACE, pa.int64())] if places else []
    return pa.schema([*before, *schema, pa.field(REASONS, _REASONS_TYPE)])


def _place(places: bool) -> list[str]:
    return [f"{ROW} AS {PLACE}"] if places else []


def _flag(
    connection: duckdb.DuckDBPyConnection,
    data: StagedData,
    contract: Contract,
    blamed: Sequence[Rule],
    references: Mapping[str, Snapshot],
) -> list[str]:
    """Make the view of all rows with their reasons; the expressions of its columns, as staged.

    The view `batch` has NaN as null for the rules, and beside it the floats as they are.
    """
    paths, schemas = data.paths(), data.schemas
    floats = float_columns(schemas)
    places = {name: place for place, name in enumerate(floats)}
    raw = parquet_scan(paths, schemas, [0] * len(paths), places=True)
    copies = "".join(
        f", {quote_identifier(name)} AS _mesh_raw_{place}" for place, name in enumerate(floats)
    )
    clean = without_nan(f"SELECT *{copies} FROM ({raw})", floats)
    connection.execute(f"CREATE TEMP VIEW {BATCH} AS {clean}")
    names = [
        f"_mesh_raw_{places[name]} AS {quote_identifier(name)}"
        if name in places
        else quote_identifier(name)
        for name in data.schema.names
    ]
    cases = [
        f"CASE WHEN {_condition(connection, number, rule, contract, references, names)} "
        f"THEN {quote_literal(rule.name)} END"
        for number, rule in enumerate(blamed)
    ]
    listed = f"list_filter([{', '.join(cases)}]::VARCHAR[], lambda _name: _name IS NOT NULL)"
    connection.execute(
        f"CREATE TEMP VIEW {_FLAGGED} AS SELECT *, {listed} AS {REASONS} FROM {BATCH}"
    )
    return names


def _condition(
    connection: duckdb.DuckDBPyConnection,
    number: int,
    rule: Rule,
    contract: Contract,
    references: Mapping[str, Snapshot],
    names: Sequence[str],
) -> str:
    """The condition under which a row goes because of `rule`."""
    kind = kind_of(rule)
    if isinstance(kind, RowKind):
        return kind.confirmed(rule, contract, BATCH, asking(connection))
    if isinstance(kind, ReferenceKind):
        reference = f"_mesh_reference_{number}"
        references[kind.product(rule)].register(connection, reference)
        return kind.orphaned(rule, reference, BATCH)
    doubles = f"_mesh_doubles_{number}"
    connection.execute(f"CREATE TEMP TABLE {doubles} AS {_doubles(rule, contract, names)}")
    return (
        f"EXISTS (SELECT 1 FROM {doubles} _double WHERE _double.{FILE} = {BATCH}.{FILE} "
        f"AND _double.{ROW} = {BATCH}.{ROW})"
    )


def _doubles(rule: Rule, contract: Contract, names: Sequence[str]) -> str:
    """The places of rows that share a key and must go: all of them, or all but the first."""
    keys = key_expressions(rule, contract)
    key_names = [f"_mesh_k{place}" for place in range(len(keys))]
    same_key = " AND ".join(
        f"{expression} IS NOT DISTINCT FROM {name}"
        for expression, name in zip(keys, key_names, strict=True)
    )
    whole_row = ", ".join(name.partition(" AS ")[0] for name in names)
    key = ", ".join(key_names)
    return (
        f"SELECT {FILE}, {ROW} FROM ("
        f"SELECT {FILE}, {ROW}, count(*) OVER (PARTITION BY {key}) AS _mesh_sharing, "
        f"count(*) OVER (PARTITION BY {key}, {whole_row}) AS _mesh_identical, "
        f"row_number() OVER (PARTITION BY {key} ORDER BY {FILE}, {ROW}) AS _mesh_place "
        f"FROM {BATCH} JOIN ({duplicated_keys(rule, contract)}) AS _mesh_repeated "
        f"ON {same_key} WHERE {compared(rule)}"
        ") WHERE _mesh_sharing <> _mesh_identical OR _mesh_place > 1"
    )


def _select(
    connection: duckdb.DuckDBPyConnection, names: Sequence[str], schema: pa.Schema, where: str
) -> Iterator[pa.RecordBatch]:
    relation = connection.sql(f"SELECT {', '.join(names)} FROM {_FLAGGED} WHERE {where}")
    for batch in arrow_batches(relation, ROWS_PER_BATCH):
        yield batch if batch.schema.equals(schema) else batch.cast(schema)

"""Rows that keep a contract, made from it: for the tests of whoever makes or reads the product.

Belongs here: keys, nulls, days, what a test sets itself, and the audit that proves it.
Does not belong here: the values of one column (`column_values.py`).
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from itertools import islice, product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa

from shared_resources.contracts.model import Column, Contract
from shared_resources.contracts.odcs import read_contract
from shared_resources.contracts.rules.registry import kind_of
from shared_resources.contracts.types import arrow_schema
from shared_resources.governance.audit.audit import audit
from shared_resources.governance.audit.engine.staged_data import StagedData
from shared_resources.mesh.model import CONTRACT_FILE
from shared_resources.parquet import write_parquet
from shared_resources.problems import MeshProblem
from shared_resources.stores.protocol import StagedBatch, StagedFile
from shared_resources.testing.column_values import allowed, values

# What a few rows cannot keep, or only beside other products.
_NOT_OF_ROWS = frozenset({"row_count", "relationship", "sql", "custom", "parse"})
_NULL_EVERY = 7  # of a column that may hold none


class NoSuchRows(MeshProblem):
    """No rows are found that keep the contract; the message names the rules that they break."""


def rows_of(
    contract: Contract | Path,
    rows: int = 20,
    *,
    seed: int = 0,
    **columns: Sequence[Any] | str | float | None,
) -> pa.Table:
    """A table of `rows` rows that keep the contract, the edges of its rules among them.

    The same for the same arguments. `columns` sets columns by name: a list is repeated, a single value
    stands in every row (say, the keys of another product that the contract refers to).

    Held are types, keys, required columns, ranges, enumerations, patterns, lengths, formats and days;
    not the number of rows, relationships and rules in SQL or Python. Raises `NoSuchRows`.
    """
    read = contract if isinstance(contract, Contract) else read_contract(_file(contract))
    unknown = sorted(columns.keys() - {column.name for column in read.columns})
    if unknown:
        raise NoSuchRows(f"{read.key} has no column {', '.join(unknown)}")
    made = _made(read, rows, random.Random(seed), columns)
    schema = arrow_schema(tuple((column.name, column.type) for column in read.columns))
    try:
        table = pa.table({name: pa.array(made[name], schema.field(name).type) for name in made})
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as problem:
        raise NoSuchRows(f"{read.key}: {problem}") from None
    _prove(read, table)
    return table


def _file(place: Path) -> Path:
    return place / CONTRACT_FILE if place.is_dir() else place


def _made(
    contract: Contract, rows: int, chance: random.Random, given: Mapping[str, Any]
) -> dict[str, list[Any]]:
    key = [name for name in contract.primary_key if name not in given]
    keyed = _keys(contract, key, rows, chance, given)
    made: dict[str, list[Any]] = {}
    for column in contract.columns:
        name = column.name
        if name in given:
            made[name] = _given(given[name], rows)
        elif name in keyed:
            made[name] = keyed[name]
        else:
            made[name] = _column(contract, column, rows, chance)
    return made


def _given(value: Any, rows: int) -> list[Any]:
    listed = [value] if isinstance(value, str) or not isinstance(value, Sequence) else list(value)
    return [listed[n % len(listed)] for n in range(rows)] if listed else [None] * rows


def _column(contract: Contract, column: Column, rows: int, chance: random.Random) -> list[Any]:
    found = list(islice(values(allowed(contract, column), chance, distinct=column.unique), rows))
    if len(found) < rows:
        raise NoSuchRows(
            f"{contract.key}: column {column.name} has {len(found)} different values, for {rows} rows"
        )
    if column.required or _counts_nulls(contract, column):
        return found
    return [None if n % _NULL_EVERY == _NULL_EVERY - 1 else one for n, one in enumerate(found)]


def _counts_nulls(contract: Contract, column: Column) -> bool:
    counting = ("null_values", "missing_values")
    return any(r.kind in counting and column.name in r.columns for r in contract.rules)


def _keys(
    contract: Contract,
    key: Sequence[str],
    rows: int,
    chance: random.Random,
    given: Mapping[str, Any],
) -> dict[str, list[Any]]:
    """The key's columns, no two rows alike: every combination of few values of each."""
    if not key:
        return {}
    taken = [n for n in contract.primary_key if n in given]
    different = 1 if not taken else max(1, len({*map(str, _given(given[taken[0]], rows))}))
    each = max(2, -(-rows // different))
    found = []
    for name in key:
        column = contract.column(name)
        found.append(list(islice(values(allowed(contract, column), chance, distinct=True), each)))
    combined = list(islice(product(*reversed(found)), rows))
    if len(combined) * different < rows:
        raise NoSuchRows(
            f"{contract.key}: the key ({', '.join(contract.primary_key)}) has {len(combined)} "
            f"different values, for {rows} rows"
        )
    spread = [combined[n // different % len(combined)] for n in range(rows)]
    return {name: [one[-1 - place] for one in spread] for place, name in enumerate(key)}


def _prove(contract: Contract, table: pa.Table) -> None:
    """Audit the rows as a batch is. Raises `NoSuchRows`."""
    rules = [rule for rule in contract.rules if rule.kind not in _NOT_OF_ROWS and _alone(rule)]
    with TemporaryDirectory(prefix="mesh-rows-") as temporary:
        path = Path(temporary) / "rows.parquet"
        write_parquet(path, table.schema, table.to_batches())
        files = (StagedFile(path, "", table.num_rows),)
        batch = StagedBatch(contract.key, "rows", Path(temporary), files)
        report = audit(StagedData(batch), contract, rules=rules)
    if report.refusals:
        broken = "; ".join(f"{one.rule.name}: {one.message}" for one in report.refusals)
        raise NoSuchRows(f"{contract.key}: no rows are found that keep {broken}; set the column")


def _alone(rule: Any) -> bool:
    return bool(kind_of(rule).of_one_file)

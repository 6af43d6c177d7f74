"""Samples: a few failing rows, fit to be shown to anyone.

Belongs here: which columns and how much of a value is shown, and masking.
Does not belong here: which rows fail (`contracts/rules/`).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from shared_resources.contracts.model import MASK, Contract
from shared_resources.personal_data.numbers import SHORTEST_OF_A_PERSON

SAMPLE_ROWS = 5
SHOWN_REASONS = 3
SHOWN_COLUMNS = 12
SHOWN_CHARACTERS = 80


def shown_columns(contract: Contract, first: Iterable[str], present: Iterable[str]) -> list[str]:
    """The rule's columns, the key, then the others in the contract's order; the wide are cut."""
    available = set(present)
    wanted = [*first, *contract.primary_key, *(column.name for column in contract.columns)]
    declared = {column.name for column in contract.columns}
    kept = [name for name in dict.fromkeys(wanted) if name in available and name in declared]
    return kept[:SHOWN_COLUMNS]


def masked(
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    contract: Contract,
    also: Collection[str] = (),
) -> tuple[Mapping[str, Any], ...]:
    """Rows as mappings of plain values. A value in a classified column, or in one that the
    contract does not know, is `***`; a null stays a null: its absence may be what failed.
    `also` names columns among which some turned out to hold personal data.
    """
    declared = {column.name for column in contract.columns}
    undeclared = {name for name in columns if name not in declared}
    hidden = undeclared | contract.classified_columns
    return tuple(
        {
            name: shown(
                MASK
                if value is not None
                and (name in hidden or (name in also and not _tells_nobody(value)))
                else value
            )
            for name, value in zip(columns, row, strict=True)
        }
        for row in rows
    )


def _tells_nobody(value: Any) -> bool:
    """A number too short to be a person's, such as most keys."""
    return isinstance(value, int) and abs(value) < SHORTEST_OF_A_PERSON


def shown(value: Any) -> str | int | float | bool | None:
    """A value as JSON can carry it and a table can hold it."""
    match value:
        case None | bool() | int():
            return value
        case float():
            return value if math.isfinite(value) else str(value)
    text = str(value)
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"


def reject_sample(
    rejects: Path | None, contract: Contract, limit: int = SAMPLE_ROWS
) -> tuple[Mapping[str, Any], ...]:
    """A few rows that could not be read: where each stands, and what is wrong with which cell.

    The cell's text is shown only for a column that the contract knows and does not classify.
    """
    if rejects is None:
        return ()
    import pyarrow.parquet as pq

    with pq.ParquetFile(rejects) as parquet:
        batch = next(parquet.iter_batches(batch_size=limit), None)
    if batch is None:
        return ()
    return tuple(_reject(row, contract) for row in batch.to_pylist())


def frequent_reasons(rejects: Path | None, contract: Contract) -> str:
    """The most frequent reasons why rows could not be read, with their columns; ``""`` for none."""
    if rejects is None:
        return ""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    counted: Counter[tuple[str | None, str]] = Counter()
    with pq.ParquetFile(rejects) as parquet:
        for batch in parquet.iter_batches(columns=["_reasons"]):
            reasons = pc.list_flatten(batch.column(0))
            columns = pc.fill_null(pc.struct_field(reasons, "column"), "")
            # A scalar without a type would import pandas, to see whether it is one of its own.
            between = pa.scalar("\0", pa.string())
            keys = pc.binary_join_element_wise(
                columns, pc.struct_field(reasons, "problem"), between
            )
            for group in pc.value_counts(keys).to_pylist():
                column, _, problem = group["values"].partition("\0")
                counted[column or None, problem] += group["counts"]
    said = [
        (f"{column}: " if column else "") + public_problem(column, problem, contract)
        + (f" ({count:,} times)" if count > 1 else "")
        for (column, problem), count in counted.most_common(SHOWN_REASONS)
    ]  # fmt: skip
    more = len(counted) - len(said)
    return "; ".join(said) + (f"; and {more} reasons more" if more else "")


def public_problem(column: str | None, problem: str, contract: Contract) -> str:
    """What is wrong with a cell or a row, without what it quotes of classified values."""
    names = {one.name for one in contract.columns}
    if column in names - contract.classified_columns or not contract.classified_columns:
        return problem
    return re.sub(r"'([^']*)'", lambda m: m[0] if m[1] in names else f"'{MASK}'", problem)


def _reject(row: Mapping[str, Any], contract: Contract) -> Mapping[str, Any]:
    names = {column.name for column in contract.columns}
    open_columns = names - contract.classified_columns
    said = []
    for reason in row["_reasons"] or ():
        column, value = reason["column"], reason["value"]
        text = shown(value) if column in open_columns else MASK
        where = f"{column}: " if column else ""
        problem = public_problem(column, reason["problem"], contract)
        said.append(f"{where}{problem}" + (f" ({text})" if value is not None else ""))
    return {
        "_object": row["_object"],
        "_row": row["_row"],
        "_line": row["_line"],
        "_problems": "; ".join(said),
    }

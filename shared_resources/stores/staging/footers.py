"""The Parquet footers of a staged batch, and the check that its files are what the contract says.

Belongs here: what every store looks at before it takes a file.
Does not belong here: judging rows (`governance/`), what a store makes of the files.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from typing import TYPE_CHECKING, TypeAlias

from shared_resources.contracts.model import Contract
from shared_resources.contracts.types import arrow_schema
from shared_resources.stores.evolution import columns_of
from shared_resources.stores.protocol import PublishError, StagedFile

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

Footers: TypeAlias = "Sequence[tuple[StagedFile, pq.FileMetaData]]"
READERS = 8


def read_footers(files: Iterable[StagedFile], contract: Contract) -> Footers:
    """The footers of the files that hold rows, read concurrently.

    Raises `PublishError` for a file that lacks the contract's columns, types or counted rows: what
    the audit passed is what is published, or nothing is.
    """
    import pyarrow.parquet as pq

    wanted = arrow_schema(columns_of(contract))
    with ThreadPoolExecutor(READERS) as pool:
        pairs = list(pool.map(lambda file: (file, pq.read_metadata(file.path)), files))
    for file, footer in pairs:
        found = footer.schema.to_arrow_schema().remove_metadata()
        if footer.num_rows != file.rows:
            raise PublishError(
                f"{contract.key}: {file.path} holds {footer.num_rows} rows and {file.rows} were "
                "staged; it was changed since. Stage the batch again."
            )
        if found != wanted:
            raise PublishError(
                f"{contract.key}: {file.path} does not have the contract's columns and types: it "
                f"has {_shown(found)}; expected {_shown(wanted)}. Stage it through `conform`, and "
                "publish only what the audit passed."
            )
        if contract.partitioning is not None:
            _check_days(contract, contract.partitioning.column, file, footer)
    return [(file, footer) for file, footer in pairs if footer.num_rows]


def _check_days(contract: Contract, column: str, file: StagedFile, footer: pq.FileMetaData) -> None:
    """Raise `PublishError` when the file's own statistics say that it holds rows of another day."""
    position = contract.columns.index(contract.column(column))
    if not footer.num_rows:
        return
    day = date.fromisoformat(file.partition)
    for group in range(footer.num_row_groups):
        statistics = footer.row_group(group).column(position).statistics
        found: set[object] = {"no day at all"}
        if statistics is not None and statistics.has_min_max:
            ends = {_day(statistics.min), _day(statistics.max)} - {day}
            found = ends | ({"no day at all"} if statistics.null_count else set())
        if found:
            shown = ", ".join(sorted(map(str, found)))
            raise PublishError(
                f"{contract.key}: {file.path} was staged for {file.partition} and holds rows of "
                f"{shown}; publish only what the audit's partition rule passed."
            )


def _day(value: date | datetime) -> date:
    """The UTC day of a Parquet statistic; zoned columns give aware values."""
    return value.date() if isinstance(value, datetime) else value


def _shown(schema: pa.Schema) -> str:
    return ", ".join(f"{field.name} {field.type}" for field in schema)

"""Rows in files of a rehearsal, read as a published version is.

Belongs here: the SQL over them. Does not belong here: where they come from (`given_inputs.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from shared_resources.contracts.model import Contract
from shared_resources.contracts.types import ColumnType
from shared_resources.evidence.statement import AttestedFile
from shared_resources.sql import parquet_rows, quote_identifier, quote_literal
from shared_resources.stores.protocol import Verified, Version
from shared_resources.stores.reading.duck import in_memory
from shared_resources.stores.reading.sql_snapshot import SqlSnapshot

if TYPE_CHECKING:
    import duckdb


class FileSnapshot(SqlSnapshot):
    """Parquet files with these columns; of a daily product, the contract names that of the day."""

    def __init__(
        self,
        version: Version,
        contract: Contract,
        files: Sequence[Path],
        columns: Sequence[tuple[str, ColumnType]],
    ) -> None:
        super().__init__(version, columns)
        self._files = tuple(files)
        daily = contract.partitioning
        there = daily is not None and daily.column in dict(columns)
        self._day = (
            None
            if daily is None or not there
            else f"CAST({quote_identifier(daily.column)} AS DATE)"
        )

    def attach(self, connection: duckdb.DuckDBPyConnection) -> None:
        """The files are named in the statement."""

    def select(self, columns: Sequence[str], partitions: Sequence[str] | None = None) -> str:
        named = ", ".join(map(quote_identifier, columns))
        statement = f"SELECT {named} FROM {self._rows}"
        if partitions is None or self._day is None:
            return statement
        days = ", ".join(quote_literal(day) for day in partitions)
        return f"{statement} WHERE CAST({self._day} AS VARCHAR) IN ({days})"

    def partitions(self) -> tuple[str, ...]:
        if self._day is None:
            return ()
        query = f"SELECT DISTINCT CAST({self._day} AS VARCHAR) FROM {self._rows} ORDER BY 1"
        with in_memory() as connection:
            return tuple(str(day) for (day,) in connection.execute(query).fetchall() if day)

    def paths(self) -> tuple[Path, ...]:
        return self._files

    def attested(self) -> tuple[AttestedFile, ...]:
        """Nobody attests what was only tried."""
        return ()

    def verify(self) -> Verified:
        return Verified(0, len(self._files))

    @property
    def _rows(self) -> str:
        return parquet_rows(self._files)

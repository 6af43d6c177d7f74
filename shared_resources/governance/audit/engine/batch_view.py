"""The view `batch` that every rule is compiled against: all parts, NaN as null.

Belongs here: making the view, whole or of the columns that some rules read.
Does not belong here: rules, and reading Parquet files (`connection.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import duckdb

from shared_resources.contracts.rules.view import BATCH, PART, PARTITION
from shared_resources.governance.audit.engine.connection import (
    PUBLISHED,
    float_columns,
    parquet_scan,
    without_nan,
)
from shared_resources.governance.audit.engine.staged_data import Auditable, StagedData
from shared_resources.sql import quote_identifier


def prepare_view(
    connection: duckdb.DuckDBPyConnection,
    parts: Sequence[Auditable],
    columns: Collection[str] | None = None,
) -> None:
    """Make the view `batch` of all parts, NaN as null, each row with its part and partition.

    With `columns` it has these alone: what DuckDB needs to plan a query grows with all columns of
    its views, read or not.
    """
    staged = [data for data in parts if isinstance(data, StagedData)]
    if staged:
        paths = [path for data in staged for path in data.paths()]
        schemas = [schema for data in staged for schema in data.schemas]
        places = [place for place, data in enumerate(staged) for _ in data.paths()]
        query = parquet_scan(paths, schemas, places)
    else:
        parts[0].register(connection, PUBLISHED)
        schemas = [parts[0].schema]
        query = f"SELECT *, 0 AS {PART}, '' AS {PARTITION} FROM {PUBLISHED}"
    floats = float_columns(schemas)
    if columns is not None:
        listed = ", ".join([*map(quote_identifier, columns), PART, PARTITION])
        query = f"SELECT {listed} FROM ({query})"
        floats = tuple(name for name in floats if name in columns)
    query = without_nan(query, floats)
    connection.execute(f"CREATE OR REPLACE TEMP VIEW {BATCH} AS {query}")

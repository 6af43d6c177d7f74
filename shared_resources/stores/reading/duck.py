"""One way to open DuckDB for the stores: in memory, in UTC, quiet.

Belongs here: the settings that every connection of the stores needs.
Does not belong here: statements, and the audit's connection (`governance/`), which is confined.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb


def in_memory() -> duckdb.DuckDBPyConnection:
    """A new in-memory database; the caller closes it."""
    import duckdb

    connection = duckdb.connect(":memory:")
    # In a worker process DuckDB takes itself for interactive, and draws a progress bar on stdout.
    connection.execute("SET enable_progress_bar = false")
    # Arrow's zoned timestamps carry the session's zone; the contracts' are UTC.
    connection.execute("SET TimeZone = 'UTC'")
    return connection

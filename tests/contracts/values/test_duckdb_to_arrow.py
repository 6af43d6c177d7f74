"""What goes wrong in DuckDB while Arrow pulls its rows is an error of DuckDB's, and of its kind."""

from __future__ import annotations

import ast

import duckdb
import pyarrow as pa
import pytest

from shared_resources.contracts.values.duckdb_to_arrow import arrow_batches, arrow_reader
from tests.architecture.tree import modules, syntax

LATE = "FROM range(300000) AS t(i)"
MISTAKES = {
    "conversion": (
        f"SELECT CAST(CASE WHEN i > 200000 THEN 'x' ELSE '1' END AS INTEGER) {LATE}",
        duckdb.ConversionException,
    ),
    "raised": (
        f"SELECT CASE WHEN i > 200000 THEN error('no') ELSE 1 END {LATE}",
        duckdb.InvalidInputException,
    ),
    "range": (f"SELECT CAST(i - 200000 + 2147483000 AS INTEGER) {LATE}", duckdb.Error),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_an_error_after_the_first_rows_is_duckdbs_own(mistake: str) -> None:
    query, kind = MISTAKES[mistake]
    rows = 0
    # Several threads look ahead, on a busy machine to the very mistake.
    with duckdb.connect(config={"threads": 1}) as connection, pytest.raises(kind):
        for batch in arrow_batches(connection.sql(query), 2_048):
            rows += len(batch)
    assert rows > 0, "the mistake was found before the stream began; it is no test of the stream"


def test_an_error_passes_through_who_reads_the_reader() -> None:
    with duckdb.connect() as connection:
        reader = arrow_reader(connection.sql(MISTAKES["conversion"][0]), 2_048)
        again = pa.RecordBatchReader.from_batches(reader.schema, iter(reader))
        with pytest.raises(duckdb.ConversionException, match="Could not convert"):
            again.read_all()


def test_no_other_module_asks_duckdb_for_a_stream() -> None:
    wanted = {"to_arrow_reader", "fetch_record_batch", "fetch_arrow_reader"}
    asking = {
        module.as_posix()
        for module in modules("shared_resources")
        for node in ast.walk(syntax(module))
        if isinstance(node, ast.Attribute) and node.attr in wanted
    }
    assert asking == {"shared_resources/contracts/values/duckdb_to_arrow.py"}

"""Parquet files with a damage of one kind, for whoever has to notice it.

Belongs here: making the damage, and showing that it is there.
Does not belong here: tests.
"""

from __future__ import annotations

import io
import tempfile

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shared_resources.sql import quote_literal


def overlooked_by_arrow(rows: pa.Table, column: str) -> bytes:
    """A file of the rows, in which a page of the column says another size than it has.

    Arrow reads all of it, and DuckDB refuses the page.
    """
    sink = io.BytesIO()
    pq.write_table(rows, sink, compression="none", use_dictionary=False)
    content = bytearray(sink.getvalue())
    group = pq.ParquetFile(io.BytesIO(content)).metadata.row_group(0)
    start = group.column(rows.column_names.index(column)).data_page_offset
    # The page's header: field 1, its kind, is 0; field 2, its size, begins after that.
    assert content[start : start + 3] == b"\x15\x00\x15"
    content[start + 3] ^= 2
    assert pq.read_table(io.BytesIO(content)).equals(rows)
    with tempfile.NamedTemporaryFile(suffix=".parquet") as file:
        file.write(content)
        file.flush()
        scan = f"read_parquet({quote_literal(file.name)})"
        with pytest.raises(duckdb.Error):
            duckdb.sql(f"SELECT first(row({column})) FROM {scan}").fetchall()
    return bytes(content)

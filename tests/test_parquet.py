"""Parquet as the platform writes it: dictionaries where values repeat, the same rows in any case."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shared_resources.parquet import ROWS_PER_GROUP, write_parquet

ROWS = 20_000


def _batch(**columns: pa.Array) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(columns)


def _by_dictionary(path: Path) -> set[str]:
    group = pq.ParquetFile(path).metadata.row_group(0)
    columns = (group.column(n) for n in range(group.num_columns))
    return {c.path_in_schema for c in columns if c.has_dictionary_page}


def test_a_column_has_a_dictionary_where_its_values_repeat(tmp_path: Path) -> None:
    batch = _batch(
        order_id=pa.array(range(ROWS)),
        sku=pa.array([f"SKU-{n % 40}" for n in range(ROWS)]),
        amount=pa.array([n / 7 for n in range(ROWS)]),
        nothing=pa.nulls(ROWS, pa.int64()),
    )
    path = tmp_path / "rows.parquet"

    assert write_parquet(path, batch.schema, [batch]) == ROWS

    assert _by_dictionary(path) == {"sku", "nothing"}
    assert pq.read_table(path).equals(pa.Table.from_batches([batch]))


def test_a_column_that_repeats_only_later_is_read_back_all_the_same(tmp_path: Path) -> None:
    first = _batch(code=pa.array(range(ROWS)), kind=pa.array(["a"] * ROWS))
    later = _batch(code=pa.array([1] * ROWS), kind=pa.array([str(n) for n in range(ROWS)]))
    path = tmp_path / "rows.parquet"

    write_parquet(path, first.schema, [first, later])

    assert pq.read_table(path).equals(pa.Table.from_batches([first, later]))


@pytest.mark.parametrize(
    "nested", [pa.array([[1, 2], []] * 5), pa.array([{"a": 1}, None] * 5)], ids=["list", "struct"]
)
def test_nested_columns_are_written_as_arrow_would(nested: pa.Array, tmp_path: Path) -> None:
    batch = _batch(nested=nested, number=pa.array(range(10)))
    path = tmp_path / "rows.parquet"

    write_parquet(path, batch.schema, [batch])

    assert "number" in _by_dictionary(path)
    assert pq.read_table(path).equals(pa.Table.from_batches([batch]))


def test_small_batches_share_a_row_group_and_no_rows_are_a_whole_file(tmp_path: Path) -> None:
    batch = _batch(number=pa.array(range(100)))
    many, none = tmp_path / "many.parquet", tmp_path / "none.parquet"

    assert write_parquet(many, batch.schema, [batch] * 2_000) == 200_000
    assert write_parquet(none, batch.schema, []) == 0

    groups = pq.ParquetFile(many).metadata
    assert [groups.row_group(n).num_rows for n in range(groups.num_row_groups)] == [
        -(-ROWS_PER_GROUP // 100) * 100,
        200_000 - -(-ROWS_PER_GROUP // 100) * 100,
    ]
    assert pq.read_table(none).schema.equals(batch.schema)

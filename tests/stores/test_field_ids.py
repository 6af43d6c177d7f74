"""Field ids are written into a footer, and nothing else of the file changes."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shared_resources.stores.lake.files.field_ids import write_field_ids

TABLE = pa.table(
    {
        "text": ["a", None, "ü"],
        "long": pa.array([1, 2, None], pa.int64()),
        "int": pa.array([1, 2, 3], pa.int32()),
        "yes": [True, None, False],
        "money": pa.array([Decimal("1.23"), None, Decimal("4.56")], pa.decimal128(38, 2)),
        "at": pa.array([datetime(2017, 1, 1, tzinfo=UTC)] * 3, pa.timestamp("us", "UTC")),
        "day": pa.array([1, 2, 3], pa.date32()),
        "a name with spaces": [0.5, 1.5, float("nan")],
    }
)


def ids_of(file: Path) -> dict[str, int | None]:
    found = {}
    for field in pq.read_schema(file):
        number = (field.metadata or {}).get(b"PARQUET:field_id")
        found[field.name] = None if number is None else int(number)
    return found


def data_of(file: Path) -> bytes:
    content = file.read_bytes()
    return content[: len(content) - 8 - int.from_bytes(content[-8:-4], "little")]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    pq.write_table(TABLE, tmp_path / "t.parquet", compression="zstd", row_group_size=2)
    return tmp_path / "t.parquet"


def test_every_column_gets_its_id_and_the_data_stays(file: Path) -> None:
    before, footer = data_of(file), pq.read_metadata(file).to_dict()
    wanted = {name: 100 * number for number, name in enumerate(TABLE.schema.names, start=1)}
    write_field_ids(file, wanted)
    assert ids_of(file) == wanted
    assert data_of(file) == before
    after = pq.read_metadata(file).to_dict()
    assert {**after, "serialized_size": 0} == {**footer, "serialized_size": 0}
    assert pq.read_table(file).slice(0, 2) == TABLE.slice(0, 2)
    assert pl.read_parquet(file).height == 3
    read = duckdb.sql(f"SELECT field_id, name FROM parquet_schema('{file}') WHERE type IS NOT NULL")
    assert {name: number for number, name in read.fetchall()} == wanted


def test_ids_can_be_written_again(file: Path) -> None:
    write_field_ids(file, dict.fromkeys(TABLE.schema.names, 7))
    content = file.read_bytes()
    write_field_ids(file, dict.fromkeys(TABLE.schema.names, 7))
    assert file.read_bytes() == content
    write_field_ids(file, {"text": 70_000})
    assert ids_of(file) == {**dict.fromkeys(TABLE.schema.names, 7), "text": 70_000}


def test_a_file_of_many_columns(tmp_path: Path) -> None:
    names = [f"column {number}" for number in range(500)]
    pq.write_table(pa.table({name: [1] for name in names}), tmp_path / "wide.parquet")
    wanted = {name: number for number, name in enumerate(names, start=1)}
    write_field_ids(tmp_path / "wide.parquet", wanted)
    assert ids_of(tmp_path / "wide.parquet") == wanted


@pytest.mark.parametrize("content", [b"", b"PAR1", b"not a parquet file at all", b"PAR1" * 4])
def test_what_is_no_parquet_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(ValueError, match="no Parquet file"):
        write_field_ids(tmp_path / "file", {"a": 1})
    assert (tmp_path / "file").read_bytes() == content

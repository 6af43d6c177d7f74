"""Parquet objects: adopted byte for byte, rewritten without loss, or refused."""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shared_resources.landing.parquet import telling_damage, verify
from shared_resources.landing.reader import UnreadableObject, stage_object
from tests.landing.staging import landing_contract, stage

COLUMNS = {"id": "int", "name": "text", "at": "timestamp", "amount": "decimal"}
AT = datetime(2026, 3, 1, 10, 0, 0, 123456)
VALUES = {"id": [1, None], "name": ["x", None], "at": [AT, None], "amount": [Decimal("1.25"), None]}
TYPES = {
    "id": pa.int64(),
    "name": pa.string(),
    "at": pa.timestamp("us"),
    "amount": pa.decimal128(12, 2),
}
ROWS = [dict(zip(VALUES, row, strict=True)) for row in zip(*VALUES.values(), strict=True)]
CONTRACT = landing_contract("parquet", COLUMNS)


def table(**types: Any) -> pa.Table:
    return pa.table({n: pa.array(v, {**TYPES, **types}[n]) for n, v in VALUES.items()})


def write(rows: pa.Table, **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(rows, sink, **options)
    return sink.getvalue()


def staged_bytes(
    content: bytes, tmp_path: Path, *, inside: bool = False, partition: str = ""
) -> bytes:
    folder = tmp_path / "staging"
    copy = (folder / "landed" if inside else tmp_path) / "copy.parquet"
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_bytes(content)
    (file,) = stage_object(CONTRACT, copy, "a/b.parquet", folder, partition).files
    assert (file.partition, file.rows) == (partition, 2)
    assert file.path.samefile(copy) is inside  # linked, or copied
    return file.path.read_bytes()


@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("options", [{}, {"compression": "zstd"}, {"row_group_size": 1}])
def test_a_conforming_file_is_adopted_byte_for_byte(
    tmp_path: Path, inside: bool, options: Mapping[str, Any]
) -> None:
    content = write(table(), **options)
    assert staged_bytes(content, tmp_path, inside=inside) == content


def test_a_partitions_file_lies_in_its_folder(tmp_path: Path) -> None:
    staged_bytes(write(table()), tmp_path, inside=True, partition="2026-03-01")
    assert (tmp_path / "staging/partition=2026-03-01/part-00000.parquet").exists()


@pytest.mark.parametrize(
    "other",
    [
        {"id": pa.int32()},
        {"id": pa.uint8()},
        {"name": pa.large_string()},
        {"name": pa.string_view()},
        {"name": pa.dictionary(pa.int32(), pa.string())},
        {"at": pa.timestamp("ns")},
        {"amount": pa.decimal128(9, 2)},
    ],
)
def test_other_types_of_the_same_values_are_rewritten(
    tmp_path: Path, other: dict[str, pa.DataType]
) -> None:
    assert stage(CONTRACT, write(table(**other)), tmp_path).rows == ROWS


@pytest.mark.parametrize("options", [{"compression": "brotli"}, {"compression": "lz4"}])
def test_what_engines_cannot_read_is_rewritten(tmp_path: Path, options: dict[str, Any]) -> None:
    content = write(table(), **options)
    assert staged_bytes(content, tmp_path) != content


def test_field_ids_and_order_are_rewritten(tmp_path: Path) -> None:
    rows = table()
    numbered = pa.schema(
        [
            field.with_metadata({"PARQUET:field_id": str(9 - i)})
            for i, field in enumerate(rows.schema)
        ]
    )
    for content in (write(rows.cast(numbered)), write(rows.select(list(COLUMNS)[::-1]))):
        folder = tmp_path / str(len(content))
        folder.mkdir()
        assert stage(CONTRACT, content, folder).rows == ROWS
        (file,) = (folder / "staging").glob("*.parquet")
        assert not any(field.metadata for field in pq.read_schema(file))


@pytest.mark.parametrize(
    ("column", "values", "found"),
    [
        ("id", pa.array([1.0, 3.7]), "double"),
        ("id", pa.array(["007", "8"]), "string"),
        ("id", pa.array([2**63, 1], pa.uint64()), "uint64"),
        ("name", pa.array([7, 8]), "int64"),
        ("name", pa.array([b"\xff", None]), "binary"),
        ("name", pa.array([["x"], None]), "list"),
        ("at", pa.array([AT, None], pa.timestamp("us", "UTC")), "timestamp[us, tz=UTC]"),
        ("at", pa.array([1, None], pa.timestamp("ns")), "timestamp[ns]"),
        ("at", pa.array(["2026-03-01T10:00:00", None]), "string"),
        ("amount", pa.array([Decimal("1.255"), None], pa.decimal128(12, 3)), "decimal128(12, 3)"),
        ("amount", pa.array([1.255, None]), "double"),
    ],
)
def test_lossy_types_are_refused_by_name(
    tmp_path: Path, column: str, values: pa.Array, found: str
) -> None:
    rows = table()
    content = write(rows.set_column(rows.column_names.index(column), column, values))
    with pytest.raises(UnreadableObject) as caught:
        stage(CONTRACT, content, tmp_path)
    message = str(caught.value)
    assert f"column {column!r}" in message
    assert found in message and str(TYPES[column]) in message


def test_zoned_timestamps_of_other_zones_become_utc(tmp_path: Path) -> None:
    contract = landing_contract("parquet", {"at": "timestamp_tz"})
    at = AT.replace(tzinfo=UTC)
    rows = pa.table({"at": pa.array([at], pa.timestamp("ms", "Asia/Tokyo")).cast(pa.int64())})
    zoned = rows.cast(pa.schema([("at", pa.timestamp("ms", "Asia/Tokyo"))]))
    assert stage(contract, write(zoned), tmp_path).rows == [{"at": at.replace(microsecond=123000)}]


def damaged(content: bytes, column: int) -> bytes:
    """The file with the first page of one column overwritten."""
    metadata = pq.ParquetFile(io.BytesIO(content)).metadata.row_group(0).column(column)
    start = metadata.dictionary_page_offset or metadata.data_page_offset
    return content[:start] + b"\xff" * 30 + content[start + 30 :]


def large() -> bytes:
    numbers = pa.array(range(10_000), pa.int64())
    texts = pa.array([f"text {i % 100}" for i in range(10_000)])
    amounts = pa.array([Decimal(i).scaleb(-2) for i in range(10_000)], pa.decimal128(12, 2))
    at = pa.array([AT] * 10_000, pa.timestamp("us"))
    return write(pa.table({"id": numbers, "name": texts, "at": at, "amount": amounts}))


@pytest.mark.parametrize("column", range(4))
def test_a_damaged_page_is_told_from_other_failures(tmp_path: Path, column: int) -> None:
    copy = tmp_path / "copy"
    copy.write_bytes(damaged(large(), column))
    (file,) = stage_object(CONTRACT, copy, "a/b.parquet", tmp_path / "staging").files
    with (
        pytest.raises(UnreadableObject, match=rf"a/b\.parquet, column '{list(COLUMNS)[column]}'"),
        telling_damage({file.path: "a/b.parquet"}),
        duckdb.connect() as connection,
    ):
        connection.sql(f"SELECT * FROM read_parquet('{file.path}')").fetchall()


def test_a_damaged_page_of_a_file_to_rewrite_is_refused(tmp_path: Path) -> None:
    contract = landing_contract("parquet", {**COLUMNS, "id": "int32"})
    with pytest.raises(UnreadableObject, match="cannot be read"):
        stage(contract, damaged(large(), 1), tmp_path)


def test_a_failure_that_no_damage_explains_is_raised_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "sound.parquet"
    file.write_bytes(large())
    verify(file, "a/b.parquet")
    with (
        pytest.raises(duckdb.BinderException),
        telling_damage({file: "a/b.parquet"}),
        duckdb.connect() as connection,
    ):
        connection.sql(f"SELECT no_such_column FROM read_parquet('{file}')")

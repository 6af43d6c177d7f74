"""Parquet objects: adopted byte for byte, rewritten without loss, or refused."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shared_resources.contracts.types import arrow_schema
from shared_resources.landing.reader import UnreadableObject, stage_object
from tests.contract_factory import TYPES as TYPE_NAMES
from tests.landing.damage import overlooked_by_arrow
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


def test_columns_without_nulls_are_staged_like_any_other(tmp_path: Path) -> None:
    """Spark and DuckDB write them as REQUIRED, and a store compares a file's fields as a whole."""
    rows = table().slice(0, 1)
    required = pa.schema([field.with_nullable(False) for field in rows.schema])
    copy = tmp_path / "copy.parquet"
    copy.write_bytes(write(rows.cast(required)))
    (file,) = stage_object(CONTRACT, copy, "a/b.parquet", tmp_path / "staging").files
    assert pq.read_schema(file.path) == rows.schema
    assert pq.read_table(file.path).to_pylist() == ROWS[:1]


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
def test_a_damaged_page_is_refused_by_its_column(tmp_path: Path, column: int) -> None:
    with pytest.raises(UnreadableObject) as caught:
        stage(CONTRACT, damaged(large(), column), tmp_path)
    assert f"items, column {list(COLUMNS)[column]!r}, row group 1: cannot be read" in str(
        caught.value
    )


def test_a_flipped_bit_under_a_checksum_is_refused(tmp_path: Path) -> None:
    options = {"compression": "none", "use_dictionary": False, "write_page_checksum": True}
    content = write(pa.table({"id": pa.array(range(1000), pa.int64())}), **options)
    flipped = content[:500] + bytes([content[500] ^ 1]) + content[501:]
    contract = landing_contract("parquet", {"id": "int"})
    (tmp_path / "sound").mkdir()
    assert stage(contract, content, tmp_path / "sound").rows[999] == {"id": 999}
    with pytest.raises(UnreadableObject, match="cannot be read"):
        stage(contract, flipped, tmp_path)


@pytest.mark.parametrize("name", ["name", "other"])
def test_text_that_is_no_utf8_is_refused(tmp_path: Path, name: str) -> None:
    """As it is, and where the file has to be rewritten for its order of columns."""
    bad = pa.array([b"x", b"\xff"], pa.binary()).view(pa.string())
    columns = {"name": "text"} if name == "name" else {"name": "text", "other": "text"}
    content = write(
        pa.table({"name": bad}) if name == "name" else pa.table({"other": bad, "name": bad})
    )
    with pytest.raises(UnreadableObject, match="cannot be read"):
        stage(landing_contract("parquet", columns), content, tmp_path)


def test_what_arrow_overlooks_is_refused_at_once_or_left_to_the_audit(tmp_path: Path) -> None:
    """And at once where the object is read in a process of its own: nothing is left to this one."""
    contract = landing_contract("parquet", {"id": "int"})
    file = tmp_path / "damaged.parquet"
    ids = pa.table({"id": pa.array(range(1000), pa.int64())})
    file.write_bytes(overlooked_by_arrow(ids, "id"))
    for options in ({}, {"apart": True, "audit_follows": True}):
        with pytest.raises(UnreadableObject, match="cannot be read"):
            stage_object(contract, file, "a/b.parquet", tmp_path / "staged", **options)
    left = stage_object(contract, file, "a/b.parquet", tmp_path / "left", audit_follows=True)
    assert [file.half_decoded for file in left.files] == [True]


def test_what_is_rewritten_leaves_nothing_to_the_audit(tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    for other in (write(table(id=pa.int32())), write(table(), compression="brotli")):
        file.write_bytes(other)
        staged = stage_object(CONTRACT, file, "b.parquet", tmp_path / "s", audit_follows=True)
        assert [one.half_decoded for one in staged.files] == [False]


def test_a_file_that_nobody_publishes_is_read_in_place(tmp_path: Path) -> None:
    file, content = tmp_path / "rows.parquet", write(table())
    file.write_bytes(content)
    (staged,) = stage_object(CONTRACT, file, "b.parquet", tmp_path / "s", in_place=True).files
    assert staged.path.samefile(file) and staged.path != file
    staged.path.unlink()
    assert file.read_bytes() == content


@pytest.mark.parametrize("values", [[None, float("nan")], [float("nan")] * 3, [1.0, float("nan")]])
def test_statistics_without_nan_are_true(tmp_path: Path, values: list[float | None]) -> None:
    contract = landing_contract("parquet", {"price": "float"})
    content = write(pa.table({"price": pa.array(values, pa.float64(), from_pandas=False)}))
    stage(contract, content, tmp_path)
    (file,) = (tmp_path / "staging").glob("*.parquet")
    assert file.read_bytes() == content


def test_a_footer_that_lies_about_its_values_is_not_adopted(tmp_path: Path) -> None:
    """An engine that believes it answers rules, and later readers' questions, by it."""
    contract = landing_contract("parquet", {"id": "int"})
    sound = write(pa.table({"id": pa.array([1, 123456789], pa.int64())}))
    footer = int.from_bytes(sound[-8:-4], "little") + 8
    greatest, lie = ((n).to_bytes(8, "little") for n in (123456789, 5))
    assert greatest in sound[-footer:]
    lying = sound[:-footer] + sound[-footer:].replace(greatest, lie)
    assert stage(contract, lying, tmp_path).rows == [{"id": 1}, {"id": 123456789}]
    (file,) = (tmp_path / "staging").glob("*.parquet")
    assert pq.read_metadata(file).row_group(0).column(0).statistics.max == 123456789


@pytest.mark.parametrize("writer", ["pyarrow", "polars", "duckdb"])
def test_what_writers_write_of_every_type_is_adopted(tmp_path: Path, writer: str) -> None:
    """All but polars with its large strings; no sound statistics are taken for lies."""
    columns = {**COLUMNS, "day": "date", "flag": "bool", "price": "float", "single": "float32"}
    columns |= {"small": "int32", "instant": "timestamp_tz"}
    rows = [
        (1, "é" * 100, AT, Decimal("1.25"), AT.date(), True, float("nan"), 1.5, 7, AT),
        (None,) * 10,
        (-5, "", AT, Decimal("-1.25"), AT.date(), False, -0.0, None, -7, AT),
    ]
    schema = arrow_schema(tuple((n, TYPE_NAMES[t]) for n, t in columns.items()))
    arrays = [pa.array([row[i] for row in rows], field.type) for i, field in enumerate(schema)]
    data = pa.table(arrays, schema=schema)
    path = tmp_path / "written.parquet"
    match writer:
        case "pyarrow":
            pq.write_table(data, path)
        case "polars":
            polars.from_arrow(data).write_parquet(path)
        case "duckdb":
            duckdb.from_arrow(data).write_parquet(str(path))
    outcome = stage(landing_contract("parquet", columns), path.read_bytes(), tmp_path)
    assert [str(row.values()) for row in outcome.rows] == [
        str(r.values()) for r in data.to_pylist()
    ]
    (file,) = (tmp_path / "staging").glob("*.parquet")
    assert (file.read_bytes() == path.read_bytes()) is (writer != "polars")


@pytest.mark.parametrize("columns", [{**COLUMNS, "id": "int32"}, dict(reversed(COLUMNS.items()))])
def test_a_damaged_page_of_a_file_to_rewrite_is_refused(
    tmp_path: Path, columns: dict[str, str]
) -> None:
    contract = landing_contract("parquet", columns)
    with pytest.raises(UnreadableObject, match="cannot be read"):
        stage(contract, damaged(large(), 1), tmp_path)


def flipped_bits(content: bytes) -> Iterator[tuple[str, bytes]]:
    """The file with each bit of its pages flipped in turn, and a name for it."""
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    for place, bit in itertools.product(range(4, footer), range(8)):
        damaged = bytearray(content)
        damaged[place] ^= 1 << bit
        yield f"{place}-{bit}", bytes(damaged)


@pytest.mark.slow
@pytest.mark.parametrize("compression", ["none", "snappy", "zstd"])
def test_no_flipped_bit_of_a_page_header_loses_rows(compression: str, tmp_path: Path) -> None:
    """Whatever is staged has all rows, and both engines read the same from it."""
    contract = landing_contract("parquet", {"id": "int"})
    rows = pa.table({"id": pa.array([None, None, 0, 0, 0, 7], pa.int64())})
    refused = 0
    for name, damaged in flipped_bits(write(rows, compression=compression, use_dictionary=False)):
        folder = tmp_path / name
        folder.mkdir()
        try:
            outcome = stage(contract, damaged, folder)
        except UnreadableObject:
            refused += 1
            continue
        staged = duckdb.sql(f"SELECT id FROM read_parquet('{folder}/staging/*.parquet')")
        found = [row for (row,) in staged.fetchall()]
        assert [row["id"] for row in outcome.rows] == found, name
        assert len(found) == len(rows), name
    assert refused > 0

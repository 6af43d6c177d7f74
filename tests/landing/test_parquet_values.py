"""Values that Parquet files hold and not every reader has: each is itself, or refused by column."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared_resources.contracts.model import Classification
from shared_resources.landing.formats.parquet.footer import NotParquet, refuse_encrypted
from shared_resources.landing.reader import UnreadableObject
from tests.contract_factory import make_column
from tests.landing.staging import landing_contract, stage


def written(values: pa.Array, **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table({"x": values}), sink, **options)
    return sink.getvalue()


def staged(type_: str, content: bytes, folder: Path) -> list[Any]:
    """The column `x` as it is staged: by Arrow, after DuckDB was found to read the same."""
    folder.mkdir(exist_ok=True)
    outcome = stage(landing_contract("parquet", {"x": type_}), content, folder)
    (file,) = (folder / "staging").glob("*.parquet")
    found = [row["x"] for row in outcome.rows]
    assert str(duckdb.sql(f"SELECT x FROM '{file}'").fetchall()) == str([(x,) for x in found])
    return found


def refusal(type_: str, content: bytes, folder: Path) -> str:
    with pytest.raises(UnreadableObject) as caught:
        stage(landing_contract("parquet", {"x": type_}), content, folder)
    return str(caught.value)


# Days and points in time -------------------------------------------------------------------------

DAY, US = pa.date32(), pa.timestamp("us")
OUTSIDE = [
    (DAY, "date", 2**31 - 1, "infinity"),
    (DAY, "date", 1 - 2**31, "-infinity"),
    (DAY, "date", 2_932_897, "10000-01-01"),
    (DAY, "date", -719_163, "0000-12-31"),
    (US, "timestamp", 2**63 - 1, "infinity"),
    (US, "timestamp", 253_402_300_800_000_000, "10000-01-01 00:00:00"),
    (US, "timestamp", -62_135_596_800_000_001, "0000-12-31 23:59:59.999999"),
    (pa.timestamp("ms"), "timestamp", 253_402_300_800_000, "10000-01-01 00:00:00"),
    (pa.timestamp("ms"), "timestamp", 2**62, "146140482-"),
    (pa.timestamp("ms"), "date", 253_402_300_800_000, "10000-01-01 00:00:00"),
    (pa.timestamp("us", "UTC"), "timestamp_tz", 253_402_300_800_000_000, "10000-01-01 00:00:00"),
    (pa.timestamp("ms", "UTC"), "timestamp_tz", 253_402_300_800_000, "10000-01-01 00:00:00"),
]


@pytest.mark.parametrize("statistics", [True, False])
@pytest.mark.parametrize(("arrow", "type_", "number", "shown"), OUTSIDE)
def test_a_day_out_of_the_years_1_to_9999_is_refused_by_column(
    tmp_path: Path, arrow: pa.DataType, type_: str, number: int, shown: str, statistics: bool
) -> None:
    width = pa.int32() if arrow == DAY else pa.int64()
    content = written(pa.array([0, number], width).cast(arrow), write_statistics=statistics)
    said = refusal(type_, content, tmp_path)
    assert f"column 'x': row 2 holds {shown}" in said
    assert "which is out of the years 1 to 9999; land it as a day within them" in said


@pytest.mark.parametrize("type_", ["date", "timestamp", "timestamp_tz"])
def test_the_first_and_the_last_day_are_adopted(tmp_path: Path, type_: str) -> None:
    first, last = datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999)
    values = {
        "date": pa.array([first.date(), last.date()]),
        "timestamp": pa.array([first, last], pa.timestamp("us")),
        "timestamp_tz": pa.array([first, last], pa.timestamp("us")).cast(pa.timestamp("us", "UTC")),
    }[type_]
    folder = tmp_path / "x"
    folder.mkdir()
    content = written(values)
    outcome = stage(landing_contract("parquet", {"x": type_}), content, folder)
    assert [row["x"] for row in outcome.rows] == values.to_pylist()


def test_the_value_of_a_classified_column_is_not_shown(tmp_path: Path) -> None:
    column = make_column("x", "date", classification=Classification.RESTRICTED)
    contract = replace(landing_contract("parquet", {"x": "date"}), columns=(column,))
    with pytest.raises(UnreadableObject, match=r"row 1 holds \*\*\*, which is out of the years"):
        stage(contract, written(pa.array([2**31 - 1], pa.int32()).cast(DAY)), tmp_path)


def int96(values: pa.Array) -> bytes:
    return written(values, use_deprecated_int96_timestamps=True)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.none() | st.datetimes(), min_size=1, max_size=5))
def test_int96_is_read_to_the_microsecond(
    tmp_path_factory: pytest.TempPathFactory, moments: list[datetime | None]
) -> None:
    """Spark's end of time is 9999-12-31, which wraps round to 1816 in nanoseconds."""
    values = [datetime(9999, 12, 31), *moments]
    content = int96(pa.array(values, pa.timestamp("us")))
    assert staged("timestamp", content, tmp_path_factory.mktemp("int96")) == values


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (pa.array([0, 1], pa.timestamp("ns")), "1970-01-01 00:00:00.000000001, which is finer"),
        (pa.array([0, 253_402_300_800_000_000], US), "10000-01-01 00:00:00, which is out"),
        (pa.array([None, 2**63 - 1], US), "294247-01-10 04:00:54, which is out"),
    ],
)
def test_int96_that_microseconds_do_not_hold_is_refused(
    tmp_path: Path, values: pa.Array, said: str
) -> None:
    assert f"column 'x': row 2 holds {said}" in refusal("timestamp", int96(values), tmp_path)


# Types that are not marked as what they are ------------------------------------------------------


@pytest.mark.parametrize("type_", [pa.binary(), pa.large_binary(), pa.binary_view()])
@pytest.mark.parametrize("stored", [True, False])
def test_text_that_is_not_marked_as_text_is_text(
    tmp_path: Path, type_: pa.DataType, stored: bool
) -> None:
    values = pa.array(["café".encode(), None, b""], type_)
    content = written(values, store_schema=stored)
    assert staged("text", content, tmp_path) == ["café", None, ""]


def test_bytes_that_are_no_text_are_refused_with_the_row(tmp_path: Path) -> None:
    content = written(pa.array([b"a", b"\xff\xfe"]), store_schema=False)
    said = refusal("text", content, tmp_path)
    assert "column 'x': holds binary where the contract has string" in said
    assert "row 2 holds b'\\xff\\xfe', which is no UTF-8; land it as text in UTF-8" in said


@pytest.mark.parametrize(
    ("values", "type_", "expected"),
    [
        (np.array([0.5, np.inf], np.float16), "float", [0.5, float("inf")]),
        (np.array([0.5, -2], np.float16), "float32", [0.5, -2.0]),
        (np.array([0.5], np.float16), "decimal", [Decimal("0.50")]),
        (np.array([3], np.float16), "int", [3]),
        (pa.array([date(2017, 1, 1)], pa.date64()), "date", [date(2017, 1, 1)]),
        (pa.array([1, 2], pa.uint32()), "int32", [1, 2]),
        (pa.array([2**53 + 2]), "float", [2.0**53 + 2]),
        (pa.array([Decimal(5)], pa.decimal256(50, 0)), "int", [5]),
    ],
)
def test_other_types_that_hold_the_same_are_rewritten(
    tmp_path: Path, values: Any, type_: str, expected: list[Any]
) -> None:
    assert staged(type_, written(pa.array(values)), tmp_path) == expected


def test_what_is_lost_is_named_with_its_row(tmp_path: Path) -> None:
    said = refusal("int", written(pa.array([1.0, 3.7])), tmp_path)
    assert "holds double where the contract has int64, and row 2 holds 3.7, which cannot be" in said


# Encryption --------------------------------------------------------------------------------------


class _Keys(pe.KmsClient):
    def __init__(self, config: pe.KmsConnectionConfig) -> None:
        super().__init__()

    def wrap_key(self, key: bytes, master: str) -> bytes:
        return base64.b64encode(key)

    def unwrap_key(self, wrapped: bytes, master: str) -> bytes:
        return base64.b64decode(wrapped)


def encrypted(rows: pa.Table, *, plaintext_footer: bool, whole: bool = False) -> bytes:
    config = pe.EncryptionConfiguration(
        footer_key="footer",
        plaintext_footer=plaintext_footer,
        **({"uniform_encryption": True} if whole else {"column_keys": {"column": ["x"]}}),
    )
    factory = pe.CryptoFactory(_Keys)
    properties = factory.file_encryption_properties(pe.KmsConnectionConfig(), config)
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, rows.schema, encryption_properties=properties) as writer:
        writer.write_table(rows)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize("plaintext_footer", [True, False])
@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("rows", [0, 3])
def test_what_is_encrypted_is_refused_as_that(
    tmp_path: Path, plaintext_footer: bool, whole: bool, rows: int
) -> None:
    """Arrow would end the process at a column that is encrypted in a footer that is not."""
    table = pa.table({"y": pa.array(range(rows)), "x": pa.array(range(rows))})
    content = encrypted(table, plaintext_footer=plaintext_footer, whole=whole)
    said = refusal("int", content, tmp_path)
    assert "encrypted" in said and "decrypt it before it is landed" in said


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 40), st.binary(max_size=4), st.booleans())
def test_a_footer_of_any_bytes_is_walked_or_refused(
    tmp_path_factory: pytest.TempPathFactory, place: int, bytes_: bytes, deep: bool
) -> None:
    content = written(pa.array([1, 2]))
    length = int.from_bytes(content[-8:-4], "little")
    footer = b"\x19" * 3000 if deep else content[-8 - length : -8]
    footer = footer[:place] + bytes_ + footer[place:]
    file = tmp_path_factory.mktemp("footer") / "x.parquet"
    file.write_bytes(b"PAR1" + footer + len(footer).to_bytes(4, "little") + b"PAR1")
    with suppress(NotParquet, UnreadableObject):
        refuse_encrypted(file, "x")


WRITERS: dict[str, Callable[[Path], object]] = {
    "pyarrow": lambda file: pq.write_table(
        pa.table({"x": [[1], None], "y": [{"a": True}, None], "z": [datetime.now(UTC)] * 2}), file
    ),
    "duckdb": lambda file: duckdb.sql("SELECT [1] AS x, MAP{'a': true} AS y").write_parquet(
        str(file)
    ),
}


@pytest.mark.parametrize("writer", WRITERS)
def test_a_sound_footer_is_walked_to_its_end(tmp_path: Path, writer: str) -> None:
    file = tmp_path / "x.parquet"
    WRITERS[writer](file)
    refuse_encrypted(file, "x")

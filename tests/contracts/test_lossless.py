"""What a frame becomes on its way to the contract, and that nothing is lost on it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared_resources.contracts.values.lossless import conform, to_pandas
from shared_resources.contracts.values.offending import note_of
from tests.contract_factory import TYPES, make_contract

MIXED = pa.struct([("mixed", pa.string())])


def conformed(values: Any, type_: str) -> pa.ChunkedArray:
    """One column `x` of these values, conformed to a contract of that type."""
    frame = values if isinstance(values, pa.Table) else pd.DataFrame({"x": values})
    return conform(frame, make_contract({"x": type_})).read_all().column("x")


def objects(*values: Any) -> pd.Series[Any]:
    return pd.Series(list(values), dtype=object)


KEPT_AS_TEXT = objects("007", "1", None)
UTC_NOON = datetime(2017, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("values", "type_", "expected"),
    [
        ([1.0, None, 3.0], "int", [1, None, 3]),
        ([1, 2], "int32", [1, 2]),
        ([1, 2], "float", [1.0, 2.0]),
        (np.array([1.5], np.float32), "float", [1.5]),
        ([0.5, 1.5], "float32", [0.5, 1.5]),
        ([12.34, None], "decimal", [Decimal("12.34"), None]),
        ([5, 7], "decimal", [Decimal("5.00"), Decimal("7.00")]),
        (objects(Decimal("1.5"), None), "decimal", [Decimal("1.50"), None]),
        (objects(Decimal("2.00")), "int", [2]),
        (objects(Decimal("12.34")), "float", [12.34]),
        (objects(True, None), "bool", [True, None]),
        (pd.Series(["a", "b", None], dtype="category"), "text", ["a", "b", None]),
        (pd.Series([1, 2, 1], dtype="category"), "int", [1, 2, 1]),
        (pd.to_datetime(["2017-01-01", None]), "date", [date(2017, 1, 1), None]),
        (objects(date(2017, 1, 1), np.nan), "date", [date(2017, 1, 1), None]),
        (pd.to_datetime(["2017-01-01 10:00"]), "timestamp", [datetime(2017, 1, 1, 10)]),
        (pd.to_datetime(["2017-01-01 13:00"]).tz_localize("Europe/Berlin"), "timestamp_tz", [UTC_NOON]),
        (objects(UTC_NOON, UTC_NOON.astimezone(ZoneInfo("Asia/Tokyo"))), "timestamp_tz",
         [UTC_NOON, UTC_NOON]),
        ([np.nan, np.nan], "text", [None, None]),
        (objects(None, None), "timestamp_tz", [None, None]),
        ([], "date", []),
        (pd.arrays.SparseArray([0, 0, 1]), "int", [0, 0, 1]),
    ],
)  # fmt: skip
def test_what_can_be_had_back_is_converted(values: Any, type_: str, expected: list[Any]) -> None:
    column = conformed(values, type_)
    assert column.type == TYPES[type_].arrow
    assert column.to_pylist() == expected


@pytest.mark.parametrize(
    ("values", "type_", "own"),
    [
        (KEPT_AS_TEXT, "int", pa.string()),
        (objects("1.5"), "float", pa.string()),
        (objects("2017-01-01"), "date", pa.string()),
        (objects("true"), "bool", pa.string()),
        ([3.7, 1.0], "int", pa.float64()),
        ([float("inf")], "int", pa.float64()),
        ([2.0**63], "int", pa.float64()),
        ([2**31], "int32", pa.int64()),
        ([0.1], "float32", pa.float64()),
        ([2**53 + 1], "float", pa.int64()),
        ([0.1 + 0.2], "decimal", pa.float64()),
        ([10**10], "decimal", pa.int64()),
        ([1, 0], "bool", pa.int64()),
        ([True], "int", pa.bool_()),
        ([7], "text", pa.int64()),
        (pd.to_datetime(["2017-01-01"]), "timestamp_tz", pa.timestamp("ns")),
        (pd.to_datetime(["2017-01-01"]).tz_localize("UTC"), "timestamp", pa.timestamp("ns", "UTC")),
        (pd.to_datetime(["2017-01-01"]).tz_localize("UTC"), "date", pa.timestamp("ns", "UTC")),
        (pd.to_datetime(["2017-01-01 00:00:01"]), "date", pa.timestamp("ns")),
        (objects(pd.Timestamp(1)), "timestamp", pa.timestamp("ns")),
        (objects(date(2017, 1, 1)), "timestamp", pa.date32()),
        (objects(b"a"), "text", pa.binary()),
    ],
)
def test_what_would_lose_something_keeps_its_type(values: Any, type_: str, own: Any) -> None:
    assert conformed(values, type_).type == own


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        (objects(1, "a", None), ["1", "a", None]),
        (objects("a", 1), ["a", "1"]),
        (objects(b"a", "b"), ["b'a'", "b"]),
        (objects(True, 1), ["True", "1"]),
        (objects(date(2017, 1, 1), datetime(2017, 1, 1, 5)), ["2017-01-01", "2017-01-01 05:00:00"]),
        (
            objects(datetime(2017, 1, 1), UTC_NOON),
            ["2017-01-01 00:00:00", "2017-01-01 12:00:00+00:00"],
        ),
        (objects("\ud800"), ["\\ud800"]),
        (objects(2**200), [str(2**200)]),
        (objects(1 + 2j), ["(1+2j)"]),
    ],
)
@pytest.mark.parametrize("type_", ["text", "int", "timestamp_tz"])
def test_mixed_values_become_text_that_no_contract_takes(
    values: Any, shown: list[Any], type_: str
) -> None:
    """Arrow alone would drop the time of the datetime and the zone of the aware one."""
    column = conformed(values, type_)
    assert column.type == MIXED
    assert [None if cell is None else cell["mixed"] for cell in column.to_pylist()] == shown


def test_big_whole_numbers_stay_whole() -> None:
    assert conformed(objects(2**63, 1), "int").to_pylist() == [Decimal(2**63), Decimal(1)]


def test_nan_is_missing_where_the_type_has_no_nan_and_kept_where_it_has() -> None:
    table = pa.table({"x": pa.array([1.0, float("nan")])})
    assert conformed(table, "int").to_pylist() == [1, None]
    kept = conformed(table, "float").to_pylist()
    assert kept[0] == 1.0
    assert np.isnan(kept[1])


def test_columns_stand_in_the_contracts_order_and_extra_ones_at_the_end() -> None:
    frame = pd.DataFrame({"z": [1], "b": ["x"], "a": [1], "y": [1]})
    reader = conform(frame, make_contract({"a": "int", "b": "text", "c": "int"}))
    assert reader.schema.names == ["a", "b", "z", "y"]


def test_time_zones_survive_an_arrow_that_was_told_to_ignore_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Importing pandera or pyspark tells it so."""
    monkeypatch.setenv("PYARROW_IGNORE_TIMEZONE", "1")
    tokyo = UTC_NOON.astimezone(ZoneInfo("Asia/Tokyo"))
    assert conformed(objects(tokyo, None), "timestamp_tz").to_pylist() == [UTC_NOON, None]
    assert conformed(pd.Series([tokyo]), "timestamp_tz").to_pylist() == [UTC_NOON]
    polars = pl.DataFrame({"x": [tokyo]}).to_arrow()
    assert conformed(polars, "timestamp_tz").to_pylist() == [UTC_NOON]


def test_a_frame_without_columns_or_rows_is_no_error() -> None:
    contract = make_contract({"a": "int"})
    assert conform(pd.DataFrame(), contract).read_all().num_columns == 0
    empty = conform(pd.DataFrame({"a": []}), contract).read_all()
    assert (empty.num_rows, empty.schema.field("a").type) == (0, pa.int64())
    assert conform(iter([]), contract).schema.field("a").type == pa.int64()


def test_a_column_that_parquet_cannot_hold_becomes_text() -> None:
    interval = pa.array([(1, 2, 3), None], pa.month_day_nano_interval())
    column = conformed(pa.table({"x": interval}), "int")
    assert column.type == MIXED
    pq.write_table(pa.table({"x": column}), pa.BufferOutputStream())


TABLE = pa.table(
    {
        "b": pa.array(["x", None, "y"]),
        "a": pa.array([1, 2, None], pa.int32()),
        "c": pa.array([1.0, 2.0, 3.0]),
        "d": pa.array([3.7, 1.0, 2.0]),
    }
)


@pytest.mark.parametrize(
    "frame",
    [
        TABLE,
        TABLE.to_batches()[0],
        TABLE.to_reader(max_chunksize=1),
        iter(TABLE.to_batches(max_chunksize=1)),
        TABLE.to_batches(max_chunksize=2),
        pl.from_arrow(TABLE),
        pl.from_arrow(TABLE).lazy(),  # type: ignore[union-attr]
        TABLE.to_pandas(),
        to_pandas(TABLE),
    ],
    ids=lambda frame: type(frame).__name__,
)
def test_every_kind_of_frame_conforms_alike(frame: Any) -> None:
    contract = make_contract({"a": "int", "b": "text", "c": "int", "d": "int"})
    result = conform(frame, contract).read_all()
    assert result.schema == pa.schema(
        [("a", pa.int64()), ("b", pa.string()), ("c", pa.int64()), ("d", pa.float64())]
    )
    assert result.to_pydict() == {
        "a": [1, 2, None], "b": ["x", None, "y"], "c": [1, 2, 3], "d": [3.7, 1.0, 2.0],
    }  # fmt: skip


@pytest.mark.parametrize("frame", [5, "text", {"a": [1]}, [1, 2], None, pd.Series([1])])
def test_what_is_no_frame_is_refused_in_words(frame: Any) -> None:
    with pytest.raises(TypeError, match="is no frame; return a pandas or polars frame"):
        conform(frame, make_contract({"a": "int"}))


def test_batches_of_different_schemas_are_refused_in_words() -> None:
    batches = [pa.record_batch({"a": [1]}), pa.record_batch({"a": ["x"]})]
    with pytest.raises(TypeError, match="record batches of one frame differ"):
        conform(batches, make_contract({"a": "text"})).read_all()


@pytest.mark.parametrize("spooled", [False, True])
def test_a_stream_is_never_held_in_memory(spooled: bool) -> None:
    """Also where only the values tell whether they fit: those are spooled to a file."""
    contract = make_contract({"a": "int32" if spooled else "int"})
    values = np.arange(1 << 17) % 1000

    def batches() -> Iterator[pa.RecordBatch]:
        for _ in range(64):  # 64 MiB
            yield pa.record_batch({"a": pc.add(pa.array(values), 0)})

    before = pa.total_allocated_bytes()
    rows, peak = 0, 0
    for batch in conform(batches(), contract):
        rows += batch.num_rows
        peak = max(peak, pa.total_allocated_bytes() - before)
    assert rows == 64 << 17
    assert peak < 16 << 20


# Properties --------------------------------------------------------------------------------------

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "text": st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    "int": st.integers(-(2**63), 2**63 - 1),
    "int32": st.integers(-(2**31), 2**31 - 1),
    "float": st.floats(allow_nan=False),
    "float32": st.floats(width=32, allow_nan=False),
    "decimal": st.decimals(-9999999999, 9999999999, places=2),
    "bool": st.booleans(),
    "date": st.dates(),
    "timestamp": st.datetimes(),
    "timestamp_tz": st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 28)).map(
        lambda moment: moment.replace(tzinfo=UTC)
    ),
}


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_pandas_gives_back_what_it_was_given(data: st.DataObject) -> None:
    types = data.draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=4))
    rows = data.draw(st.integers(0, 5))
    columns = [
        pa.array(
            data.draw(
                st.lists(st.none() | VALUES[type_], min_size=rows, max_size=rows), label=type_
            ),
            TYPES[type_].arrow,
        )
        for type_ in types
    ]
    names = [f"c{place}" for place in range(len(types))]
    table = pa.table(columns, names=names)
    contract = make_contract(dict(zip(names, types, strict=True)))
    assert conform(to_pandas(table), contract).read_all().equals(table)
    frame = pl.from_arrow(table)
    assert conform(frame, contract).read_all().equals(table)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_converted_column_can_be_had_back(data: st.DataObject) -> None:
    """From any type to any other: either the own type is kept, or casting back gives the values."""
    source = data.draw(st.sampled_from(sorted(VALUES)))
    target = data.draw(st.sampled_from(sorted(VALUES)))
    values = pa.array(
        data.draw(st.lists(st.none() | VALUES[source], max_size=5)), TYPES[source].arrow
    )
    result = conformed(pa.table({"x": values}), target)
    if result.type != TYPES[target].arrow:
        assert result.combine_chunks().equals(values)
    elif values.null_count < len(values) and source != target:
        back = conformed(pa.table({"x": result}), source)
        assert back.to_pylist() == values.to_pylist() or source == "timestamp"
        assert result.null_count == values.null_count


@pytest.mark.parametrize(
    "values",
    [
        pa.RunEndEncodedArray.from_arrays(pa.array([1, 2], pa.int32()), pa.array([5, None])),
        pa.array([500, None], pa.decimal128(5, 0)).cast(pa.decimal128(5, -2)),
    ],
    ids=["run ends", "negative scale"],
)
@pytest.mark.parametrize("type_", sorted(TYPES))
def test_no_type_of_arrow_ends_in_an_error_of_a_library(values: pa.Array, type_: str) -> None:
    result = conform(pa.table({"x": values}), make_contract({"x": type_})).read_all()
    field = result.schema.field("x")
    if field.type == TYPES[type_].arrow:
        assert result.column("x")[0].as_py() in (5, 500)
    else:
        assert "row 1 holds" in (note_of(field) or "")

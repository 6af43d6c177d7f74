"""Values of engines and libraries arrive as they are, or are refused by column; none is changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared_resources.contracts.model import Classification
from shared_resources.contracts.types import ColumnType, Family
from shared_resources.contracts.values.lossless import InvalidFrame, conform
from shared_resources.contracts.values.offending import note_of
from tests.contract_factory import TYPES, make_column, make_contract

ANY = {**TYPES, "decimal38": ColumnType(Family.DECIMAL, precision=38, scale=0),
       "decimal38_18": ColumnType(Family.DECIMAL, precision=38, scale=18)}  # fmt: skip
NUMBERS = ["int", "int32", "float", "float32", "decimal", "decimal38", "decimal38_18"]


def conformed(frame: Any, type_: str, **column: Any) -> tuple[pa.Field, list[Any]]:
    """The column `x` of the frame under a contract of that type."""
    contract = make_contract([make_column("x", ANY[type_], **column)])
    table = conform(frame, contract).read_all()
    return table.schema.field("x"), table.column("x").to_pylist()


def in_duckdb(type_: str, values: Sequence[Any]) -> duckdb.DuckDBPyRelation:
    rows = ", ".join(
        "(NULL)" if value is None else f"(CAST('{value}' AS {type_}))" for value in values
    )
    return duckdb.sql(f"SELECT x FROM (VALUES {rows}) AS t(x)")


def polars_lazy(dtype: Any) -> Callable[[Sequence[Any]], Any]:
    return lambda values: pl.DataFrame({"x": pl.Series(values, dtype=dtype)}).lazy()


def category(values: Sequence[Any]) -> pd.DataFrame:
    return pd.DataFrame({"x": pd.Categorical(values)})


WHOLE: dict[str, tuple[int, int, Callable[[Sequence[Any]], Any]]] = {
    **{
        name: (low, high, lambda values, name=name: in_duckdb(name, values))
        for name, low, high in (
            ("TINYINT", -128, 127),
            ("UBIGINT", 0, 2**64 - 1),
            ("HUGEINT", -(2**127), 2**127 - 1),
            ("UHUGEINT", 0, 2**128 - 1),
            ("BIGNUM", -(10**80), 10**80),
        )
    },
    "Int128": (-(2**127), 2**127 - 1, polars_lazy(pl.Int128)),
    "UInt128": (0, 2**128 - 1, lambda values: polars_lazy(pl.UInt128)(values).collect()),
    "UInt64": (0, 2**64 - 1, polars_lazy(pl.UInt64)),
    "category": (-(2**63), 2**63 - 1, category),
}
EDGES = [0, 1, -1, 2**24 + 1, 2**31, 2**53 + 1, 2**53 + 2, 2**63, 2**127, 10**38 - 1, 10**38]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_whole_number_of_any_engine_is_itself_or_refused(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(sorted(WHOLE)))
    low, high, made = WHOLE[kind]
    numbers = st.integers(low, high) | st.sampled_from([n for n in EDGES if low <= n <= high])
    values = data.draw(st.lists(st.none() | numbers, min_size=1, max_size=4))
    type_ = data.draw(st.sampled_from([*NUMBERS, "text", "bool"]))
    field, found = conformed(made(values), type_)
    if field.type == ANY[type_].arrow:
        assert found == values
        return
    lost = next(value for value in values if value is not None and not holds(type_, value))
    assert note_of(field) == f"row {values.index(lost) + 1} holds {lost}"


def holds(type_: str, value: int) -> bool:
    target = ANY[type_]
    match target.family:
        case Family.INTEGER:
            return -(2 ** (target.width - 1)) <= value < 2 ** (target.width - 1)
        case Family.DECIMAL:
            return abs(value) < 10 ** (target.precision - target.scale)
        case Family.FLOAT:
            number = np.float32(value) if target.width == 32 else np.float64(value)
            return bool(np.isfinite(number)) and int(number) == value
    return False


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.floats() | st.decimals(-(10**6), 10**6, places=2).map(float), max_size=4),
    st.sampled_from([np.float16, np.float32, np.float64]),
    st.sampled_from(NUMBERS),
    st.sampled_from(["pandas", "polars", "category", "arrow"]),
)
def test_a_float_is_itself_or_refused(
    floats: list[float], width: Any, type_: str, kind: str
) -> None:
    with np.errstate(over="ignore"):
        values = np.array(floats, width)
    frame = {
        "pandas": lambda: pd.DataFrame({"x": values}),
        "polars": lambda: pl.DataFrame({"x": values}),
        # pandas has no categories of half floats
        "category": lambda: category(values.astype(np.float64)),
        "arrow": lambda: pa.table({"x": values}).to_reader(max_chunksize=1),
    }[kind]()
    field, found = conformed(frame, type_)
    if field.type != ANY[type_].arrow:
        assert note_of(field) is not None
        return
    for before, after in zip(values.tolist(), found, strict=True):
        if np.isnan(before):
            assert after is None or np.isnan(after)
        elif np.isinf(before) or ANY[type_].family is Family.FLOAT:
            assert after == before
        else:  # the number, or the shortest decimal that stands for no other float
            assert Fraction(after) == Fraction(before) or width(str(after)) == width(before)


@pytest.mark.parametrize(
    ("value", "width", "expected"),
    [
        (12.34, np.float64, "12.340000000000000000"),
        (12.34, np.float32, "12.340000000000000000"),
        (0.5, np.float16, "0.500000000000000000"),
        (1e17 + 16, np.float64, "100000000000000016.000000000000000000"),
        (2.0**60, np.float64, "1152921504606846976.000000000000000000"),
    ],
)
def test_a_float_becomes_the_decimal_that_it_is_written_as(
    value: float, width: Any, expected: str
) -> None:
    _, found = conformed(pd.DataFrame({"x": np.array([value], width)}), "decimal38_18")
    assert str(found[0]) == expected
    assert conformed(pd.DataFrame({"x": [Decimal(expected)]}), "float")[1] == [float(expected)]


@pytest.mark.parametrize(
    ("categories", "type_", "expected"),
    [
        (pd.Categorical([10, None, 20]), "int", [10, None, 20]),
        (pd.Categorical([1.5, None]), "decimal", [Decimal("1.50"), None]),
        (pd.Categorical(["a", None]), "text", ["a", None]),
        (pd.Categorical([None, None]), "int", [None, None]),
        (pd.Categorical([True, None]), "bool", [True, None]),
        (
            pd.Categorical([pd.Timestamp("2017-01-01", tz="Asia/Tokyo"), None]),
            "timestamp_tz",
            [pd.Timestamp("2016-12-31 15:00", tz="UTC"), None],
        ),
        (pd.Categorical([pd.Timestamp("2017-01-01"), None]), "date", [date(2017, 1, 1), None]),
    ],
)  # fmt: skip
def test_a_category_has_the_type_of_its_categories(
    categories: pd.Categorical, type_: str, expected: list[Any]
) -> None:
    field, found = conformed(pd.DataFrame({"x": categories}), type_)
    assert (field.type, found) == (ANY[type_].arrow, expected)


TWO_BATCHES = [pa.record_batch({"x": [1.0, 2.0]}), pa.record_batch({"x": [3.0, 3.7]})]
IN_LISTS = pl.Series([[1]], dtype=pl.List(pl.Int128))
REFUSED = [
    (lambda: pd.DataFrame({"x": pd.Categorical([10, None, 2**40])}), "int32", f"row 3 holds {2**40}"),
    (lambda: pd.DataFrame({"x": pd.Categorical(["a", 1])}), "text", "row 1 holds a"),
    (lambda: pd.DataFrame({"x": pd.Categorical([pd.Interval(0, 1)])}), "int", "row 1 holds"),
    (lambda: pd.DataFrame({"x": pd.PeriodIndex(["2020-01"], freq="M")}), "int", "row 1 holds"),
    (lambda: pd.DataFrame({"x": [b"ab"]}), "text", "row 1 holds b'ab'"),
    (lambda: pl.DataFrame({"x": pl.Series([object], dtype=pl.Object)}), "text", "row 1 holds <class"),
    (lambda: pl.DataFrame({"x": IN_LISTS}).lazy(), "int", "row 1 holds [1]"),
    (lambda: pl.DataFrame({"x": [0.5, 3.7]}).lazy(), "int", "row 1 holds 0.5"),
    (lambda: iter(TWO_BATCHES), "int", "row 4 holds 3.7"),
    (lambda: in_duckdb("BIT", ["101"]), "text", "row 1 holds"),
    (lambda: in_duckdb("BLOB", ["ab"]), "text", "row 1 holds b'ab'"),
    (lambda: in_duckdb("TIMETZ", ["10:00:00+02"]), "text", "row 1 holds 10:00:00"),
    (lambda: in_duckdb("INTERVAL", ["1 year"]), "text", "row 1 holds"),
    (lambda: in_duckdb("HUGEINT[]", [f"[{2**64}]"]), "text", "row 1 holds"),
    (lambda: in_duckdb("BIGNUM", [10**200]), "decimal38", f"row 1 holds 1{'0' * 199}…"),
]  # fmt: skip


@pytest.mark.parametrize(("frame", "type_", "said"), REFUSED)
def test_what_no_contract_takes_is_refused_with_the_value(
    frame: Callable[[], Any], type_: str, said: str
) -> None:
    field, _ = conformed(frame(), type_)
    assert field.type != ANY[type_].arrow
    assert (note_of(field) or "").startswith(said)


def test_the_offending_value_of_a_classified_column_is_not_shown() -> None:
    table = pa.table({"x": [1.0, 4711.5]})
    for classification in (Classification.CONFIDENTIAL, None):
        field, _ = conformed(table, "int", classification=classification)
        assert note_of(field) == "row 2 holds ***"


def test_two_columns_of_a_relation_may_be_called_alike() -> None:
    relation = duckdb.sql("SELECT 1::HUGEINT AS y, 2 AS y, 3::UHUGEINT AS x")
    contract = make_contract({"x": "int"})
    assert conform(relation, contract).read_all().columns[0].to_pylist() == [3]


def decimal_of_39_digits() -> pa.Array:
    return duckdb.sql(f"SELECT {2**127 - 1}::HUGEINT AS x").to_arrow_table().column("x").chunk(0)


@pytest.mark.parametrize(
    ("values", "type_"),
    [
        (pa.array([b"\xff"]).view(pa.string()), "text"),
        (pa.array([b"\xff"], pa.large_binary()).view(pa.large_string()), "text"),
        (decimal_of_39_digits(), "decimal38"),
        (decimal_of_39_digits(), "float"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_arrow_data_that_is_not_what_it_says_is_refused_in_words(
    values: pa.Array, type_: str, stream: bool
) -> None:
    table = pa.table({"x": pa.chunked_array([pa.array([None], values.type), values])})
    with pytest.raises(InvalidFrame, match=r"order/lines: column x is no valid .*: row 2 holds "):
        conformed(table.to_reader() if stream else table, type_)

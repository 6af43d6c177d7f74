"""Columns between pandas and Arrow, nothing lost in either direction.

Belongs here: pandas' own types: object columns, extension types, missing-value markers.
Does not belong here: what the contract wants of them (`conversions.py`, `lossless.py`).

Arrow's own inference drops things from mixed object columns without a word: the zone of an aware
datetime after a naive one, the time of a datetime after a date, nanoseconds. They are looked at
here first, and a column of mixed values becomes text that no contract takes (`mixed.py`).
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from shared_resources.contracts.values.mixed import as_mixed

_NUMBERS = (int, float, np.integer, np.floating)
_UNREADABLE = (
    pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError, UnicodeError,
    ValueError, TypeError,
)  # fmt: skip


def to_arrow(series: pd.Series[Any]) -> pa.ChunkedArray:
    """The column as Arrow, of its own type. NaN, NaT, None and NA are null."""
    if isinstance(series.dtype, pd.SparseDtype):
        series = pd.Series(np.asarray(series), name=series.name)
    if isinstance(series.dtype, pd.CategoricalDtype):
        return _from_categories(series)
    if series.dtype == object:
        return _from_objects(series)
    if isinstance(series.dtype, pd.DatetimeTZDtype):
        series = series.dt.tz_convert("UTC")  # Arrow does not know every zone that pandas does
    try:
        return _chunked(pa.Array.from_pandas(series))
    except _UNREADABLE:
        return _mixed(series)


def _from_categories(series: pd.Series[Any]) -> pa.ChunkedArray:
    """By the categories, which have a type of their own: a row without one has no value of it."""
    categories = to_arrow(pd.Series(series.cat.categories)).combine_chunks()
    codes = series.cat.codes.to_numpy()
    places = pa.array(codes, pa.int32(), mask=codes < 0)
    return _chunked(categories.take(places))


def _from_objects(series: pd.Series[Any]) -> pa.ChunkedArray:
    present = series[series.notna()]
    kinds = set(map(type, present))
    try:
        if not _homogeneous(kinds, present):
            return _mixed(series)
        if kinds and all(issubclass(kind, datetime) for kind in kinds):
            return _from_datetimes(series, present)
        return _chunked(pa.Array.from_pandas(series))
    except _UNREADABLE:
        return _big_integers(series, kinds)


def _homogeneous(kinds: set[type], present: pd.Series[Any]) -> bool:
    """Whether Arrow's inference keeps every value of these Python types as it is."""
    if all(issubclass(kind, datetime) for kind in kinds):
        return len({value.tzinfo is None for value in present}) <= 1
    if any(issubclass(kind, date) for kind in kinds):
        return len(kinds) == 1
    if any(issubclass(kind, bytes) for kind in kinds):
        return len(kinds) == 1
    if kinds - {bool, np.bool_} and kinds & {bool, np.bool_}:
        return False
    if Decimal in kinds:
        return all(issubclass(kind, Decimal | int) for kind in kinds)
    if any(issubclass(kind, _NUMBERS) for kind in kinds):
        return all(issubclass(kind, _NUMBERS) for kind in kinds)
    return True


def _from_datetimes(series: pd.Series[Any], present: pd.Series[Any]) -> pa.ChunkedArray:
    """Datetimes that all have a zone, or that all have none.

    They are taken to UTC here: Arrow ignores the offset of aware ones once PYARROW_IGNORE_TIMEZONE
    is set, and merely importing pandera (or pyspark) sets it.
    """
    fine = any(getattr(value, "nanosecond", 0) for value in present)
    unit = "ns" if fine else "us"
    if present.iloc[0].tzinfo is None:
        return _chunked(pa.Array.from_pandas(series, type=pa.timestamp(unit)))
    moments = [
        None if _missing(value) else value.astimezone(UTC).replace(tzinfo=None) for value in series
    ]
    naive = pa.Array.from_pandas(pd.Series(moments, dtype=object), type=pa.timestamp(unit))
    return _chunked(naive.cast(pa.timestamp(unit, tz="UTC")))


def _big_integers(series: pd.Series[Any], kinds: set[type]) -> pa.ChunkedArray:
    """Whole numbers beyond 64 bits as decimals, where those can hold them."""
    if kinds and all(issubclass(kind, int | np.integer) for kind in kinds):
        values = [None if pd.isna(value) else Decimal(int(value)) for value in series]
        try:
            return _chunked(pa.array(values, pa.decimal128(38, 0)))
        except pa.ArrowInvalid:
            return _mixed(series)
    return _mixed(series)


def _mixed(series: pd.Series[Any]) -> pa.ChunkedArray:
    text = [None if _missing(value) else _text(value) for value in series]
    return as_mixed(pa.chunked_array([pa.array(text, pa.string())]))


def _missing(value: Any) -> bool:
    missing = pd.isna(value)
    return missing if isinstance(missing, bool) else False  # an array within a cell is a value


def _text(value: Any) -> str:
    return str(value).encode("utf-8", "backslashreplace").decode("utf-8")


def _chunked(values: pa.Array | pa.ChunkedArray) -> pa.ChunkedArray:
    return values if isinstance(values, pa.ChunkedArray) else pa.chunked_array([values])


def to_series(values: pa.ChunkedArray) -> pd.Series[Any]:
    """The column as pandas, losslessly: see `lossless.to_pandas`."""
    type_ = values.type
    dtype = _dtype(values)
    if dtype is None:
        plain: pd.Series[Any] = values.to_pandas()
        return plain
    if pa.types.is_dictionary(type_):
        values = values.cast(type_.value_type)
    extended: pd.Series[Any] = values.to_pandas(types_mapper=lambda _: dtype)
    return extended


def _dtype(values: pa.ChunkedArray) -> Any:
    """The extension type to use, or None for numpy's own."""
    type_ = values.type
    if pa.types.is_dictionary(type_):
        type_ = type_.value_type
    if pa.types.is_string(type_) or pa.types.is_large_string(type_):
        return pd.StringDtype("pyarrow", na_value=np.nan)
    if pa.types.is_integer(type_) and values.null_count:
        prefix = "Int" if pa.types.is_signed_integer(type_) else "UInt"
        return pd.api.types.pandas_dtype(f"{prefix}{type_.bit_width}")
    if pa.types.is_boolean(type_) and values.null_count:
        return pd.BooleanDtype()
    if pa.types.is_date32(type_) or pa.types.is_decimal(type_):
        return pd.ArrowDtype(type_)
    return None

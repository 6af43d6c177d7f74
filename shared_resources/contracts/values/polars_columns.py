"""Polars' frames as Arrow, where Polars has types that Arrow has not.

Belongs here: those types.
Does not belong here: what the contract wants of them (`conversions.py`, `lossless.py`).

Polars hands its 128-bit integers over as a type that Arrow does not know, alone or in a list, and
of Python objects their addresses.
"""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from shared_resources.contracts.values.digits import digits_field
from shared_resources.contracts.values.mixed import as_mixed

_WHOLE_NUMBERS = (pl.Int128, pl.UInt128)


def to_table(frame: pl.DataFrame) -> pa.Table:
    """The frame as an Arrow table."""
    if not any(_is_unknown(dtype) for dtype in frame.dtypes):
        return frame.to_arrow()
    fields, columns = [], []
    for series in frame.iter_columns():
        field, values = _column(series)
        fields.append(field)
        columns.append(values)
    return pa.Table.from_arrays(columns, schema=pa.schema(fields))


def _column(series: pl.Series) -> tuple[pa.Field, pa.ChunkedArray]:
    if series.dtype in _WHOLE_NUMBERS:
        digits = series.cast(pl.String).to_arrow().cast(pa.string())
        return digits_field(series.name), pa.chunked_array([digits])
    if _is_unknown(series.dtype):
        shown = [None if value is None else str(value) for value in series.to_list()]
        values = as_mixed(pa.chunked_array([pa.array(shown, pa.string())]))
    else:
        values = pa.chunked_array([series.to_arrow()])
    return pa.field(series.name, values.type), values


def _is_unknown(dtype: pl.DataType) -> bool:
    if dtype.is_object() or dtype in _WHOLE_NUMBERS:
        return True
    if not dtype.is_nested():
        return False
    try:
        pl.Series([], dtype=dtype).to_arrow()
    except pa.ArrowInvalid:
        return True
    return False

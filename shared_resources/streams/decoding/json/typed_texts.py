"""Texts of a layout's groups as values, in polars; and which rows it is not sure of.

Belongs here: values of texts whose form a layout has proved, with landing's meaning.
Does not belong here: the forms (`layouts.py`); texts in a format of the contract's own, and all
that is not sure here, which landing decides (`carefully.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from functools import reduce
from operator import or_

import polars as pl

from shared_resources.contracts.model import Column
from shared_resources.contracts.rules.expressions import computed, polars_type
from shared_resources.contracts.types import Family

_LOCAL = 19  # the characters of 2017-03-31T13:00:00
_PLAIN_ZEROS = ("0", "0.0", "-0.0", "0.00")


class TypedTexts:
    """Of these columns; what they are read by is made once, for many small frames."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns
        self._values = {c.name: _value(c).alias(c.name) for c in columns}
        self._plain = {
            c.name: _moment(pl.col(c.name), zoned=False, plain=True).alias(c.name)
            for c in columns
            if c.type.family is Family.TIMESTAMP
        }
        self._nulls = {c.name: pl.lit(None, polars_type(c.type)).alias(c.name) for c in columns}

    def read(self, texts: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series]:
        """The texts with the columns as values, null for a column that is not there; and whether each row
        is sure: whether every text became the value that landing makes of it."""
        there = [column for column in self._columns if column.name in texts.columns]
        found = computed(texts, [self._as_value(column.name, texts) for column in there])
        doubts = []
        for column in there:
            value, text = found.get_column(column.name), texts.get_column(column.name)
            if column.type.family is not Family.STRING:
                if value.null_count() != text.null_count():
                    doubts.append(value.is_null() & text.is_not_null())
                if column.type.family is Family.FLOAT:
                    doubts += _doubtful_floats(value, text, column)
        sure = pl.Series([True]).new_from_index(0, texts.height)
        absent = [null for name, null in self._nulls.items() if name not in texts.columns]
        return (
            found.with_columns(absent) if absent else found,
            ~reduce(or_, doubts) if doubts else sure,
        )

    def _as_value(self, name: str, texts: pl.DataFrame) -> pl.Expr:
        """Most moments have neither a fraction nor a zone, and then are read in a third of the time."""
        plain = self._plain.get(name)
        if plain is not None and texts.get_column(name).str.len_bytes().max() == _LOCAL:
            return plain
        return self._values[name]


def _value(column: Column) -> pl.Expr:
    text, type_ = pl.col(column.name), column.type
    match type_.family:
        case Family.STRING:
            return text
        case Family.BOOLEAN:
            return text == "true"
        case Family.DATE:
            day = text.str.to_date("%Y-%m-%d", strict=False)
            return pl.when(day >= date(1, 1, 1)).then(day)
        case Family.TIMESTAMP | Family.TIMESTAMP_TZ:
            return _moment(text, zoned=type_.family is Family.TIMESTAMP_TZ)
    return text.cast(polars_type(type_), strict=False)


def _moment(text: pl.Expr, *, zoned: bool, plain: bool = False) -> pl.Expr:
    """With `plain`, of texts that are no longer than to the second."""
    local = text.str.slice(0, _LOCAL).str.replace(" ", "T", literal=True)
    moment = local.str.to_datetime("%Y-%m-%dT%H:%M:%S", time_unit="us", strict=False)
    rest = text.str.slice(_LOCAL)
    if not plain:
        fraction = rest.str.extract(r"^\.([0-9]+)").fill_null("0").str.pad_end(6, "0")
        moment = moment + pl.duration(microseconds=fraction.cast(pl.Int64), time_unit="us")
    if zoned:
        hours = rest.str.extract("([+-][0-9]{2}):").fill_null("+00")
        minutes = rest.str.extract(":([0-9]{2})$").fill_null("00").cast(pl.Int64)
        minutes = pl.when(hours.str.starts_with("-")).then(-minutes).otherwise(minutes)
        hours = hours.cast(pl.Int64)
        moment = moment - pl.duration(hours=hours, minutes=minutes, time_unit="us")
    moment = pl.when(moment.is_between(datetime.min, datetime.max)).then(moment)
    return moment.dt.replace_time_zone("UTC") if zoned else moment


def _doubtful_floats(value: pl.Series, text: pl.Series, column: Column) -> list[pl.Series]:
    """Floats of which landing asks more than to be the nearest: whole numbers, and zeros."""
    whole_from = float(1 << 23 if column.type.width == 32 else 1 << 52)
    least, most = value.min(), value.max()
    if least is None or 0.0 < float(least) <= float(most) < whole_from:  # type: ignore[arg-type]
        return []
    doubtful = ((value.abs() >= whole_from) | (value == 0)).fill_null(False)
    return [doubtful & ~text.is_in(_PLAIN_ZEROS).fill_null(False)] if doubtful.any() else []

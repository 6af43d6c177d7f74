"""Texts of a layout's groups as values, in polars; and which rows it is not sure of.

Belongs here: values of texts whose form a layout has proved, with landing's meaning.
Does not belong here: the forms (`layouts.py`); texts in a format of the contract's own, and all
that is not sure here, which landing decides (`carefully.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

import polars as pl

from shared_resources.contracts.model import Column
from shared_resources.contracts.rules.expressions import polars_type
from shared_resources.contracts.types import Family

_LOCAL = 19  # the characters of 2017-03-31T13:00:00


def typed(texts: pl.DataFrame, columns: Sequence[Column]) -> tuple[pl.DataFrame, pl.Series]:
    """The texts with these columns as values, null for a column that is not there; and whether each row
    is sure: whether every text became the value that landing makes of it."""
    there = [column for column in columns if column.name in texts.columns]
    found = texts.with_columns([_value(column).alias(column.name) for column in there])
    doubts = []
    for place, column in enumerate(there):
        value = found.get_column(column.name)
        text = texts.get_column(column.name)
        if column.type.family is not Family.STRING:
            if value.null_count() != text.null_count():
                doubts.append((value.is_null() & text.is_not_null()).alias(str(place)))
            if column.type.family is Family.FLOAT:
                doubts.append(_doubtful_floats(value, text, column).alias(str(-place - 1)))
    sure = pl.repeat(True, texts.height, dtype=pl.Boolean, eager=True)
    if doubts:
        sure = ~pl.DataFrame(doubts).select(pl.any_horizontal(pl.all())).to_series()
    absent = [
        pl.lit(None, dtype=polars_type(column.type)).alias(column.name)
        for column in columns
        if column.name not in texts.columns
    ]
    return found.with_columns(absent) if absent else found, sure


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


def _moment(text: pl.Expr, *, zoned: bool) -> pl.Expr:
    local = text.str.slice(0, _LOCAL).str.replace(" ", "T", literal=True)
    moment = local.str.to_datetime("%Y-%m-%dT%H:%M:%S", time_unit="us", strict=False)
    rest = text.str.slice(_LOCAL)
    fraction = rest.str.extract(r"^\.([0-9]+)").fill_null("0").str.pad_end(6, "0").cast(pl.Int64)
    moment = moment + pl.duration(microseconds=fraction, time_unit="us")
    if zoned:
        hours = rest.str.extract("([+-][0-9]{2}):").fill_null("+00")
        minutes = rest.str.extract(":([0-9]{2})$").fill_null("00").cast(pl.Int64)
        minutes = pl.when(hours.str.starts_with("-")).then(-minutes).otherwise(minutes)
        hours = hours.cast(pl.Int64)
        moment = moment - pl.duration(hours=hours, minutes=minutes, time_unit="us")
    moment = pl.when(moment.is_between(datetime.min, datetime.max)).then(moment)
    return moment.dt.replace_time_zone("UTC") if zoned else moment


def _doubtful_floats(value: pl.Series, text: pl.Series, column: Column) -> pl.Series:
    """Floats of which landing asks more than to be the nearest: whole numbers, and zeros."""
    whole_from = float(1 << 23 if column.type.width == 32 else 1 << 52)
    doubtful = (value.abs() >= whole_from) | (value == 0)
    plain_zero = text.is_in(["0", "0.0", "-0.0", "0.00"])
    return (doubtful & ~plain_zero).fill_null(False)

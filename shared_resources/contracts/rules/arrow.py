"""Which values of a frame break a rule, in Arrow: what kinds have in common for the pandera schema.

Belongs here: masks that several kinds share, with the audit's meaning of each.
Does not belong here: the mask of one kind (its file), thresholds and pandera
(`contracts/pandera_schema.py`). The audit does the same in SQL over data of any size; a
property-based test holds the two together.

NaN is null before any rule sees it. Kinds import this only when they are asked: Arrow's functions take
a tenth of a second to import, and who reads contracts has no frame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shared_resources.contracts.model import Partitioning
from shared_resources.contracts.patterns import re2
from shared_resources.contracts.types import ColumnType, Family

_OUTSIDE: Mapping[str, Callable[..., pa.ChunkedArray]] = {
    "minimum": pc.less,
    "exclusiveMinimum": pc.less_equal,
    "maximum": pc.greater,
    "exclusiveMaximum": pc.greater_equal,
}


def of_present(mask: pa.ChunkedArray, values: pa.ChunkedArray) -> pa.ChunkedArray:
    """The mask where there is a value: a null breaks no rule but those that ask for a value."""
    return pc.and_(pc.fill_null(mask, False), pc.is_valid(values))


def outside_partitions(values: pa.ChunkedArray, partitioning: Partitioning) -> pa.ChunkedArray:
    """Rows of no day, or of a day that the product does not have."""
    days = day_of(values)
    mask = pc.less(days, pa.scalar(partitioning.start, pa.date32()))
    if partitioning.end is not None:
        mask = pc.or_(mask, pc.greater_equal(days, pa.scalar(partitioning.end, pa.date32())))
    return pc.fill_null(mask, True)


def day_of(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """The day of a date or timestamp, in UTC where there is a time zone."""
    if pa.types.is_timestamp(values.type):
        values = pc.cast(values, pa.timestamp(values.type.unit))
    return pc.cast(values, pa.date32(), safe=False)


def _scalar(value: Any, type_: ColumnType) -> pa.Scalar:
    if type_.family is Family.FLOAT and type_.width == 32:
        value = np.float32(value)  # what a 32-bit column holds for 0.1 is not 0.1
    return pa.scalar(value, type_.arrow)


def one_of(values: pa.ChunkedArray, listed: Iterable[Any], type_: ColumnType) -> pa.ChunkedArray:
    scalars = [_scalar(value, type_) for value in listed if value is not None]
    if values.type == type_.arrow and type_.family is not Family.FLOAT:
        return pc.is_in(values, value_set=pa.array(scalars, type_.arrow))
    mask = pc.and_(pc.is_null(values), pc.is_valid(values))  # nowhere
    for scalar in scalars:
        mask = pc.or_(mask, pc.fill_null(pc.equal(values, scalar), False))
    return mask


def not_in(values: pa.ChunkedArray, listed: Iterable[Any], type_: ColumnType) -> pa.ChunkedArray:
    return pc.invert(one_of(values, listed, type_))


def not_matching(values: pa.ChunkedArray, pattern: str) -> pa.ChunkedArray:
    return pc.invert(pc.match_substring_regex(values, re2(pattern)))


def out_of_range(
    values: pa.ChunkedArray, bounds: Mapping[str, Any], type_: ColumnType
) -> pa.ChunkedArray | None:
    masks = [
        outside(values, _scalar(bounds[name], type_))
        for name, outside in _OUTSIDE.items()
        if name in bounds
    ]
    return any_of(masks)


def any_of(masks: list[pa.ChunkedArray]) -> pa.ChunkedArray:
    found = masks[0]
    for mask in masks[1:]:
        found = pc.or_(found, mask)
    return found

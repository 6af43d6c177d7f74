"""Which rows of an in-memory batch break a rule, in Arrow: what the pandera schema checks with.

Belongs here: the row-level rules as masks, with the audit's meaning of each.
Does not belong here: thresholds and pandera (`contracts/pandera_schema.py`); the audit itself,
which does the same in SQL over data of any size (`governance/`). A property-based test holds the
two together.

NaN is null before any rule sees it. A null breaks no rule but those that ask for a value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from shared_resources.contracts.model import Partitioning, Rule, RuleKind
from shared_resources.contracts.patterns import re2
from shared_resources.contracts.types import ColumnType, Family

_OUTSIDE: Mapping[str, Callable[..., pa.ChunkedArray]] = {
    "minimum": pc.less,
    "exclusiveMinimum": pc.less_equal,
    "maximum": pc.greater,
    "exclusiveMaximum": pc.greater_equal,
}


def failing_rows(rule: Rule, values: pa.ChunkedArray, type_: ColumnType) -> pa.ChunkedArray:
    """For a rule that one value decides: whether each value breaks it. `type_` is the contract's.

    Raises `ValueError` for a rule of another kind.
    """
    given = rule.arguments
    match rule.kind:
        case RuleKind.REQUIRED | RuleKind.NULL_VALUES:
            return pc.is_null(values)
        case RuleKind.MISSING_VALUES:
            return pc.or_(pc.is_null(values), _one_of(values, given["missingValues"], type_))
        case RuleKind.ENUMERATION:
            mask = pc.invert(_one_of(values, given["values"], type_))
        case RuleKind.PATTERN:
            mask = _not_matching(values, given["pattern"])
        case RuleKind.RANGE:
            mask = _out_of_range(values, given, type_)
        case RuleKind.LENGTH:
            mask = _wrong_length(values, given)
        case RuleKind.MULTIPLE_OF:
            mask = _no_multiple(values, given["multipleOf"], type_)
        case RuleKind.INVALID_VALUES:
            mask = _invalid(values, given, type_)
        case _:
            raise ValueError(f"{rule.kind.value} is no rule that one value decides")
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


def sharing_rows(
    keys: Sequence[pa.ChunkedArray], within: pa.ChunkedArray | None = None
) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Whether each row's key is also another row's. A key with a null in it is not compared.

    `within` splits the rows: keys are compared among rows of the same value, null being one.
    """
    complete = np.ones(len(keys[0]), dtype=bool)
    codes = {}
    for place, key in enumerate(keys):
        codes[place] = _codes(key)
        complete &= codes[place] >= 0
    if within is not None:
        codes[len(keys)] = _codes(within)
    shared = pd.DataFrame(codes)[complete].duplicated(keep=False)
    mask = np.zeros(len(complete), dtype=bool)
    mask[complete] = shared.to_numpy()
    return mask


def _codes(values: pa.ChunkedArray) -> np.ndarray[Any, np.dtype[np.int64]]:
    """A number for each different value, -1 for null."""
    if pa.types.is_floating(values.type):
        values = pc.add(values, pa.scalar(0.0, values.type))  # -0.0 equals 0.0
    try:
        encoded = pc.dictionary_encode(values).combine_chunks()
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):  # lists, structs
        listed = [None if value is None else repr(value) for value in values.to_pylist()]
        encoded = pa.array(listed, pa.string()).dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = pa.concat_arrays(encoded.unify_dictionaries().chunks)
    codes = pc.fill_null(pc.cast(encoded.indices, pa.int64()), -1)
    return np.asarray(codes.to_numpy(zero_copy_only=False), dtype=np.int64)


def _scalar(value: Any, type_: ColumnType) -> pa.Scalar:
    if type_.family is Family.FLOAT and type_.width == 32:
        value = np.float32(value)  # what a 32-bit column holds for 0.1 is not 0.1
    return pa.scalar(value, type_.arrow)


def _one_of(values: pa.ChunkedArray, listed: Iterable[Any], type_: ColumnType) -> pa.ChunkedArray:
    scalars = [_scalar(value, type_) for value in listed if value is not None]
    if values.type == type_.arrow and type_.family is not Family.FLOAT:
        return pc.is_in(values, value_set=pa.array(scalars, type_.arrow))
    mask = pc.and_(pc.is_null(values), pc.is_valid(values))  # nowhere
    for scalar in scalars:
        mask = pc.or_(mask, pc.fill_null(pc.equal(values, scalar), False))
    return mask


def _not_matching(values: pa.ChunkedArray, pattern: str) -> pa.ChunkedArray:
    return pc.invert(pc.match_substring_regex(values, re2(pattern)))


def _out_of_range(
    values: pa.ChunkedArray, bounds: Mapping[str, Any], type_: ColumnType
) -> pa.ChunkedArray | None:
    masks = [
        outside(values, _scalar(bounds[name], type_))
        for name, outside in _OUTSIDE.items()
        if name in bounds
    ]
    return _any(masks)


def _wrong_length(values: pa.ChunkedArray, given: Mapping[str, Any]) -> pa.ChunkedArray | None:
    lengths = pc.utf8_length(values)
    masks = []
    if "minLength" in given:
        masks.append(pc.less(lengths, given["minLength"]))
    if "maxLength" in given:
        masks.append(pc.greater(lengths, given["maxLength"]))
    return _any(masks)


def _invalid(
    values: pa.ChunkedArray, given: Mapping[str, Any], type_: ColumnType
) -> pa.ChunkedArray | None:
    masks = []
    if "validValues" in given:
        masks.append(pc.invert(_one_of(values, given["validValues"], type_)))
    if "pattern" in given:
        masks.append(_not_matching(values, given["pattern"]))
    if _OUTSIDE.keys() & given.keys():
        masks.append(_out_of_range(values, given, type_))
    return _any(masks)


def _no_multiple(values: pa.ChunkedArray, step: Any, type_: ColumnType) -> pa.ChunkedArray:
    """Exact for whole numbers and decimals; for floats as near as rounding lets them be.

    A float is a multiple when it is within 1e-9 of a step or, far from zero, within a few units in
    the last place. An infinity is none.
    """
    if type_.family is Family.FLOAT:
        numbers = pc.cast(values, pa.float64()).to_numpy(zero_copy_only=False)
        with np.errstate(all="ignore"):
            steps = numbers / float(step)
            slack = 4e-7 if type_.width == 32 else 1e-15
            close = np.abs(steps - np.round(steps)) <= np.maximum(1e-9, np.abs(steps) * slack)
        return pa.chunked_array([pa.array(~close | np.isinf(numbers))])
    if type_.family is Family.INTEGER:
        whole = pc.multiply(pc.divide(values, step), step)
        return pc.not_equal(values, whole)
    size = Fraction(step)
    broken = [None if v is None else Fraction(v) % size != 0 for v in values.to_pylist()]
    return pa.chunked_array([pa.array(broken, pa.bool_())])


def _any(masks: list[pa.ChunkedArray]) -> pa.ChunkedArray:
    found = masks[0]
    for mask in masks[1:]:
        found = pc.or_(found, mask)
    return found

"""Masks on single values, as Python: what each kind makes of a value.

Belongs here: every kind of mask on Python's values. Does not belong here: what a mask means and its SQL
(`contracts/roles/masks.py`), masks on whole columns (`access/dear_masks.py`).
"""

from __future__ import annotations

import decimal
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from shared_resources.access.dear_masks import Hash, hashing, is_dear, redacting
from shared_resources.contracts.roles.masks import GENERALISE, QUERY_LOCAL, REPLACE_WITH_NULL
from shared_resources.contracts.roles.model import Mask
from shared_resources.contracts.types import ColumnType, Family

Masked = Callable[[Any], Any]
_EXACT = decimal.Context(prec=80)
_FIRST = datetime(1970, 1, 1)
_FIXED: Mapping[Family, Any] = {
    Family.STRING: "XXXXXXXX",
    Family.INTEGER: 0,
    Family.FLOAT: 0.0,
    Family.BOOLEAN: False,
    Family.DATE: _FIRST.date(),
    Family.TIMESTAMP: _FIRST,
    Family.TIMESTAMP_TZ: _FIRST.replace(tzinfo=UTC),
}
_MIDNIGHT = {"hour": 0, "minute": 0, "second": 0, "microsecond": 0}


def value_mask(
    mask: Mask, type_: ColumnType, inner: bytes, outer: bytes
) -> Callable[[bytes], Masked]:
    """What the mask makes of a value that is not null, once it is given the reading's own salt."""
    if is_dear(mask):
        if mask.kind not in ("mask-alphanum", "show-first-4", "show-last-4"):
            if mask.kind == QUERY_LOCAL:
                return lambda salt: _hashed(hashing(mask.kind, inner, outer, salt), type_)
            hashed = _hashed(hashing(mask.kind, inner, outer, b""), type_)
            return lambda salt: hashed
        made: Masked = redacting(mask.kind)
    elif mask.kind == REPLACE_WITH_NULL:
        made = _nothing
    elif mask.kind == GENERALISE:
        made = _generalised(mask.step or Decimal(1), type_)
    elif mask.kind.startswith("truncate-to-"):
        made = _truncated(mask.kind.removeprefix("truncate-to-"), type_)
    else:
        fixed = _FIXED.get(type_.family, Decimal(0).scaleb(-type_.scale))
        made = _always(fixed)
    return lambda salt: made


def _nothing(value: Any) -> None:
    return None


def _always(fixed: Any) -> Masked:
    return lambda value: fixed


def _hashed(hashed: Hash, type_: ColumnType) -> Masked:
    if type_.family is Family.STRING:
        return lambda text: hashed(text.encode()).hexdigest()
    size = type_.width // 8

    def of_integer(value: int) -> int:
        digest = hashed(value.to_bytes(size, "little", signed=True)).digest()
        return int.from_bytes(digest[:size], "little", signed=True)

    return of_integer


def _truncated(unit: str, type_: ColumnType) -> Masked:
    days: dict[str, int] = {"year": {"month": 1, "day": 1}, "month": {"day": 1}}.get(unit, {})
    if type_.family is Family.DATE:
        return lambda value: date.replace(value, **days)
    return lambda value: value.replace(**days, **_MIDNIGHT)


def _generalised(step: Decimal, type_: ColumnType) -> Masked:
    if type_.family is Family.FLOAT:
        return _rounded_down(step, type_.width)
    if type_.family is Family.INTEGER:
        least = -(1 << (type_.width - 1))
        whole = int(step)
        return lambda value: max(value - value % whole, least)
    scale, lowest = Decimal(1).scaleb(-type_.scale), _lowest(type_)

    def down(value: Decimal) -> Decimal:
        rest = _EXACT.remainder(value, step)
        rest = _EXACT.add(rest, step) if rest < 0 else rest
        made = max(_EXACT.subtract(value, rest), lowest)
        return _EXACT.quantize(made, scale)

    return down


def _lowest(type_: ColumnType) -> Decimal:
    return -_EXACT.scaleb(Decimal(10**type_.precision - 1), -type_.scale)


def _rounded_down(step: Decimal, width: int) -> Masked:
    import numpy as np

    kind = np.float32 if width == 32 else np.float64
    by = kind(step)

    def down(value: float) -> float:
        with np.errstate(all="ignore"):
            return float(np.floor(kind(value) / by) * by)

    return down

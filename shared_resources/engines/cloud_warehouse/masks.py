"""Masks in Snowflake's SQL: the bodies of masking policies.

Belongs here: the masked value of each kind on each type, where Snowflake can say it to the byte.
Does not belong here: what masks mean (`contracts/roles/masks.py`), the policies (`items.py`).

A test runs each of them against what the masks are to give. What Snowflake cannot say, or cannot say
without showing a secret, raises `Unsaid`.
"""

from __future__ import annotations

from shared_resources.contracts.roles.masks import FIXED, GENERALISE, KEYED_HASH, KINDS, QUERY_LOCAL
from shared_resources.contracts.roles.model import Mask
from shared_resources.contracts.types import ColumnType, Family
from shared_resources.stores.cloud_warehouse.sql import type_of

VALUE = '"value"'
_WIDEST = 36
_UNSAID = {
    KEYED_HASH: "its key would stand in a policy, which is shown to whoever may describe it",
    QUERY_LOCAL: "a policy cannot draw a salt that holds for one query",
}


class Unsaid(ValueError):
    """Snowflake has no words for it; the message says why."""


def masked(type_: ColumnType, mask: Mask) -> str:
    """The masked value of the argument `VALUE` of this type. Raises `Unsaid`."""
    if mask.kind in _UNSAID:
        raise Unsaid(f"{mask} cannot be said in Snowflake: {_UNSAID[mask.kind]}")
    if mask.kind not in KINDS or type_.family not in KINDS[mask.kind].families:
        raise Unsaid(f"{mask} does not mask a {type_.family}")
    return f"CAST({_body(type_, mask)} AS {type_of(type_)})"


def _body(type_: ColumnType, mask: Mask) -> str:
    match mask.kind:
        case "mask-alphanum":
            return _redacted(VALUE)
        case "mask-to-fixed-value":
            fixed = f"CAST({FIXED[type_.family]} AS {type_of(type_)})"
            return f"CASE WHEN {VALUE} IS NOT NULL THEN {fixed} END"
        case "replace-with-null":
            return "NULL"
        case "show-first-4":
            return f"SUBSTR({VALUE}, 1, 4) || {_redacted(f'SUBSTR({VALUE}, 5)')}"
        case "show-last-4":
            hidden = f"SUBSTR({VALUE}, 1, GREATEST(LENGTH({VALUE}) - 4, 0))"
            return f"{_redacted(hidden)} || RIGHT({VALUE}, 4)"
        case "truncate-to-year" | "truncate-to-month" | "truncate-to-day":
            unit = mask.kind.rpartition("-")[2].upper()
            zoned = type_.family is Family.TIMESTAMP_TZ
            moment = f"CONVERT_TIMEZONE('UTC', {VALUE})" if zoned else VALUE
            return f"DATE_TRUNC('{unit}', {moment})"
        case "sha-256-global" if type_.family is Family.STRING:
            return f"SHA2({VALUE}, 256)"
        case kind if kind == GENERALISE:
            return _generalised(type_, mask)
    raise Unsaid(f"{mask} of a {type_.family} cannot be said in Snowflake byte for byte")


def _redacted(text: str) -> str:
    """Digits become n, everything else x but for ``( ) , . - @``; all occurrences, by code point."""
    others = f"REGEXP_REPLACE({text}, '[^0-9(),.@-]', 'x')"
    return f"REGEXP_REPLACE({others}, '[0-9]', 'n')"


def _generalised(type_: ColumnType, mask: Mask) -> str:
    step = format(mask.step or 1, "f")
    if type_.family is Family.FLOAT:
        if type_.width == 32:
            raise Unsaid("Snowflake's floats have 64 bits, and are rounded otherwise than 32")
        exact = f"CAST('{step}' AS FLOAT)"
        return f"FLOOR({VALUE} / {exact}) * {exact}"
    if type_.family is Family.INTEGER:
        lowest, scale = str(-(1 << (type_.width - 1))), 0
    else:
        if type_.precision > _WIDEST:
            raise Unsaid(f"a decimal of {type_.precision} digits has none left to round down in")
        whole, scale = "9" * (type_.precision - type_.scale) or "0", type_.scale
        lowest = f"-{whole}.{'9' * scale or '0'}"
    wide = f"NUMBER(38,{scale})"
    value, exact = f"CAST({VALUE} AS {wide})", f"CAST({step} AS {wide})"
    down = f"{value} - MOD(MOD({value}, {exact}) + {exact}, {exact})"
    return f"CASE WHEN {VALUE} IS NOT NULL THEN GREATEST({down}, {lowest}) END"

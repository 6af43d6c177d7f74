"""Agreements as the read restrictions of Iceberg's REST catalog (apache/iceberg, pull request 13879).

Belongs here: the JSON that a catalog answers a principal with beside a table (`read-restrictions` of
`loadTable`). Does not belong here: a catalog that answers with it: the mesh has none, whoever runs one
gives it these.

A restriction cannot leave a column out: one that is not granted is replaced with null, and cannot be
looked at. It cannot end by itself either: `until` says when it is to be taken back. Of a condition it is
asked when it is certainly true, so that it says the same to readers who have no third truth value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Protocol, runtime_checkable

from shared_resources.contracts.model import Server
from shared_resources.contracts.roles.conditions import OPPOSITE
from shared_resources.contracts.roles.masks import KINDS
from shared_resources.contracts.roles.model import (
    Among,
    Any_,
    Comparison,
    Condition,
    Every,
    IsNull,
    Literal,
    Not,
    StartsWith,
    columns_of,
)
from shared_resources.contracts.types import ColumnType
from shared_resources.engines.shares import Share, Withheld, withheld
from shared_resources.environment import Environment
from shared_resources.mesh.agreements.oaas import written
from shared_resources.stores.protocol import NotPublished

_OPERATORS = {"=": "eq", "<>": "not-eq", "<": "lt", "<=": "lt-eq", ">": "gt", ">=": "gt-eq"}


@runtime_checkable
class Numbered(Protocol):
    """A store whose columns have Iceberg's numbers."""

    def field_ids(self, product: str) -> Mapping[str, int]:
        """The number of each column of the current version. Raises `NotPublished`."""


def restrictions_of(
    environment: Environment, shares: Iterable[Share]
) -> tuple[list[dict[str, Any]], list[Withheld]]:
    """One restriction an agreement about a product in the lake, and what cannot be said."""
    lake = environment.stores.get(Server.LAKE)
    said: list[dict[str, Any]] = []
    unsaid: list[Withheld] = []
    for share in shares:
        if not isinstance(lake, Numbered) or Server.LAKE not in share.contract.servers:
            continue
        try:
            ids = lake.field_ids(share.product)
        except NotPublished:
            unsaid.append(withheld(share, "it is not published in the lake yet"))
            continue
        if missing := list(_inexpressible(share, ids)):
            unsaid += missing
        else:
            said.append(_restriction(share, ids))
    return said, unsaid


def _inexpressible(share: Share, ids: Mapping[str, int]) -> Iterable[Withheld]:
    for name in share.terms.columns:
        mask = share.terms.masks.get(name)
        if mask is not None and not KINDS[mask.kind].standard:
            yield withheld(share, f"{mask} is the mesh's own, and no action of Iceberg's", name)
    looked_at = {name for row in share.terms.rows for name in columns_of(row.condition)}
    for name in sorted(looked_at - set(ids)):
        yield withheld(share, "its rows are filtered by it, and it is not published", name)


def _restriction(share: Share, ids: Mapping[str, int]) -> dict[str, Any]:
    granted, masks = set(share.terms.columns), share.terms.masks
    projections = [
        {"field-id": number, "action": masks[name].kind if name in granted else "replace-with-null"}
        for name, number in ids.items()
        if name not in granted or name in masks
    ]
    restrictions: dict[str, Any] = {}
    if projections:
        restrictions["required-column-projections"] = projections
    if share.terms.rows:
        restrictions["required-row-filter"] = _joined(
            "or", [_true(row.condition, row.types) for row in share.terms.rows]
        )
    return {
        "product": share.product,
        "namespace": [share.contract.domain],
        "table": share.contract.name,
        "principal": str(share.consumer),
        "purpose": share.purpose,
        "agreement": share.agreement,
        "from": written(share.starts) if share.starts else None,
        "until": written(share.ends) if share.ends else None,
        "read-restrictions": restrictions,
    }


def _true(condition: Condition, types: Mapping[str, ColumnType]) -> dict[str, Any]:
    """An expression of Iceberg's that is true exactly when the condition is."""
    match condition:
        case Comparison(column, operator, value):
            return _there(
                column, {"type": _OPERATORS[operator], "value": _json(value, types[column])}
            )
        case Among(column, values):
            return _there(
                column, {"type": "in", "values": [_json(value, types[column]) for value in values]}
            )
        case IsNull(column):
            return {"type": "is-null", "term": column}
        case StartsWith(column, text):
            return _there(column, {"type": "starts-with", "value": text})
        case Not(inner):
            return _false(inner, types)
        case Every(conditions):
            return _joined("and", [_true(one, types) for one in conditions])
        case Any_(conditions):
            return _joined("or", [_true(one, types) for one in conditions])


def _false(condition: Condition, types: Mapping[str, ColumnType]) -> dict[str, Any]:
    """An expression that is true exactly when the condition is false, and not when it is null."""
    match condition:
        case Comparison(column, operator, value):
            return _true(Comparison(column, OPPOSITE[operator], value), types)
        case Among(column, values):
            listed = [_json(value, types[column]) for value in values]
            return _there(column, {"type": "not-in", "values": listed})
        case IsNull(column):
            return {"type": "not-null", "term": column}
        case StartsWith(column, text):
            return _there(column, {"type": "not-starts-with", "value": text})
        case Not(inner):
            return _true(inner, types)
        case Every(conditions):
            return _joined("or", [_false(one, types) for one in conditions])
        case Any_(conditions):
            return _joined("and", [_false(one, types) for one in conditions])


def _there(column: str, predicate: Mapping[str, Any]) -> dict[str, Any]:
    """The predicate on a value that is not null: to Iceberg `not-eq` and `lt` hold for null, too."""
    not_null = {"type": "not-null", "term": column}
    return _joined("and", [not_null, {"term": column, **predicate}])


def _joined(word: str, expressions: list[dict[str, Any]]) -> dict[str, Any]:
    first, *others = expressions
    return {"type": word, "left": first, "right": _joined(word, others)} if others else first


def _json(value: Literal, type_: ColumnType) -> str | int | float | bool:
    """The value as Iceberg writes single values in JSON."""
    match value:
        case bool() | int() | float():
            return value
        case Decimal():
            return format(value.quantize(Decimal(1).scaleb(-type_.scale)), "f")
        case datetime():
            return value.isoformat(timespec="microseconds")
        case date():
            return value.isoformat()
        case str():
            return value

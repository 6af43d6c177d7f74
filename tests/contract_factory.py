"""Contracts without a file or a mesh, for tests of what is compiled from them or run by them.

Belongs here: one short way to a `Contract`.
Does not belong here: contract files (`tiny_mesh.py`, `tests/contracts/`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from shared_resources.contracts.model import Classification, Column, Contract, Rule, Server
from shared_resources.contracts.types import ColumnType, Family

TYPES = {
    "VARCHAR": ColumnType(Family.STRING),
    "INTEGER": ColumnType(Family.INTEGER, width=32),
    "BIGINT": ColumnType(Family.INTEGER),
    "FLOAT": ColumnType(Family.FLOAT, width=32),
    "DOUBLE": ColumnType(Family.FLOAT),
    "DECIMAL": ColumnType(Family.DECIMAL, precision=10, scale=2),
    "BOOLEAN": ColumnType(Family.BOOLEAN),
    "DATE": ColumnType(Family.DATE),
    "TIMESTAMP": ColumnType(Family.TIMESTAMP),
    "TIMESTAMPTZ": ColumnType(Family.TIMESTAMP_TZ),
}


def make_column(name: str, type_: str | ColumnType = "BIGINT", **fields: Any) -> Column:
    resolved = TYPES[type_] if isinstance(type_, str) else type_
    given = {"description": f"The {name}.", "classification": Classification.INTERNAL, **fields}
    return Column(name=name, type=resolved, **given)


def make_contract(
    columns: Mapping[str, str | ColumnType] | Sequence[Column] = (),
    rules: Sequence[Rule] = (),
    **fields: Any,
) -> Contract:
    """A contract of the columns, `{"id": "BIGINT"}` or finished; `fields` replace the rest."""
    if isinstance(columns, Mapping):
        columns = [make_column(name, type_) for name, type_ in columns.items()]
    given: dict[str, Any] = {
        "path": Path("contract.odcs.yaml"),
        "digest": "0" * 64,
        "id": "shop-items",
        "domain": "shop",
        "name": "items",
        "version": "1.0.0",
        "status": "active",
        "description": "Items, for tests.",
        "owner": "shop@example.com",
        "servers": (Server.LAKE,),
        **fields,
    }
    return Contract(columns=tuple(columns), rules=tuple(rules), **given)

"""What terms show of a version, as a statement of DuckDB.

Belongs here: the columns, masks and conditions of terms over a relation that holds the published rows,
and whether the terms fit a version.
Does not belong here: where the rows are and who runs the statement (`granted_snapshot.py`, engines), the
SQL of one mask or condition (`contracts/roles/`).
"""

from __future__ import annotations

from collections.abc import Sequence

from shared_resources.access.grants import NoAgreement
from shared_resources.access.terms import Terms
from shared_resources.contracts.roles.conditions import condition_sql
from shared_resources.contracts.roles.masks import KEYED_HASH, masked
from shared_resources.contracts.roles.model import columns_of
from shared_resources.contracts.types import ColumnType
from shared_resources.contracts.values.comparing import column_type
from shared_resources.sql import quote_identifier
from shared_resources.stores.protocol import Snapshot, Version


def columns_needed(columns: Sequence[str], terms: Terms) -> list[str]:
    """What is read to show these columns: those that conditions look at, too."""
    looked_at = {name for row in terms.rows for name in columns_of(row.condition)}
    return list(dict.fromkeys((*columns, *sorted(looked_at))))


def granted_sql(
    columns: Sequence[str],
    terms: Terms,
    types: dict[str, ColumnType],
    relation: str,
    salt: str | None = None,
) -> str:
    """These columns of `relation`, as the terms show them; the last clause is WHERE, where there is one.

    Values of a condition are of the contract's types, in which they were read: a version of another
    precision would round them. `salt` as in `masked`.
    """
    shown = ", ".join(_shown(name, terms, types, salt) for name in columns)
    where = " OR ".join(condition_sql(row.condition, row.types) for row in terms.rows)
    return f"SELECT {shown} FROM {relation}" + (f" WHERE ({where})" if where else "")  # noqa: S608


def _shown(name: str, terms: Terms, types: dict[str, ColumnType], salt: str | None) -> str:
    column = quote_identifier(name)
    mask = terms.masks.get(name)
    return column if mask is None else f"{masked(column, types[name], mask, salt)} AS {column}"


def types_of(snapshot: Snapshot) -> dict[str, ColumnType]:
    types = {field.name: column_type(field.type) for field in snapshot.schema}
    return {name: type_ for name, type_ in types.items() if type_ is not None}


def fitting(terms: Terms, types: dict[str, ColumnType], version: Version) -> Terms:
    """The terms for a version that may be older or newer than the contract that names its roles."""
    of = f"{version.product} version {version.number}"
    for row in terms.rows:
        for name, type_ in row.types.items():
            if types.get(name) is None or types[name].family is not type_.family:
                raise NoAgreement(
                    f"{of} cannot be read: it is shown where `{row.text}`, and its column {name!r} is "
                    "not what the contract says; read another version"
                )
    columns = tuple(name for name in terms.columns if name in types)
    if not columns:
        raise NoAgreement(f"{of} has none of the columns that are granted; read another version")
    for name in columns:
        mask = terms.masks.get(name)
        if mask is None:
            continue
        try:
            masked(quote_identifier(name), types[name], mask)
        except ValueError as problem:
            raise NoAgreement(
                f"{of} cannot be read: its column {name!r} is a {types[name].family}, which "
                f"{mask} does not mask; read another version"
            ) from problem
    return Terms(columns, terms.masks, terms.rows)


def needs_key(terms: Terms) -> bool:
    return any(mask.kind == KEYED_HASH for mask in terms.masks.values())

"""The view of a share, as statements that a stock DuckDB runs.

Belongs here: columns, masks, rows, and the first and last moment, over the files of a pinned version;
where the view has its rows otherwise, the name of the table with them.
Does not belong here: the SQL of terms (`access/granted_sql.py`), where the views are kept (`file.py`).
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import dataclass

from shared_resources.access.granted_sql import (
    columns_needed,
    fitting,
    granted_sql,
    needs_key,
    types_of,
)
from shared_resources.contracts.types import ColumnType
from shared_resources.engines.shares import Share
from shared_resources.mesh.agreements.oaas import written
from shared_resources.sql import quote_identifier, quote_literal
from shared_resources.stores.reading.sql_snapshot import SqlSnapshot

# Where rows are kept that were read through the door: no domain can be called so.
ROWS = "mesh.rows"
# One salt a reading, as the door has it: made when the view is read, and nowhere kept.
_SALT = 'mesh_reading."mesh_salt"'
_SALTED = (
    "WITH mesh_reading AS MATERIALIZED (SELECT encode(CAST(uuid() AS VARCHAR) || "
    'CAST(uuid() AS VARCHAR)) AS "mesh_salt") '
)


@dataclass(frozen=True)
class View:
    """`sql` makes it, in a database that has its schema. `rows` names the table that it shows, with
    `columns`; empty where it shows the files of the version."""

    product: str
    sql: str
    number: int
    rows: str = ""
    columns: tuple[tuple[str, ColumnType], ...] = ()

    def prepared(self) -> Iterator[str]:
        """What has to be there before it, with no row in it."""
        yield f"CREATE SCHEMA IF NOT EXISTS {quote_identifier(self.product.partition('/')[0])}"
        if self.rows:
            columns = ", ".join(f"{quote_identifier(name)} {type_}" for name, type_ in self.columns)
            yield f"CREATE SCHEMA IF NOT EXISTS {quote_identifier(ROWS)}"
            yield f"CREATE TABLE IF NOT EXISTS {rows_table(self.rows)} ({columns})"


def view_of(share: Share, snapshot: SqlSnapshot, key: bytes | None) -> View:
    """The share's view over the snapshot's version. `key` is the mesh's, for a digest that another key
    changes; None where no mask needs it. Raises `NoAgreement` for a version that the terms do not fit."""
    types = types_of(snapshot)
    terms = fitting(share.terms, types, snapshot.version)
    when = _moments(share)
    number = snapshot.version.number
    if needs_key(terms):
        columns = tuple((name, types[name]) for name in terms.columns)
        rows = _rows_name(share, snapshot, columns, key or b"")
        shown = f"SELECT * FROM {rows_table(rows)}"  # noqa: S608
        select = f"{shown} WHERE {when}" if when else shown
        return View(share.product, _create(share.product, select), number, rows, columns)
    salted = any(mask.kind == "sha-256-query-local" for mask in terms.masks.values())
    needed = columns_needed(terms.columns, terms)
    published = f"({snapshot.unattached(needed)}) AS published"
    relation = f"{published}, mesh_reading" if salted else published
    select = granted_sql(terms.columns, terms, types, relation, _SALT if salted else None)
    if when:
        select += f" {'AND' if terms.rows else 'WHERE'} {when}"
    return View(share.product, _create(share.product, (_SALTED if salted else "") + select), number)


def view_name(product: str) -> str:
    domain, _, name = product.partition("/")
    return f"{quote_identifier(domain)}.{quote_identifier(name)}"


def rows_table(name: str) -> str:
    return f"{quote_identifier(ROWS)}.{quote_identifier(name)}"


def _create(product: str, select: str) -> str:
    return f"CREATE VIEW {view_name(product)} AS {select}"


def _moments(share: Share) -> str:
    """The moments between which the view shows anything: an error says of the others why not, as no
    rows could be taken for an empty product."""
    of = f"the agreement of {share.consumer} about {share.product}"
    request = f"mesh access request {share.product} --as {share.consumer}"
    parts = []
    if share.starts is not None:
        why = f"{of} begins {written(share.starts)}"
        parts.append(_or_error(f"now() >= {_moment(written(share.starts))}", why))
    if share.ends is not None:
        why = f"{of} ended {written(share.ends)}; ask for a longer one: {request}"
        # The moment that it names is its last, to the second that agreements are written in.
        parts.append(_or_error(f"now() <= {_moment(written(share.ends))}", why))
    return " AND ".join(parts)


def _moment(text: str) -> str:
    return f"CAST({quote_literal(text.replace('T', ' ').replace('Z', '+00'))} AS TIMESTAMPTZ)"


def _or_error(condition: str, why: str) -> str:
    return f"CASE WHEN {condition} THEN true ELSE error({quote_literal(why)}) END"


def _rows_name(
    share: Share, snapshot: SqlSnapshot, columns: tuple[tuple[str, ColumnType], ...], key: bytes
) -> str:
    """Another for other terms, another version or another key; the key cannot be had from it."""
    masks = sorted((name, str(mask)) for name, mask in share.terms.masks.items())
    rows = [row.text for row in share.terms.rows]
    shown = [[name, str(type_)] for name, type_ in columns]
    version = [snapshot.version.store, snapshot.version.batch_id]
    said = json.dumps([share.product, version, shown, masks, rows])
    digest = hmac.new(key, said.encode(), hashlib.sha256).hexdigest()[:16]
    return f"{share.product} v{snapshot.version.number} {digest}"

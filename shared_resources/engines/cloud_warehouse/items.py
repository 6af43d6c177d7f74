"""The items of an agreement on Snowflake, with the statements that make them.

Belongs here: kinds, items, and the statement of each. Does not belong here: the bodies of policies
(`masks.py`, `conditions.py`), reading what is there (`live.py`), executing (`engine.py`).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from shared_resources.contracts.model import Classification
from shared_resources.contracts.roles.model import Mask, columns_of
from shared_resources.contracts.types import ColumnType
from shared_resources.engines.cloud_warehouse import masks
from shared_resources.engines.cloud_warehouse.conditions import condition_sql, within
from shared_resources.engines.cloud_warehouse.names import (
    POLICIES,
    Mark,
    consumer_name,
    digest,
    named_by,
    view_name,
)
from shared_resources.engines.engine import Item, Key, Kind
from shared_resources.engines.shares import Share, Withheld, withheld
from shared_resources.sql import quote_identifier
from shared_resources.stores.cloud_warehouse.sql import Name, names, text, type_of
from shared_resources.stores.cloud_warehouse.view import CLASSIFICATION, TAGS_SCHEMA

SCHEMA, ROLE, MASK, ROWS = "schema", "database role", "masking policy", "row access policy"
SOURCE, VIEW, USAGE, GRANT = "view of rows", "view", "usage of schema", "grant"
KINDS = (
    Kind(SCHEMA, lasting=True),
    Kind(ROLE, lasting=True),
    Kind(MASK),
    Kind(ROWS),
    Kind(SOURCE),
    Kind(VIEW),
    Kind(USAGE),
    Kind(GRANT, opens=True),
)


@dataclass(frozen=True)
class SnowflakeItem(Item):
    """`make` makes it, or replaces a view; `again` replaces what hangs on something; `drop` drops it."""

    make: str = field(default="", compare=False)
    again: str = field(default="", compare=False)
    drop: str = field(default="", compare=False)


def schema_item(name: str) -> SnowflakeItem:
    quoted = quote_identifier(name)
    return SnowflakeItem(
        SCHEMA,
        quoted,
        make=f"CREATE SCHEMA IF NOT EXISTS {quoted} COMMENT = {text(str(Mark()))}",
        drop=f"DROP SCHEMA IF EXISTS {quoted}",
    )


def role_item(name: str) -> SnowflakeItem:
    quoted = quote_identifier(name)
    return SnowflakeItem(
        ROLE,
        quoted,
        make=f"CREATE DATABASE ROLE IF NOT EXISTS {quoted} COMMENT = {text(str(Mark()))}",
        drop=f"DROP DATABASE ROLE IF EXISTS {quoted}",
    )


def policy_item(kind: str, name: Name, signature: str, returns: str, body: str) -> SnowflakeItem:
    """A masking or row access policy; `signature` is e.g. `("value" VARCHAR)`."""
    word = kind.upper()
    return SnowflakeItem(
        kind,
        str(name),
        plain(body),
        needs=frozenset({(SCHEMA, quote_identifier(POLICIES))}),
        make=f"CREATE {word} IF NOT EXISTS {name} AS {signature} RETURNS {returns} -> {body} "
        f"COMMENT = {text(str(Mark()))}",
        again=f"ALTER {word} {name} SET BODY -> {body}",
        drop=f"DROP {word} IF EXISTS {name}",
    )


def view_item(
    kind: str,
    name: Name,
    select: str,
    policies: Mapping[str, str],
    mark: Mark,
    needs: Iterable[Key],
    make: str = "",
) -> SnowflakeItem:
    """A secure view; `policies` are the policies on it, by column, or by the columns of the rows'."""
    return SnowflakeItem(
        kind,
        str(name),
        view_state(plain(select), policies, str(mark), secure=True),
        mark.product,
        mark.consumer,
        mark.purpose,
        frozenset(needs),
        make=make,
        drop=f"DROP VIEW IF EXISTS {name}",
    )


def view_state(select: str, policies: Mapping[str, str], comment: str, *, secure: bool) -> str:
    return json.dumps([select, sorted(policies.items()), comment, secure])


def plain(sql: str) -> str:
    """SQL in one way of writing it; what cannot be parsed as it is."""
    import sqlglot  # here: who only lists engines needs none of it
    from sqlglot.errors import SqlglotError

    try:
        return sqlglot.parse_one(sql, read="snowflake").sql("snowflake")
    except SqlglotError:
        return sql


def usage_item(schema: str, role: str) -> SnowflakeItem:
    quoted, to = quote_identifier(schema), quote_identifier(role)
    return SnowflakeItem(
        USAGE,
        f"{quoted} by {to}",
        needs=frozenset({(SCHEMA, quoted), (ROLE, to)}),
        make=f"GRANT USAGE ON SCHEMA {quoted} TO DATABASE ROLE {to}",
        drop=f"REVOKE USAGE ON SCHEMA {quoted} FROM DATABASE ROLE {to}",
    )


def grant_item(what: str, to: str, mark: Mark, needs: Iterable[Key]) -> SnowflakeItem:
    """`what` is e.g. `SELECT ON VIEW "a"."b"`, `to` e.g. `DATABASE ROLE "r"`."""
    return SnowflakeItem(
        GRANT,
        f"{what} TO {to}",
        "",
        mark.product,
        mark.consumer,
        mark.purpose,
        frozenset(needs),
        make=f"GRANT {what} TO {to}",
        drop=f"REVOKE {what} FROM {to}",
    )


class Unsayable(ValueError):
    """The agreement cannot be granted; `said` says what of it and why."""

    def __init__(self, said: list[Withheld]) -> None:
        super().__init__(said)
        self.said = said


def items_of(share: Share, published: Collection[str]) -> Iterator[SnowflakeItem]:
    """What the agreement comes to, given the columns that the product's view has: of those that are
    called otherwise it has the former names, too, while they are served.

    Raises `Unsayable` when Snowflake cannot say one of its masks, or its columns are not there.
    """
    types = {column.name: column.type for column in share.contract.columns}
    types |= {old: types[new] for old, new in share.former.items()}
    share = share.by_either_name
    shown = [name for name in share.terms.columns if name in published]
    hiding = _masks(share, shown, types)
    looked_at = {name for row in share.terms.rows for name in columns_of(row.condition)}
    if missing := sorted(looked_at - set(published)):
        raise Unsayable(
            [withheld(share, "its rows are filtered by it, and it is not published", missing[0])]
        )
    if not shown:
        raise Unsayable([withheld(share, "none of its columns is published yet")])

    consumer = str(share.consumer)
    home, role = consumer_name(consumer), consumer_name(consumer)
    yield from (schema_item(POLICIES), schema_item(home), role_item(role))
    yield from hiding.values()
    arguments = sorted(looked_at) or shown[:1]  # a policy wants one, whether it looks at it or not
    rows = _rows_policy(share, arguments, types)
    yield rows
    source = _source(share, list(dict.fromkeys((*shown, *arguments))), arguments, rows, types)
    yield source
    view = _view(share, shown, source, hiding)
    yield view
    yield usage_item(home, role)
    mark = Mark(share.product, consumer, share.purpose)
    yield grant_item(
        f"SELECT ON VIEW {view.name}",
        f"DATABASE ROLE {quote_identifier(role)}",
        mark,
        [view.key, usage_item(home, role).key, (ROLE, quote_identifier(role))],
    )


def _masks(
    share: Share, shown: Iterable[str], types: Mapping[str, ColumnType]
) -> dict[str, SnowflakeItem]:
    made, unsaid = {}, []
    for name in shown:
        if (mask := share.terms.masks.get(name)) is not None:
            try:
                made[name] = _mask(types[name], mask)
            except masks.Unsaid as problem:
                unsaid.append(withheld(share, str(problem), name))
    if unsaid:
        raise Unsayable(unsaid)
    return made


def _mask(type_: ColumnType, mask: Mask) -> SnowflakeItem:
    body, kept = masks.masked(type_, mask), type_of(type_)
    signature = f"({masks.VALUE} {kept})"
    return policy_item(MASK, named_by(signature + body, mask.kind), signature, kept, body)


def _rows_policy(
    share: Share, arguments: Iterable[str], types: Mapping[str, ColumnType]
) -> SnowflakeItem:
    signature = ", ".join(f"{quote_identifier(name)} {type_of(types[name])}" for name in arguments)
    conditions = within(share.starts, share.ends)
    if share.terms.rows:
        either = " OR ".join(condition_sql(row.condition, row.types) for row in share.terms.rows)
        conditions.append(f"({either})")
    body = " AND ".join(conditions) or "TRUE"
    signature = f"({signature})"
    return policy_item(ROWS, named_by(signature + body, "rows"), signature, "BOOLEAN", body)


def _source(
    share: Share,
    columns: Iterable[str],
    arguments: Iterable[str],
    rows: SnowflakeItem,
    types: Mapping[str, ColumnType],
) -> SnowflakeItem:
    """The product's view in the contract's types, behind the rows' policy."""
    product = Name(share.contract.domain, share.contract.name)
    cast = ", ".join(
        f"CAST({quote_identifier(name)} AS {type_of(types[name])}) AS {quote_identifier(name)}"
        for name in columns
    )
    select = f"SELECT {cast} FROM {product}"
    on = names(arguments)
    named = named_by(f"{select} {rows.name} {on}", share.product.replace("/", "."))
    mark = Mark(share.product)
    make = (
        f"CREATE OR REPLACE SECURE VIEW {named} ({names(columns)}) WITH ROW ACCESS POLICY {rows.name} "
        f"ON ({on}) COPY GRANTS COMMENT = {text(str(mark))} AS {select}"
    )
    return view_item(SOURCE, named, select, {on: rows.name}, mark, [rows.key], make)


def _view(
    share: Share, shown: list[str], source: SnowflakeItem, hiding: Mapping[str, SnowflakeItem]
) -> SnowflakeItem:
    consumer, named = str(share.consumer), view_name(share)
    described = ", ".join(_described(share, name, hiding.get(name)) for name in shown)
    select = f"SELECT {names(shown)} FROM {source.name}"
    says = digest(f"{described} {select}")
    mark = Mark(share.product, consumer, share.purpose, share.agreement, says)
    make = (
        f"CREATE OR REPLACE SECURE VIEW {named} ({described}) COPY GRANTS "
        f"COMMENT = {text(str(mark))} AS {select}"
    )
    policies = {quote_identifier(name): mask.name for name, mask in hiding.items()}
    needs = [
        source.key,
        (SCHEMA, quote_identifier(named.schema)),
        *(m.key for m in hiding.values()),
    ]
    return view_item(VIEW, named, select, policies, mark, needs, make)


def _described(share: Share, name: str, mask: SnowflakeItem | None) -> str:
    """A column that nobody classified is taken for the worst, as in the product's own view."""
    column = share.contract.column(share.former.get(name, name))
    level = (column.classification or Classification.RESTRICTED).value
    policy = f" WITH MASKING POLICY {mask.name}" if mask else ""
    tag = f"{Name(TAGS_SCHEMA, CLASSIFICATION)} = {text(level)}"
    return f"{quote_identifier(name)}{policy} WITH TAG ({tag})"

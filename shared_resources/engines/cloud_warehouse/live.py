"""What of agreements is in Snowflake now: read by SHOW, DESCRIBE and POLICY_REFERENCES.

Belongs here: the platform's schemas, roles, policies and views as items, and every grant on them or to
its roles, whoever gave it. Does not belong here: what should be there (`items.py`).

A schema and a role are the platform's by the mark in their comment; what lies in such a schema is its
own. A view's policies are taken from what hangs on it, not from the text that once made it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from shared_resources.engines.cloud_warehouse.items import (
    MASK,
    ROLE,
    ROWS,
    SCHEMA,
    SOURCE,
    VIEW,
    SnowflakeItem,
    grant_item,
    plain,
    policy_item,
    role_item,
    schema_item,
    usage_item,
    view_item,
    view_state,
)
from shared_resources.engines.cloud_warehouse.names import (
    POLICIES,
    Mark,
    consumer_of,
    is_ours,
    mark_in,
)
from shared_resources.engines.engine import Key
from shared_resources.sql import quote_identifier
from shared_resources.stores.cloud_warehouse.session import SnowflakeSession
from shared_resources.stores.cloud_warehouse.sql import Name, text

Row = Mapping[str, Any]
_PART = re.compile(r'(?:^|\.)(?:"((?:[^"]|"")*)"|([^".]+))')


def live_items(session: SnowflakeSession) -> frozenset[SnowflakeItem]:
    """Raises `SnowflakeProblem`."""
    return frozenset(_Reader(session).items().values())


def published_columns(
    session: SnowflakeSession, domains: Iterable[str]
) -> dict[str, tuple[str, ...]]:
    """The columns of each published product's view, by the product's key."""
    wanted = sorted(set(domains))
    if not wanted:
        return {}
    found: dict[str, list[str]] = {}
    rows = session.query(
        "SELECT table_schema, table_name, column_name FROM information_schema.columns "
        f"WHERE table_schema IN ({', '.join('?' for _ in wanted)}) ORDER BY ordinal_position",
        wanted,
    ).rows
    for schema, table, column in rows:
        found.setdefault(f"{schema}/{table}", []).append(str(column))
    return {key: tuple(columns) for key, columns in found.items()}


class _Reader:
    def __init__(self, session: SnowflakeSession) -> None:
        self._session = session
        self._database = session.database
        self._items: dict[Key, SnowflakeItem] = {}

    def items(self) -> dict[Key, SnowflakeItem]:
        inside = f"IN DATABASE {quote_identifier(self._database)}"
        schemas = [name for name, _ in self._own(f"SHOW SCHEMAS {inside}")]
        roles = [name for name, _ in self._own(f"SHOW DATABASE ROLES {inside}")]
        for name in schemas:
            self._add(schema_item(name))
        for name in roles:
            self._add(role_item(name))
        if POLICIES in schemas:
            for kind in (MASK, ROWS):
                self._policies(kind)
        views = [view for schema in schemas for view in self._views(schema)]
        for view in views:
            self._add(view)
        for view in views:
            self._grants_on(view)
        for role in roles:
            self._grants_to(role)
        return self._items

    def _add(self, item: SnowflakeItem) -> None:
        self._items.setdefault(item.key, item)

    def _shown(self, statement: str) -> Iterator[Row]:
        result = self._session.query(statement)
        names = [name.lower() for name in result.columns]
        for row in result.rows:
            yield dict(zip(names, row, strict=True))

    def _own(self, statement: str) -> Iterator[tuple[str, Mark]]:
        for row in self._shown(statement):
            mark = mark_in(row.get("comment"))
            if mark is not None and is_ours(str(row["name"])):
                yield str(row["name"]), mark

    def _policies(self, kind: str) -> None:
        word = "MASKING" if kind == MASK else "ROW ACCESS"
        inside = f"IN SCHEMA {quote_identifier(POLICIES)}"
        for row in list(self._shown(f"SHOW {word} POLICIES {inside}")):
            name = Name(POLICIES, str(row["name"]))
            (described,) = self._shown(f"DESCRIBE {word} POLICY {name}")
            signature, returns = str(described["signature"]), str(described["return_type"])
            self._add(policy_item(kind, name, signature, returns, str(described["body"])))

    def _views(self, schema: str) -> Iterator[SnowflakeItem]:
        for row in list(self._shown(f"SHOW VIEWS IN SCHEMA {quote_identifier(schema)}")):
            name = Name(schema, str(row["name"]))
            mark = mark_in(row["comment"]) or Mark(consumer=consumer_of(schema))
            policies, needs = self._policies_on(name)
            source, select = _select(str(row["text"]))
            if schema != POLICIES:
                needs |= {(SCHEMA, quote_identifier(schema))}
                needs |= {(SOURCE, source)} if source else set()
            kind = SOURCE if schema == POLICIES else VIEW
            item = view_item(kind, name, select, policies, mark, needs)
            secure = str(row["is_secure"]).lower() == "true"
            state = view_state(plain(select), policies, str(row["comment"]), secure=secure)
            yield replace(item, state=state)

    def _policies_on(self, view: Name) -> tuple[dict[str, str], set[Key]]:
        """By the column, or the columns of the rows' policy, what hangs on the view by itself."""
        whole = text(f"{quote_identifier(self._database)}.{view}")
        result = self._session.query(
            "SELECT policy_kind, policy_schema, policy_name, ref_column_name, ref_arg_column_names "
            "FROM TABLE(INFORMATION_SCHEMA.POLICY_REFERENCES("
            f"REF_ENTITY_NAME => {whole}, REF_ENTITY_DOMAIN => 'VIEW')) WHERE tag_name IS NULL"
        )
        policies: dict[str, str] = {}
        needs: set[Key] = set()
        for kind, schema, name, column, arguments in result.rows:
            policy = str(Name(str(schema), str(name)))
            if kind == "ROW_ACCESS_POLICY":
                on = ", ".join(quote_identifier(one) for one in json.loads(arguments))
            else:
                on = quote_identifier(str(column))
            policies[on] = policy
            needs.add((ROWS if kind == "ROW_ACCESS_POLICY" else MASK, policy))
        return policies, needs

    def _grants_on(self, view: SnowflakeItem) -> None:
        mark = Mark(view.product, view.consumer, view.purpose)
        for row in list(self._shown(f"SHOW GRANTS ON VIEW {view.name}")):
            to = self._grantee(str(row["granted_to"]), str(row["grantee_name"]))
            if row["privilege"] != "OWNERSHIP":
                needs = [view.key, *self._needs_of(to, view.name)]
                self._add(grant_item(f"{row['privilege']} ON VIEW {view.name}", to, mark, needs))

    def _grants_to(self, role: str) -> None:
        quoted = quote_identifier(role)
        to, home = f"DATABASE ROLE {quoted}", consumer_of(role)
        database = quote_identifier(self._database)
        for row in list(self._shown(f"SHOW GRANTS TO DATABASE ROLE {database}.{quoted}")):
            what, on, parts = str(row["privilege"]), str(row["granted_on"]), _parts(row["name"])
            if on == "DATABASE":
                continue  # every database role uses its own database
            name = ".".join(
                quote_identifier(part) for part in parts[-2 if on != "SCHEMA" else -1 :]
            )
            if (what, on) == ("USAGE", "SCHEMA") and parts[-1] == role:
                self._add(usage_item(role, role))
                continue
            product = "/".join(parts[-2:]) if on != "SCHEMA" else ""
            given = f"{what} ON {on.replace('_', ' ')} {name}"
            if on == "DATABASE_ROLE":
                given, product = f"DATABASE ROLE {quote_identifier(parts[-1])}", ""
            mark = Mark(product, home)
            self._add(grant_item(given, to, mark, [(ROLE, quoted)]))

    def _grantee(self, kind: str, name: str) -> str:
        """SHOW writes a grantee's name as it is; a database role's may have its database before it."""
        own = name.removeprefix(f"{self._database}.") if kind == "DATABASE_ROLE" else name
        if own.startswith('"') and own.endswith('"'):
            own = own[1:-1].replace('""', '"')
        return f"{kind.replace('_', ' ')} {quote_identifier(own)}"

    def _needs_of(self, to: str, view: str) -> Iterator[Key]:
        role = to.removeprefix("DATABASE ROLE ")
        if role != to and (ROLE, role) in self._items:
            yield ROLE, role
            schema = _parts(view)[0]
            if quote_identifier(schema) == role:
                yield usage_item(schema, schema).key


def _select(statement: str) -> tuple[str, str]:
    """What a view's statement reads, and its query."""
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    try:
        query = sqlglot.parse_one(statement, read="snowflake").find(exp.Select)
    except SqlglotError:
        query = None
    if query is None:
        return "", statement
    table = query.find(exp.Table)
    read = str(Name(table.db, table.name)) if table else ""
    return read, query.sql("snowflake")


def _parts(name: object) -> list[str]:
    """The parts of a name as SHOW writes it: quoted where it has to be."""
    found = [(one[1] or one[2]).replace('""', '"') for one in _PART.finditer(str(name))]
    return found or [str(name)]

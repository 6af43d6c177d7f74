"""Snowflake's roles, policies, views and grants, as far as agreements use them: what fakesnow has not.

Belongs here: which statement means what, taken apart with sqlglot's Snowflake dialect; SHOW, DESCRIBE and
POLICY_REFERENCES. Does not belong here: the state (`snowflake_objects.py`), what a role sees of it
(`snowflake_seeing.py`), assertions, what Snowflake was not documented to do.

Nothing in it is written by hand but the products' own views (`publish`): whatever else it shows was made
by executed statements. A statement that it does not know fails.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlglot
from sqlglot import exp

from shared_resources.stores.cloud_warehouse.session import Result, SnowflakeProblem
from tests.stand_ins.snowflake_objects import Name, Objects, Policy
from tests.stand_ins.snowflake_words import Words

_POLICIES = {"MASKING": "MASKING_POLICY", "ROW ACCESS": "ROW_ACCESS_POLICY"}


class Governance(Objects):
    """A database of an account; a session of the stores' kind. `database` is called as there."""

    database = "MESH"

    def __init__(self) -> None:
        super().__init__()
        self.executed: list[str] = []

    # -- the session ------------------------------------------------------------------------------

    @contextmanager
    def tagged(self, **_: str) -> Iterator[None]:
        yield

    def query(self, statement: str, values: Sequence[Any] = ()) -> Result:
        return self.execute(statement, values)

    def execute(self, statement: str, values: Sequence[Any] = ()) -> Result:
        words = Words(statement)
        for beginning, meaning in self._meanings().items():
            if words.accept(*beginning.split()):
                rows = meaning(words, values) or []
                if not rows or isinstance(rows[0], dict):
                    self.executed += [] if beginning.split()[0] in _READING else [statement]
                    columns = tuple(rows[0]) if rows else ()
                    return Result([tuple(row.values()) for row in rows], columns, len(rows))
                return Result(rows, (), len(rows))
        raise SnowflakeProblem(f"the stand-in does not know: {statement}")

    def _meanings(self) -> dict[str, Callable[[Words, Sequence[Any]], Any]]:
        made: dict[str, Callable[[Words, Sequence[Any]], Any]] = {
            "CREATE SCHEMA": lambda words, _: self._create(self.schemas, words),
            "CREATE DATABASE ROLE": lambda words, _: self._create(self.roles, words),
            "CREATE OR REPLACE SECURE VIEW": lambda words, _: self._create_view(words.text),
            "DROP SCHEMA": lambda words, _: self._drop_schema(words),
            "DROP DATABASE ROLE": lambda words, _: self._drop_role(words),
            "DROP VIEW": lambda words, _: self._drop_view(words),
            "ALTER VIEW": lambda words, _: self._alter_view(words),
            "GRANT": lambda words, _: self.grants.add(self._grant(words, "TO")),
            "REVOKE": lambda words, _: self.grants.discard(self._grant(words, "FROM")),
            "SHOW SCHEMAS IN DATABASE": lambda *_: _named(self.schemas),
            "SHOW DATABASE ROLES IN DATABASE": lambda *_: _named(self.roles),
            "SHOW VIEWS IN SCHEMA": lambda words, _: self._show_views(words.name()),
            "SHOW OBJECTS IN SCHEMA": lambda words, _: self._show_views(words.name()),
            "SHOW GRANTS ON VIEW": lambda words, _: self._show_grants(words, on=True),
            "SHOW GRANTS TO DATABASE ROLE": lambda words, _: self._show_grants(words, on=False),
            "SELECT": lambda words, values: self._select(words.text, values),
        }
        for word, kind in _POLICIES.items():
            made |= {
                f"CREATE {word} POLICY": lambda words, _, kind=kind: self._create_policy(
                    kind, words
                ),
                f"ALTER {word} POLICY": lambda words, _, kind=kind: self._set_body(kind, words),
                f"DROP {word} POLICY": lambda words, _, kind=kind: self._drop_policy(kind, words),
                f"SHOW {word} POLICIES IN SCHEMA": lambda words, _, kind=kind: [
                    {"name": name[1], "kind": kind}
                    for of, name in sorted(self.policies)
                    if of == kind and name[0] == words.once()
                ],
                f"DESCRIBE {word} POLICY": lambda words, _, kind=kind: [
                    self._described(self.policy(kind, words.pair()), words.pair_read)
                ],
            }
        return made

    # -- what is shown ----------------------------------------------------------------------------

    def _described(self, policy: Policy, name: Name) -> dict[str, str]:
        return {
            "name": name[1],
            "signature": policy.signature,
            "return_type": policy.returns,
            "body": policy.body,
        }

    def _show_views(self, schema: str) -> list[dict[str, str]]:
        self._schema(schema)
        return [
            {
                "name": at[1],
                "text": view.text,
                "comment": view.comment,
                "is_secure": str(view.secure).lower(),
            }
            for at, view in sorted(self.views.items())
            if at[0] == schema
        ]

    def _show_grants(self, words: Words, *, on: bool) -> list[dict[str, str]]:
        name = words.pair()
        if on:
            self.view(name)
        found = [
            one
            for one in sorted(self.grants)
            if (one[1:3] == ("VIEW", name) if on else one[3:] == ("DATABASE_ROLE", name[1]))
        ]
        return [
            {
                "privilege": privilege,
                "granted_on": kind,
                "name": ".".join([self.database, *(f'"{part}"' for part in at if part)]),
                "granted_to": to,
                "grantee_name": grantee,
            }
            for privilege, kind, at, to, grantee in found
        ]

    def _select(self, text: str, values: Sequence[Any]) -> list[Any]:
        parsed = sqlglot.parse_one(text, read="snowflake")
        if "POLICY_REFERENCES" not in text:
            return [
                (*at, column)
                for at, view in self.views.items()
                if at[0] in values
                for column in view.columns
            ]
        view = self.view(_pair_in(next(parsed.find_all(exp.Literal)).name))
        rows = [("MASKING_POLICY", *name, column, None) for column, name in view.masks.items()]
        if view.rows:
            rows.append(("ROW_ACCESS_POLICY", *view.rows[0], None, json.dumps(view.rows[1])))  # type: ignore[arg-type]
        return rows


_READING = frozenset({"SHOW", "DESCRIBE", "SELECT"})


def _named(kept: dict[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "comment": comment} for name, comment in sorted(kept.items())]


def _pair_in(text: str) -> Name:
    """The last two of a name's three parts."""
    _, first, second = re.findall(r'"((?:[^"]|"")*)"', text)
    return first, second

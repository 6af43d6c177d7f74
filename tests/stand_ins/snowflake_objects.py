"""Snowflake's schemas, roles, policies, views and grants: kept as statements make and change them.

Belongs here: the state, and what is refused as Snowflake refuses it.
Does not belong here: which statement means what, SHOW (`snowflake_governance.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa
import sqlglot
from sqlglot import exp
from sqlglot.tokens import TokenType

from shared_resources.stores.cloud_warehouse.session import Missing, SnowflakeProblem
from tests.stand_ins.snowflake_words import Words

Name = tuple[str, str]


@dataclass
class Policy:
    signature: str
    types: list[exp.DataType]
    arguments: list[str]
    returns: str
    body: str


@dataclass
class View:
    text: str
    columns: list[str]
    query: exp.Query | None
    secure: bool = False
    comment: str = ""
    masks: dict[str, Name] = field(default_factory=dict)
    rows: tuple[Name, list[str]] | None = None
    tags: dict[str, str] = field(default_factory=dict)


class Objects:
    """What a database has of it. Names are as they are quoted."""

    def __init__(self) -> None:
        self.schemas: dict[str, str] = {}
        self.roles: dict[str, str] = {}
        self.policies: dict[tuple[str, Name], Policy] = {}
        self.views: dict[Name, View] = {}
        self.grants: set[tuple[str, str, Name, str, str]] = (
            set()
        )  # privilege, on, name, to, grantee
        self.tables: dict[Name, pa.Table] = {}

    def publish(self, product: str, rows: pa.Table) -> None:
        """A product's own view, as the store makes it, over these rows."""
        schema, _, name = product.partition("/")
        self.schemas.setdefault(schema, "")
        self.views[schema, name] = View("", list(rows.column_names), None)
        self.tables[schema, name] = rows

    def _create(self, kept: dict[str, str], words: Words) -> None:
        quiet = words.accept("IF", "NOT", "EXISTS")
        name = words.name()
        if name in kept and not quiet:
            raise SnowflakeProblem(f"{name} exists")
        kept.setdefault(name, words.comment())

    def _create_policy(self, kind: str, words: Words) -> None:
        quiet = words.accept("IF", "NOT", "EXISTS")
        name = words.pair()
        self._schema(name[0])
        words.expect("AS")
        signature = words.parenthesised()
        words.expect("RETURNS")
        returns = words.until(TokenType.ARROW)
        body = words.until_comment()
        if (kind, name) in self.policies:
            assert quiet, f"{name} exists"
            return
        table = sqlglot.parse_one(f"CREATE TABLE t {signature}", read="snowflake")
        columns = list(table.find_all(exp.ColumnDef))
        types = [one.args["kind"] for one in columns]
        policy = Policy(signature, types, [one.name for one in columns], returns, body)
        _check_body(policy)
        self.policies[kind, name] = policy

    def _set_body(self, kind: str, words: Words) -> None:
        policy = self.policy(kind, words.pair())
        words.expect("SET", "BODY")
        words.expect("->")
        policy.body = words.rest()
        _check_body(policy)

    def _drop_policy(self, kind: str, words: Words) -> None:
        quiet = words.accept("IF", "EXISTS")
        name = words.pair()
        users = [at for at, view in self.views.items() if name in _policies_of(view, kind)]
        if users:
            raise SnowflakeProblem(
                f"Policy {name} cannot be dropped: it is associated with {users}"
            )
        if self.policies.pop((kind, name), None) is None and not quiet:
            raise Missing(f"Snowflake said: {name} does not exist")

    def _create_view(self, text: str) -> None:
        made = sqlglot.parse_one(text, read="snowflake")
        assert isinstance(made, exp.Create)
        assert isinstance(made.expression, exp.Query)
        table = made.this.this
        name = (table.db, table.name)
        self._schema(name[0])
        for read in made.expression.find_all(exp.Table):
            self.view((read.db, read.name))
        columns = made.this.expressions
        assert len(columns) == len(made.expression.selects)
        view = View(text, [one.name for one in columns], made.expression)
        for column in columns:
            for constraint in column.args.get("constraints") or []:
                kind = constraint.args["kind"]
                if isinstance(kind, exp.MaskingPolicyColumnConstraint):
                    view.masks[column.name] = _dotted(kind.this)
                elif isinstance(kind, exp.Tags):
                    view.tags[column.name] = kind.expressions[0].args["value"].name
        copied = False
        for said in made.args["properties"].expressions:
            view.secure |= isinstance(said, exp.SecureProperty)
            copied |= isinstance(said, exp.CopyGrantsProperty)
            if isinstance(said, exp.SchemaCommentProperty):
                view.comment = said.name
            if isinstance(said, exp.RowAccessProperty):
                view.rows = (_dotted(said.this), [one.name for one in said.expressions])
        self._check_policies(view)
        self.views[name] = view
        if not copied:
            self.grants = {one for one in self.grants if one[1:3] != ("VIEW", name)}

    def _check_policies(self, view: View) -> None:
        for column, name in view.masks.items():
            policy = self.policy("MASKING_POLICY", name)
            assert _type(policy.returns) == policy.types[0] == self._type_of(view, column), (
                name,
                column,
            )
        if view.rows:
            name, columns = view.rows
            policy = self.policy("ROW_ACCESS_POLICY", name)
            assert policy.types == [self._type_of(view, column) for column in columns], name
            assert not set(columns) & set(view.masks), "a column is in one policy, not in two"

    def _type_of(self, view: View, column: str) -> exp.DataType:
        """Of a cast column; of one that is read from another view as it is, what that says."""
        assert view.query is not None
        select = next(one for one in view.query.selects if one.alias_or_name == column)
        cast = select.unalias()
        if isinstance(cast, exp.Cast):
            assert isinstance(cast.to, exp.DataType)
            return cast.to
        (read,) = view.query.find_all(exp.Table)
        return self._type_of(self.view((read.db, read.name)), select.name)

    def _alter_view(self, words: Words) -> None:
        """What somebody may do by hand: take a policy off."""
        view = self.view(words.pair())
        if words.accept("DROP", "ALL", "ROW", "ACCESS", "POLICIES"):
            view.rows = None
        else:
            words.expect("MODIFY", "COLUMN")
            column = words.name()
            words.expect("UNSET", "MASKING", "POLICY")
            del view.masks[column]

    def _drop_view(self, words: Words) -> None:
        quiet = words.accept("IF", "EXISTS")
        name = words.pair()
        if self.views.pop(name, None) is None and not quiet:
            raise Missing(f"Snowflake said: {name} does not exist")
        self.grants = {one for one in self.grants if one[1:3] != ("VIEW", name)}

    def _drop_schema(self, words: Words) -> None:
        words.accept("IF", "EXISTS")
        name = words.name()
        self.schemas.pop(name, None)
        self.views = {at: view for at, view in self.views.items() if at[0] != name}
        self.policies = {at: one for at, one in self.policies.items() if at[1][0] != name}
        self.grants = {one for one in self.grants if name not in one[2]}

    def _drop_role(self, words: Words) -> None:
        words.accept("IF", "EXISTS")
        name = words.name()
        self.roles.pop(name, None)
        self.grants = {one for one in self.grants if one[3:] != ("DATABASE_ROLE", name)}

    def _grant(self, words: Words, before: str) -> tuple[str, str, Name, str, str]:
        privilege = words.word()
        words.expect("ON")
        on = words.word()
        name = words.pair() if on == "VIEW" else ("", words.name())
        if on == "VIEW":
            self.view(name)
        else:
            self._schema(name[1])
        words.expect(before)
        to = "DATABASE_ROLE" if words.accept("DATABASE", "ROLE") else words.word()
        grantee = words.name()
        if to == "DATABASE_ROLE" and grantee not in self.roles:
            raise Missing(f"Snowflake said: database role {grantee} does not exist")
        return privilege, on, name, to, grantee

    def _schema(self, name: str) -> None:
        if name not in self.schemas:
            raise Missing(f"Snowflake said: schema {name} does not exist")

    def view(self, name: Name) -> View:
        if name not in self.views:
            raise Missing(f"Snowflake said: {name} does not exist")
        return self.views[name]

    def policy(self, kind: str, name: Name) -> Policy:
        if (kind, name) not in self.policies:
            raise Missing(f"Snowflake said: policy {name} does not exist")
        return self.policies[kind, name]


def _check_body(policy: Policy) -> None:
    body = sqlglot.parse_one(policy.body, read="snowflake")
    assert not isinstance(body, exp.Command), policy.body
    assert {one.name for one in body.find_all(exp.Column)} <= set(policy.arguments), policy.body


def _policies_of(view: View, kind: str) -> list[Name]:
    if kind == "MASKING_POLICY":
        return list(view.masks.values())
    return [view.rows[0]] if view.rows else []


def _dotted(name: exp.Expr) -> Name:
    return name.this.name, name.expression.name


def _type(text: str) -> exp.DataType:
    return exp.DataType.build(text, dialect="snowflake")

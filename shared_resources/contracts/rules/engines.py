"""A rule as a query for other engines than the audit's: how many rows of a table break it.

Belongs here: the query around a kind's condition, and what sqlglot's translation from DuckDB's SQL
would not mean the same: regular expressions, NaN and infinities, 32-bit floats, Flink's quotes.
Does not belong here: the conditions (each kind says its own; one that needs other words on an engine
says them in `violation_on`), running a query.

Sessions are taken to be in UTC. sqlglot has no dialect for Flink: it is given what all engines share,
in Flink's quotes and with Flink's functions.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from shared_resources.contracts.model import Contract, Rule
from shared_resources.contracts.rules.kind import KeyKind, OwnKind, ReferenceKind, RowKind
from shared_resources.contracts.rules.registry import kind_of
from shared_resources.contracts.rules.view import BATCH, PARTITION, compared, key_expressions
from shared_resources.contracts.types import Family
from shared_resources.problems import MeshProblem
from shared_resources.sql import quote_identifier

if TYPE_CHECKING:
    from sqlglot import exp

REFERENCE = "_mesh_reference"


class Engine(StrEnum):
    DUCKDB = "duckdb"
    SNOWFLAKE = "snowflake"
    SPARK = "spark"
    FLINK = "flink"


class NotExpressed(MeshProblem):
    """A rule has no query: no row decides it, or the engine has no words for it."""


def query_for(
    rule: Rule,
    contract: Contract,
    engine: Engine,
    table: Sequence[str],
    reference: Sequence[str] = (),
) -> str:
    """A query in the engine's SQL that answers one number: the rows of `table` that break the rule.

    For a rule of the domain's own as SQL, the number of its query. `table` and `reference` (what a
    relationship looks into) are names in parts, e.g. ("lake", "order", "transactions").

    Raises `NotExpressed` for a rule that has no such query.
    """
    query = _query(rule, contract, engine)
    if engine is Engine.DUCKDB:
        views = [f"{BATCH} AS ({_cleaned(contract, engine, _name(table))})"]
        if reference:
            views.append(f"{quote_identifier(REFERENCE)} AS (SELECT * FROM {_name(reference)})")
        return f"WITH {', '.join(views)} {query}"
    return _translated(query, contract, engine, table, reference)


def condition_for(rule: Rule, contract: Contract, engine: Engine) -> str:
    """The condition in the engine's SQL under which a row breaks the rule; NULL counts as kept. NaN
    must be null in a column of floats, as every rule wants it.

    Raises `NotExpressed` for a rule that no single row decides, or that the engine has no words for.
    """
    from sqlglot import exp

    kind = kind_of(rule)
    condition = kind.violation_on(rule, contract, engine) if isinstance(kind, RowKind) else None
    if condition is None:
        raise NotExpressed(f"rule {rule.name} ({kind.name}) is no condition in {engine}'s SQL")
    tree = _rewritten(f"SELECT 1 FROM {BATCH} WHERE {condition}", contract, engine)
    where = tree.find(exp.Where)
    assert where is not None
    return str(where.this.sql(dialect=_dialect(engine)))


def _query(rule: Rule, contract: Contract, engine: Engine) -> str:
    """In DuckDB's SQL, over the views `batch` and `REFERENCE`."""
    kind = kind_of(rule)
    if isinstance(kind, RowKind):
        condition = kind.violation_on(rule, contract, engine)
        if condition is None:
            raise NotExpressed(f"rule {rule.name} ({kind.name}) cannot be said in {engine}'s SQL")
        return f"SELECT count(*) AS failed FROM {BATCH} WHERE {condition}"
    if isinstance(kind, ReferenceKind):
        orphaned = kind.orphaned(rule, REFERENCE, BATCH)
        return f"SELECT count(*) AS failed FROM {BATCH} WHERE {orphaned}"
    if isinstance(kind, KeyKind):
        return (
            "SELECT coalesce(sum(sharing), 0) AS failed FROM (SELECT count(*) AS sharing "
            f"FROM {BATCH} WHERE {compared(rule)} GROUP BY "
            f"{', '.join(key_expressions(rule, contract))} HAVING count(*) > 1) AS repeated"
        )
    if isinstance(kind, OwnKind) and not kind.python:
        return str(rule.arguments[kind.of])
    raise NotExpressed(f"rule {rule.name} ({kind.name}) is decided by no query")


def _name(parts: Sequence[str]) -> str:
    return ".".join(map(quote_identifier, parts))


def _cleaned(contract: Contract, engine: Engine, source: str) -> str:
    """The table as the rules want it, as the audit's view is: NaN is null, no file is a partition."""
    listed = []
    for column in contract.columns:
        name = quote_identifier(column.name)
        if column.type.family is Family.FLOAT:
            listed.append(f"{_WITHOUT_NAN[engine].format(name)} AS {name}")
        else:
            listed.append(name)
    return f"SELECT {', '.join(listed)}, '' AS {PARTITION} FROM {source}"


# NaN equals itself on these engines but Flink, where it is neither above nor below anything.
_EQUALS_ITSELF = "NULLIF({0}, CAST('NaN' AS DOUBLE))"
_WITHOUT_NAN = {
    # As the audit's own view, where `x = 'NaN'` is answered wrongly from Parquet's statistics.
    Engine.DUCKDB: "CASE WHEN isfinite({0}) OR isinf({0}) THEN {0} END",
    Engine.SNOWFLAKE: _EQUALS_ITSELF,
    Engine.SPARK: _EQUALS_ITSELF,
    Engine.FLINK: "CASE WHEN {0} > 0 OR {0} <= 0 THEN {0} END",
}
_INFINITY = {Engine.SNOWFLAKE: "inf", Engine.SPARK: "Infinity", Engine.FLINK: "Infinity"}


def _translated(
    query: str,
    contract: Contract,
    engine: Engine,
    table: Sequence[str],
    reference: Sequence[str],
) -> str:
    views = [f"{BATCH} AS ({_cleaned(contract, engine, _name(table))})"]
    if reference:
        views.append(f"{quote_identifier(REFERENCE)} AS (SELECT * FROM {_name(reference)})")
    tree = _rewritten(f"WITH {', '.join(views)} {query}", contract, engine)
    return tree.sql(dialect=_dialect(engine))


def _dialect(engine: Engine) -> str:
    return "" if engine is Engine.FLINK else engine.value


def _rewritten(query: str, contract: Contract, engine: Engine) -> exp.Expr:
    """The query, in DuckDB's SQL, with what the engine says otherwise."""
    import sqlglot

    try:
        tree = sqlglot.parse_one(query, read="duckdb")
        _spell_columns(tree, contract)
        rewritten = _rewriter(engine)
        for node in reversed(list(tree.walk())):  # what is within a node before the node
            said = rewritten(node)
            if said is not node:
                node.replace(said)
        return tree
    except sqlglot.errors.SqlglotError as problem:
        raise NotExpressed(f"{query!r:.200} cannot be translated for {engine}: {problem}") from None


def _spell_columns(tree: exp.Expr, contract: Contract) -> None:
    """Quote the columns, as the contract spells them: a domain's own query may rely on DuckDB, which
    knows no upper and lower case in names."""
    from sqlglot import exp

    names = {column.name.lower(): column.name for column in contract.columns}
    for node in tree.find_all(exp.Identifier):
        if node.name.lower() in names:
            node.set("this", names[node.name.lower()])
            node.set("quoted", True)


def _rewriter(engine: Engine) -> Callable[[exp.Expr], exp.Expr]:
    from sqlglot import exp

    def rewritten(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.RegexpLike):
            pattern = exp.Literal.string(_pattern(node.expression.name, engine))
            if engine is Engine.SNOWFLAKE:
                # Its REGEXP_LIKE must match the whole text; a position is found anywhere.
                found = exp.Anonymous(this="REGEXP_INSTR", expressions=[node.this, pattern])
                return exp.Paren(this=exp.GT(this=found, expression=exp.Literal.number(0)))
            if engine is Engine.FLINK:
                return exp.Anonymous(this="REGEXP", expressions=[node.this, pattern])
            return exp.RegexpLike(this=node.this, expression=pattern)
        if isinstance(node, exp.IsInf):
            double = exp.Cast(
                this=exp.Literal.string(_INFINITY[engine]), to=exp.DataType.build("DOUBLE")
            )
            return exp.Paren(this=exp.EQ(this=exp.Abs(this=node.this), expression=double))
        if isinstance(node, exp.Greatest):
            # Neither side is null here, and engines differ only there.
            return exp.Anonymous(this="GREATEST", expressions=[node.this, *node.expressions])
        if isinstance(node, exp.Cast) and engine is Engine.SNOWFLAKE:
            return _wide(node)
        if engine is Engine.FLINK:
            return _for_flink(node)
        return node

    return rewritten


def _wide(cast: exp.Cast) -> exp.Expr:
    """A 32-bit float for Snowflake, which has only 64 bits: the value that the narrow one has there."""
    from sqlglot import exp

    if cast.to.is_type("float") and isinstance(cast.this, exp.Literal):
        narrow = struct.unpack("<f", struct.pack("<f", float(cast.this.name)))[0]
        return exp.Cast(this=exp.Literal.string(repr(narrow)), to=exp.DataType.build("DOUBLE"))
    return cast


_MOMENT = "TIMESTAMP_LTZ(6)"


def _for_flink(node: exp.Expr) -> exp.Expr:
    from sqlglot import exp

    if isinstance(node, exp.Cast) and node.to.args.get("kind") == _MOMENT:
        # It reads no zone in a text: the session is in UTC.
        if isinstance(node.this, exp.Literal):
            moment = datetime.fromisoformat(node.this.name).astimezone(UTC)
            text = moment.replace(tzinfo=None).isoformat(" ")
            return exp.Cast(this=exp.Literal.string(text), to=node.to)
        return node
    if isinstance(node, exp.Identifier):
        return exp.Identifier(this=f"`{node.name.replace('`', '``')}`", quoted=False)
    if isinstance(node, exp.DataType):
        if node.is_type("text"):
            return exp.DataType.build("STRING", udt=True)
        if node.is_type("timestamptz"):
            return exp.DataType(this=exp.DataType.Type.USERDEFINED, kind=_MOMENT)
        if node.is_type("timestamp", "timestampntz"):
            return exp.DataType.build("TIMESTAMP(6)", udt=True)
    if isinstance(node, exp.Length):
        return exp.Anonymous(this="CHAR_LENGTH", expressions=[node.this])
    return node


_TOKEN = re.compile(r"\\x[0-9a-fA-F]{2}|\\.|\(\?:|.", re.DOTALL)
# What stands in a pattern of the common subset, as DuckDB's RE2 has it, and means something else.
# Java: `$` also matches before a last line break, `.` knows more line breaks, `\v` is a class.
_OF_JAVA: Mapping[str, str] = {"$": r"\z", ".": r"[^\n]"}
# Snowflake: POSIX groups, each of which captures; nothing is captured here.
_OF_SNOWFLAKE: Mapping[str, str] = {"(?:": "("}
_OUTSIDE_CLASSES = {
    Engine.SPARK: _OF_JAVA,
    Engine.FLINK: _OF_JAVA,
    Engine.SNOWFLAKE: _OF_SNOWFLAKE,
}


def _pattern(pattern: str, engine: Engine) -> str:
    """A search pattern of RE2 as the engine's own."""
    out, in_class = [], False
    for token in _TOKEN.findall(pattern):
        said = token
        if token in "[]":
            in_class = token == "["
        elif token == r"\v":
            said = "\v" if engine is Engine.SNOWFLAKE else r"\x0B"
        elif not in_class:
            said = _OUTSIDE_CLASSES[engine].get(token, token)
        out.append(said)
    return "".join(out)

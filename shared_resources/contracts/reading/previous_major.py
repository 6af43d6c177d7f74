"""`previousMajor`: the product is an earlier major version of another, until its sunset.

Belongs here: reading and checking the property, the SELECT that derives the product among it.
Does not belong here: who reads the product still (`mesh/majors.py`), running the SELECT
(`data_products/derived.py`).
"""

from __future__ import annotations

from typing import Any

from shared_resources.contracts.model import PreviousMajor
from shared_resources.contracts.node import Node
from shared_resources.contracts.promise import major
from shared_resources.contracts.reading.constants import NotOfType, constant
from shared_resources.contracts.types import ColumnType, Family

PREVIOUS_FIELDS = ("of", "sunset", "derivedBy")
_ONE_SELECT = "write one SELECT from the current product, by its name, and from nothing else"


def read_previous_major(root: Node, node: Node | None) -> PreviousMajor | None:
    """A finding for each thing that is wrong with it; None then, and where there is none."""
    if node is None:
        return None
    before = len(node.findings)
    if not isinstance(node.value, dict):
        node.problem("must be a mapping of fields", "give it of and sunset")
        return None
    node.unknown_fields(PREVIOUS_FIELDS)
    for name in ("of", "sunset"):
        if node.get(name) is None:
            node.problem(f"lacks the field {name!r}", f"add `{name}:`")
    of, sunset = node.text("of"), node.get("sunset")
    named = f"{of}_v{major(root.text('version'))}"
    if of and root.text("name") != named:
        node.problem(
            f"is of version {root.text('version')} of {of!r}, but the product is called "
            f"{root.text('name')!r}",
            f"call it {named!r}, by which `{of}@{major(root.text('version'))}` finds it",
        )
    day = None
    if sunset is not None:
        try:
            day = constant(sunset.value, ColumnType(Family.DATE))
        except NotOfType as error:
            sunset.problem(error.message, error.remedy)
    sql, reads = node.text("derivedBy").strip(), None
    if (field := node.get("derivedBy")) is not None and of:
        if not isinstance(field.value, str):
            field.problem("must be text", _ONE_SELECT)
        else:
            reads = _columns(field, sql, of)
    if len(node.findings) > before or day is None:
        return None
    return PreviousMajor(of, day, sql, reads, node.line)


def _columns(field: Node, sql: str, of: str) -> tuple[str, ...] | None:
    """The columns that the SELECT reads of `of`; None for all of them."""
    from sqlglot import exp, parse
    from sqlglot.errors import SqlglotError

    try:
        statements: list[Any] = [one for one in parse(sql, dialect="duckdb") if one is not None]
    except SqlglotError as problem:
        field.problem(f"is no SQL: {str(problem).splitlines()[0]}", _ONE_SELECT)
        return None
    if len(statements) != 1 or not isinstance(statements[0], exp.Select):
        field.problem("is not one SELECT", _ONE_SELECT)
        return None
    [select] = statements
    named = {cte.alias for cte in select.find_all(exp.CTE)}
    read = [table for table in select.find_all(exp.Table) if table.sql() not in named]
    if {table.name for table in read} != {of} or any(table.db for table in read):
        field.problem(f"reads something else than {of!r}, or not that", _ONE_SELECT)
        return None
    if any(not isinstance(star.parent, exp.Count) for star in select.find_all(exp.Star)):
        return None
    return tuple(dict.fromkeys(column.name for column in select.find_all(exp.Column)))

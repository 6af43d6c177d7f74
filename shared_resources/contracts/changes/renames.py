"""Columns that are called otherwise: the same columns, read under two names for a while or not.

Belongs here: what a new name does to readers, and the earlier contract in the names of the later one, so
that every other change is seen for itself.
Does not belong here: whether a column was renamed (`contracts/promise.py`), what stores make of it.

A rename breaks whoever reads the column, unless the old name stays served until a day that is still to
come. That day is a promise: who ends it sooner breaks it, and when it is over nobody was promised more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime

from shared_resources.contracts.changes.change import Change, breaking, compatible, either
from shared_resources.contracts.model import Column, Contract, Rule
from shared_resources.contracts.promise import renamed
from shared_resources.contracts.roles.model import (
    Any_,
    Condition,
    Every,
    Not,
    Role,
)


def rename_changes(was: Contract, now: Contract) -> Iterator[Change]:
    """What becomes of names: of those that were columns', and of those that were served beside them."""
    before = {column.name: column for column in was.columns}
    today = datetime.now(UTC).date()
    moved = renamed(now, before)
    for column in now.columns:
        clause = f"schema.{now.name}.properties.{column.name}.customProperties.renamedFrom"
        earlier = before.get(moved.get(column.name, column.name))
        if old := moved.get(column.name):
            yield _renamed(clause, column, old, today)
        if earlier is not None:
            yield from _served(clause, earlier, column, today)


def _renamed(clause: str, column: Column, old: str, today: date) -> Change:
    until = next(one.until for one in column.former if one.name == old)
    said = f"column {old} is called {column.name}"
    if until is None:
        said += ", and is not served under its old name"
        return breaking(clause, said, old, line=column.line)
    if until < today:
        said += f", and was to be served under its old name until {until}, which is over"
        return breaking(clause, said, old, line=column.line)
    return compatible(
        clause, f"{said}, and is served under its old name until {until}", old, line=column.line
    )


def _served(clause: str, was: Column, now: Column, today: date) -> Iterator[Change]:
    later = {one.name: one.until for one in now.former}
    for one in was.former:
        until = later.get(one.name)
        if one.until is None or until == one.until:
            continue
        sooner = until is None or until < one.until
        ends = (
            f"not served as {one.name} any more" if until is None else f"as {one.name} to {until}"
        )
        said = f"{now.name} is {ends}; it was promised until {one.until}"
        yield either(sooner and one.until >= today, clause, said, one.name, line=now.line)
    known = {one.name for one in was.former if one.until is not None} | {was.name}
    for one in now.former:
        if one.until is not None and one.name not in known:
            said = f"{now.name} is served as {one.name}, too, until {one.until}"
            yield compatible(clause, said, one.name, line=now.line)


def in_names_of(was: Contract, now: Contract) -> Contract:
    """The earlier contract with its columns called as in the later one."""
    names = {old: new for new, old in renamed(now, {c.name for c in was.columns}).items()}
    if not names:
        return was
    days = was.partitioning
    return replace(
        was,
        columns=tuple(_column(column, names) for column in was.columns),
        rules=tuple(_rule(rule, names) for rule in was.rules),
        roles=tuple(_role(role, names) for role in was.roles),
        partitioning=days and replace(days, column=names.get(days.column, days.column)),
    )


def _column(column: Column, names: Mapping[str, str]) -> Column:
    size = column.anonymisation
    return replace(
        column,
        name=names.get(column.name, column.name),
        # Who lands files is told nothing by the rename: they call it as they did.
        landed_as=column.landed_as or (column.name if column.name in names else ""),
        anonymisation=size
        and replace(size, group_size=names.get(size.group_size, size.group_size)),
    )


def _rule(rule: Rule, names: Mapping[str, str]) -> Rule:
    arguments = dict(rule.arguments)
    if isinstance(query := arguments.get("query"), str):
        arguments["query"] = _query(query, names)
    columns = tuple(names.get(name, name) for name in rule.columns)
    return replace(rule, columns=columns, arguments=arguments)


def _query(query: str, names: Mapping[str, str]) -> str:
    """The query with its words for columns exchanged; itself where it cannot be read."""
    import sqlglot  # here: few contracts rename what a query reads, and importing it takes a moment
    from sqlglot import exp

    lowered = {old.lower(): new for old, new in names.items()}
    try:
        read = sqlglot.parse_one(query, dialect="duckdb")
    except (sqlglot.errors.SqlglotError, RecursionError):
        return query
    found = [one for one in read.find_all(exp.Column) if one.name.lower() in lowered]
    for column in found:
        new = exp.to_identifier(lowered[column.name.lower()], quoted=column.this.quoted)
        column.set("this", new)
    return read.sql(dialect="duckdb") if found else query


def _role(role: Role, names: Mapping[str, str]) -> Role:
    columns = role.columns and tuple(names.get(name, name) for name in role.columns)
    rows = role.rows and replace(
        role.rows,
        condition=_condition(role.rows.condition, names),
        types={names.get(name, name): type_ for name, type_ in role.rows.types.items()},
    )
    masks = {names.get(name, name): mask for name, mask in role.masks.items()}
    return replace(role, columns=columns, masks=masks, rows=rows)


def _condition(condition: Condition, names: Mapping[str, str]) -> Condition:
    match condition:
        case Not():
            return Not(_condition(condition.condition, names))
        case Every():
            return Every(tuple(_condition(one, names) for one in condition.conditions))
        case Any_():
            return Any_(tuple(_condition(one, names) for one in condition.conditions))
        case _:
            return replace(condition, column=names.get(condition.column, condition.column))

"""`roles` of a contract: names, columns, masks and rows of each.

Belongs here: reading and checking them against the contract's columns.
Does not belong here: who has a role (`mesh/agreements/`), what a mask does (`contracts/roles/`).

ODCS has names and descriptions for roles; what a role sees are properties of the vendor `mesh`:
`columns` (a list; without it all), `masks` (a mask a column), `rows` (a condition).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal

from shared_resources.contracts.model import Column
from shared_resources.contracts.node import Node, suggest
from shared_resources.contracts.numbers import is_number
from shared_resources.contracts.reading.vendor import vendor_properties
from shared_resources.contracts.roles.conditions import InvalidCondition, parse_condition
from shared_resources.contracts.roles.masks import GENERALISE, KINDS, REPLACE_WITH_NULL
from shared_resources.contracts.roles.model import Mask, Role, RowFilter
from shared_resources.contracts.types import Family

PROPERTIES = ("columns", "masks", "rows")
_NAME = re.compile(r"[a-z][a-z0-9_.-]{0,99}")
READING = ("read", "")
_WIDEST = (
    36  # digits of a decimal that is rounded: the step before it needs two more, and 38 is all
)


def read_roles(root: Node, columns: Mapping[str, Column]) -> tuple[Role, ...]:
    """The roles of a contract, in the order of the file; what is wrong becomes findings."""
    found: dict[str, Role] = {}
    for node in root.each("roles"):
        name = node.text("role")
        if not _NAME.fullmatch(name):
            (node.get("role") or node).problem(
                f"is {name!r}, which cannot name a role",
                "start with a small letter and use small letters, digits, `_`, `.` and `-` only",
            )
            continue
        if name in found:
            node.problem(f"is a second role {name!r}", "keep one of the two")
            continue
        access = node.get("access")
        if access is not None and access.value not in READING:
            access.problem(f"is {access.value!r}", "write read: published data are only read")
        found[name] = _role(node, name, columns)
    return tuple(found.values())


def _role(node: Node, name: str, columns: Mapping[str, Column]) -> Role:
    given = vendor_properties(node, PROPERTIES)
    seen = _columns(given.get("columns"), columns)
    shown = tuple(columns) if seen is None else seen
    return Role(
        name,
        node.text("description").strip(),
        seen,
        dict(_masks(given.get("masks"), columns, shown)),
        _rows(given.get("rows"), columns),
        node.line,
    )


def _columns(field: Node | None, columns: Mapping[str, Column]) -> tuple[str, ...] | None:
    if field is None:
        return None
    names: list[str] = []
    if not isinstance(field.value, list) or not field.value:
        field.problem("is no list of columns", "write `[column, …]`, or remove it to show them all")
    for item in field.items():
        if not item.is_one_of(columns):
            item.problem(
                f"is {item.value!r}, which is no column", suggest(str(item.value), columns)
            )
        elif item.value in names:
            item.problem(f"names {item.value!r} a second time", "keep one of the two")
        else:
            names.append(item.value)
    return tuple(names)


def _masks(
    field: Node | None, columns: Mapping[str, Column], shown: tuple[str, ...]
) -> Iterator[tuple[str, Mask]]:
    if field is None:
        return
    if not isinstance(field.value, dict) or not field.value:
        field.problem("masks nothing", "write `{column: mask}`, or remove it")
    for name, node in field.fields():
        if name not in columns:
            node.problem(f"masks {name!r}, which is no column", suggest(str(name), columns))
        elif name not in shown:
            node.problem(f"masks {name!r}, which the role does not see", "remove one of the two")
        elif (mask := _mask(node, columns[name])) is not None:
            yield name, mask


def _mask(node: Node, column: Column) -> Mask | None:
    step: Decimal | None = None
    kind = node.value
    if isinstance(kind, dict):
        if list(kind) != [GENERALISE]:
            node.problem("is no mask", f"write `{{{GENERALISE}: 10}}`, or a mask's name")
            return None
        step, kind = _step(node, column), GENERALISE
        if step is None:
            return None
    if not isinstance(kind, str) or kind not in KINDS:
        node.problem(f"is {kind!r}, which is no mask", suggest(str(kind), KINDS))
        return None
    if column.type.family not in KINDS[kind].families:
        fitting = [one.name for one in KINDS.values() if column.type.family in one.families]
        node.problem(
            f"is {kind}, which does not mask a {column.type.family}",
            f"use one of {', '.join(fitting)}",
        )
        return None
    if kind == GENERALISE and step is None:
        node.problem("lacks the step", f"write `{{{GENERALISE}: 10}}`")
        return None
    if kind == REPLACE_WITH_NULL and (column.required or column.primary_key_position is not None):
        node.problem(
            f"makes nulls of {column.name!r}, which promises none",
            "use another mask, or leave the column out of the role",
        )
        return None
    return Mask(kind, step)


def _step(node: Node, column: Column) -> Decimal | None:
    value = node.value[GENERALISE]
    step = Decimal(str(value)) if is_number(value) else None
    if step is None or not step.is_finite() or step <= 0:
        node.problem(f"rounds to {value!r}", "write a number above 0")
        return None
    if column.type.family is Family.DECIMAL and column.type.precision > _WIDEST:
        node.problem(
            f"rounds a {column.type}", f"give it at most {_WIDEST} digits, or use another mask"
        )
        return None
    exponent = step.normalize().as_tuple().exponent
    places = max(0, -exponent) if isinstance(exponent, int) else 0
    most = {Family.INTEGER: 0, Family.DECIMAL: column.type.scale}.get(column.type.family, 15)
    if places > most or step >= Decimal(10) ** min(18, column.type.precision - most):
        node.problem(f"rounds to {value!r}, which no {column.type} is", "write a step of its type")
        return None
    return step


def _rows(field: Node | None, columns: Mapping[str, Column]) -> RowFilter | None:
    if field is None:
        return None
    if not isinstance(field.value, str) or not field.value.strip():
        field.problem("is no condition", "write one, such as `region = 'north'`, or remove it")
        return None
    try:
        return parse_condition(field.value, {name: one.type for name, one in columns.items()})
    except InvalidCondition as problem:
        field.problem(str(problem), problem.remedy)
        return None

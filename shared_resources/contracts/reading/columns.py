"""The properties of the schema object: the product's columns.

Belongs here: names, types, classification and keys of the columns.
Does not belong here: the rules that hold for them (`contracts/rules/`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from shared_resources.contracts.model import Classification, Column
from shared_resources.contracts.node import Node, suggest
from shared_resources.contracts.reading.constants import NotOfType, constant
from shared_resources.contracts.reading.governed.former_names import (
    check_former_names,
    former_names,
)
from shared_resources.contracts.reading.governed.origins import anonymisation, made_from
from shared_resources.contracts.reading.logical_types import declared_type
from shared_resources.contracts.reading.vendor import texts, vendor_properties
from shared_resources.contracts.text_formats import text_format
from shared_resources.contracts.types import ColumnType, Family

# A leading underscore is the platform's own (`_reasons` in quarantine).
IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,254}")
SUBJECT = re.compile(r"[a-z][a-z0-9_]{0,62}")
_KEYS = frozenset({Family.STRING, Family.INTEGER})


COLUMN_PROPERTIES = ("mayBeAbsent", "toConfirm", "anonymisation", "subject", "renamedFrom")


@dataclass(frozen=True)
class DeclaredColumn:
    """A column and the property that declares it. `max_length` is the n of VARCHAR(n).

    A column whose type could not be read has findings and stands here as text, so that what refers
    to it is not reported too; no rule is made of it.
    """

    column: Column
    node: Node
    max_length: int | None = None
    readable: bool = True


def read_columns(table: Node) -> tuple[DeclaredColumn, ...]:
    """All columns that have a name of their own; findings for the others."""
    nodes = list(table.each("properties"))
    if not nodes and table.value is not None:
        table.problem("has no columns", "list them under `properties:`")
    _check_names(nodes)
    columns: dict[str, DeclaredColumn] = {}
    for node in nodes:
        declared = _read_column(node)
        if IDENTIFIER.fullmatch(declared.column.name):
            columns.setdefault(declared.column.name, declared)
    _check_key([node for node in nodes if node.flag("primaryKey")])
    _check_landed_names(columns.values())
    check_former_names((one.column.name, one.column.former, one.node) for one in columns.values())
    return tuple(columns.values())


def _read_column(node: Node) -> DeclaredColumn:
    name = node.text("name")
    declared = declared_type(node)
    classification = _classification(node)
    position = node.get("primaryKeyPosition")
    if position is not None and not node.flag("primaryKey"):
        position.problem("stands without `primaryKey: true`", "add primaryKey: true, or remove it")
    if node.text("semanticType") in ("measure", "dimension"):
        _at(node, "semanticType").problem(
            "describes a semantic model; a product's columns are stored", "remove it"
        )
    key = node.flag("primaryKey")
    required = node.flag("required") or key
    own = vendor_properties(node, COLUMN_PROPERTIES)
    column = Column(
        name=name,
        type=declared.type if declared else ColumnType(Family.STRING),
        description=node.text("description").strip(),
        classification=classification,
        required=required,
        unique=node.flag("unique"),
        primary_key_position=(node.whole("primaryKeyPosition") or 1) if key else None,
        absent_before=_absent_before(own.get("mayBeAbsent"), required),
        business_name=node.text("businessName"),
        tags=node.strings("tags"),
        line=node.line,
        landed_as=_landed_as(node, name),
        to_confirm=texts(own.get("toConfirm")),
        made_from=made_from(node),
        anonymisation=anonymisation(own.get("anonymisation")),
        subject=_subject(own.get("subject"), declared.type.family if declared else None),
        former=former_names(own.get("renamedFrom")),
        text_format=text_format(node.get("logicalTypeOptions"), declared.type.family)
        if declared
        else "",
    )
    if declared is None:
        return DeclaredColumn(column, node, readable=False)
    return DeclaredColumn(column, node, declared.max_length)


def _subject(field: Node | None, family: Family | None) -> str:
    """`subject`: the kind of subject whose key the column is, e.g. `household`."""
    if field is None:
        return ""
    if not isinstance(field.value, str) or not SUBJECT.fullmatch(field.value):
        field.problem(
            "does not name a kind of subject",
            "write a word in small letters, as household or customer: the same in every contract "
            "that has this key",
        )
        return ""
    if family not in (None, *_KEYS):
        field.problem(
            f"stands on a column of the type {family}, by which nobody is found",
            "a subject's key is a text or an integer; remove it here",
        )
        return ""
    return field.value


def _absent_before(field: Node | None, required: bool) -> date | None:
    """`mayBeAbsent`: true, or the day from which on every landed file has the column."""
    if field is None or field.value is False:
        return None
    if required:
        field.problem(
            "lets files lack a column that is required",
            "remove one of the two: where the column is absent, it is null",
        )
        return None
    if field.value is True:
        return date.max
    try:
        day: date = constant(field.value, ColumnType(Family.DATE))
    except NotOfType:
        field.problem(
            f"is {field.value!r}, which is no day",
            "write true, or the first day on which every file has the column, as 2024-03-01",
        )
        return None
    return day


def _classification(node: Node) -> Classification | None:
    field = node.get("classification")
    if field is None or not isinstance(field.value, str):
        return None
    try:
        return Classification(field.value)
    except ValueError:
        message = f"is {field.value!r}, a classification that does not exist"
        field.problem(message, suggest(field.value, Classification))
        return None


def _landed_as(node: Node, name: str) -> str:
    physical = node.text("physicalName")
    return "" if physical == name else physical


def refuse_physical_names(columns: Iterable[DeclaredColumn]) -> None:
    """Findings for what only a product of landed files may say of its columns."""
    for declared in columns:
        if declared.column.landed_as:
            _at(declared.node, "physicalName").problem(
                f"is {declared.column.landed_as!r}, but columns are published under their name",
                f"write {declared.column.name!r}",
            )


def _check_landed_names(columns: Collection[DeclaredColumn]) -> None:
    taken = {declared.column.name: declared.column.name for declared in columns}
    for declared in columns:
        landed, name = declared.column.landed_as, declared.column.name
        if landed and taken.setdefault(landed, name) != name:
            _at(declared.node, "physicalName").problem(
                f"is {landed!r}, which is what landed files call {taken[landed]}",
                "let each column be called otherwise",
            )


def _check_names(nodes: Sequence[Node]) -> None:
    seen: dict[str, str] = {}
    for node in nodes:
        field = node.get("name")
        if field is None or not isinstance(field.value, str):
            continue
        name = field.value
        if not IDENTIFIER.fullmatch(name):
            field.problem(
                f"is {name!r}, which cannot name a column everywhere",
                "start with a letter and use letters, digits and `_` only",
            )
        elif name.lower() in seen:
            other = seen[name.lower()]
            why = "a second time" if other == name else f"beside {other!r}; SQL ignores case"
            field.problem(f"names the column {name!r} {why}", "rename or remove one of the two")
        seen.setdefault(name.lower(), name)


def _check_key(keyed: Sequence[Node]) -> None:
    """The positions of a primary key are 1, 2, 3 ...; a key of one column needs none."""
    if len(keyed) == 1 and keyed[0].get("primaryKeyPosition") is None:
        return
    taken: dict[int, str] = {}
    number = "1 column" if len(keyed) == 1 else f"{len(keyed)} columns"
    for node in keyed:
        field, position = node.get("primaryKeyPosition"), node.whole("primaryKeyPosition")
        if field is None:
            node.problem(
                "is part of a composite primary key and has no place in it",
                f"add primaryKeyPosition (1 to {len(keyed)})",
            )
        elif position in taken:
            field.problem(
                f"is {position}, as that of {taken[position]}",
                f"use each of 1 to {len(keyed)} once",
            )
        elif position is not None and not 1 <= position <= len(keyed):
            field.problem(
                f"is {position}, but the primary key has {number}",
                f"use each of 1 to {len(keyed)} once",
            )
        if position is not None:
            taken.setdefault(position, node.text("name"))


def _at(node: Node, name: str) -> Node:
    return node.get(name) or node

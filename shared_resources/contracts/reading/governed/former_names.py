"""What a column was called before: the mesh's property `renamedFrom`.

Belongs here: reading it, and that no name stands for two columns.
Does not belong here: what a rename does to readers (`contracts/changes/renames.py`) and to what is
published (`stores/`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date

from shared_resources.contracts.node import Node
from shared_resources.contracts.reading.constants import NotOfType, constant
from shared_resources.contracts.types import ColumnType, Family, FormerName

FORMER_FIELDS = ("name", "until")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,254}")


def former_names(field: Node | None) -> tuple[FormerName, ...]:
    """The names of the property, the latest first: each a text, or a mapping of `name` and `until`."""
    if field is None:
        return ()
    nodes = list(field.items()) if isinstance(field.value, list) else [field]
    if not nodes:
        field.problem("names nothing", "name what the column was called, or remove it")
    return tuple(found for node in nodes if (found := _former_name(node)) is not None)


def _former_name(node: Node) -> FormerName | None:
    place, until = node, None
    if isinstance(node.value, dict):
        node.unknown_fields(FORMER_FIELDS)
        place = node.get("name") or node
        if (said := node.get("until")) is not None and (until := _day(said)) is None:
            return None
    if not isinstance(place.value, str) or not _NAME.fullmatch(place.value):
        place.problem("is no name of a column", "write it, or {name: old_name, until: 2028-12-31}")
        return None
    return FormerName(place.value, until)


def _day(node: Node) -> date | None:
    try:
        day: date = constant(node.value, ColumnType(Family.DATE))
    except NotOfType:
        node.problem(
            f"is {node.value!r}, which is no day",
            "write the last day on which readers are given the old name, as 2028-12-31",
        )
        return None
    return day


def check_former_names(columns: Iterable[tuple[str, tuple[FormerName, ...], Node]]) -> None:
    """A finding for each former name that is a column's, or another's former one. SQL ignores case."""
    declared = list(columns)
    taken = {name.lower(): name for name, _, _ in declared}
    for name, old, node in _each(declared):
        other = taken.setdefault(old.lower(), name)
        if other != name or old.lower() == name.lower():
            node.problem(
                f"was called {old!r}, and so is {other!r}"
                if other != name
                else "is called so still",
                "a name stands for one column: call one of the two otherwise, or remove the line",
            )


def _each(
    columns: Iterable[tuple[str, tuple[FormerName, ...], Node]],
) -> Iterator[tuple[str, str, Node]]:
    for name, former, node in columns:
        for one in former:
            yield name, one.name, node

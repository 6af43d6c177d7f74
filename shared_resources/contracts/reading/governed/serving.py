"""Reading the server `serving` of a contract, and what is wrong with it.

Belongs here: its properties of vendor `mesh`, and whether the product has a key to be read by.
Does not belong here: lake and warehouse (`odcs.py`), what is done with it (`serving_ports/`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from shared_resources.contracts.model import Column
from shared_resources.contracts.node import Node, suggest
from shared_resources.contracts.numbers import is_number
from shared_resources.contracts.reading.vendor import vendor_properties
from shared_resources.contracts.serving.model import GRACE, KEPT, SERVING, Serving
from shared_resources.contracts.types import Family

PROPERTIES = ("columns", "graceMinutes", "generations")
# ODCS has no type for it.
TYPES = ("custom",)
MOST_MINUTES, FEWEST_KEPT, MOST_KEPT = 1_440, 2, 100


def read_serving(root: Node, columns: Mapping[str, Column]) -> Serving | None:
    """What the servers called `serving` say; None where there is none. What is wrong becomes findings."""
    nodes = [node for node in root.each("servers") if node.text("server") == SERVING]
    if not nodes:
        return None
    _check_key(nodes[0], columns)
    found = [_one(node, columns) for node in nodes]
    for node, serving in zip(nodes[1:], found[1:], strict=True):
        if serving != found[0]:
            node.problem(
                "says otherwise than the other server of this name", "let both say the same"
            )
    return found[0]


def _one(node: Node, columns: Mapping[str, Column]) -> Serving:
    given = vendor_properties(node, PROPERTIES)
    return Serving(
        _columns(given.get("columns"), columns),
        _grace(given.get("graceMinutes")),
        _kept(given.get("generations")),
    )


def _check_key(node: Node, columns: Mapping[str, Column]) -> None:
    key = [column for column in columns.values() if column.primary_key_position is not None]
    if not key:
        node.problem(
            "serves rows by their primary key, and the product has none",
            "write primaryKey: true at the columns of its key, or remove the server",
        )
    for column in key:
        if column.type.family is Family.FLOAT:
            node.problem(
                f"serves rows by {column.name!r}, a number that is not exact and finds nothing",
                "make the key an integer, a decimal or a text",
            )


def _columns(node: Node | None, known: Mapping[str, Column]) -> tuple[str, ...] | None:
    if node is None:
        return None
    names: Sequence[object] = node.value if isinstance(node.value, list) else ()
    if not names or not all(isinstance(name, str) for name in names):
        node.problem("is no list of columns", "list the columns that are served, or remove it")
        return None
    for item in node.items():
        if not item.is_one_of(known):
            item.problem(
                f"is {item.value!r}, a column that does not exist", suggest(item.value, known)
            )
    return tuple(dict.fromkeys(map(str, names)))


def _grace(node: Node | None) -> timedelta:
    if node is None:
        return GRACE
    if not is_number(node.value) or not 0 <= node.value <= MOST_MINUTES:
        node.problem("is no number of minutes", f"give a number from 0 to {MOST_MINUTES:,}")
        return GRACE
    return timedelta(minutes=float(node.value))


def _kept(node: Node | None) -> int:
    if node is None:
        return KEPT
    if not is_number(node.value) or not FEWEST_KEPT <= node.value <= MOST_KEPT or node.value % 1:
        node.problem(
            "is no number of generations", f"give a whole number from {FEWEST_KEPT} to {MOST_KEPT}"
        )
        return KEPT
    return int(node.value)

"""What a column is made from, and how it was made less personal: a contract's own words.

Belongs here: reading `transformSourceObjects` and the mesh's property `anonymisation`.
Does not belong here: what may be made from what (`governance/policies/`), what was seen of a run
(`lineage/` of `rehearsing/`).
"""

from __future__ import annotations

import re

from shared_resources.contracts.model import Anonymisation, Method
from shared_resources.contracts.node import Node, suggest
from shared_resources.contracts.numbers import is_number

_PRODUCT = re.compile(r"[a-z][a-z0-9_]*/[a-z][a-z0-9_]*")
_COLUMN = re.compile(rf"({_PRODUCT.pattern})\.([A-Za-z][A-Za-z0-9_]*)")
ANONYMISATION_FIELDS = ("method", "minimumGroup", "groupSize")


def made_from(node: Node) -> tuple[tuple[str, str], ...] | None:
    """The (product, column) pairs that `transformSourceObjects` names as `domain/product.column`; None
    where it says nothing. Objects of other systems, which are called otherwise, are left out."""
    field = node.get("transformSourceObjects")
    if field is None:
        return None
    found: list[tuple[str, str]] = []
    for item in field.items():
        if not isinstance(item.value, str):
            continue
        if match := _COLUMN.fullmatch(item.value):
            found.append((match[1], match[2]))
        elif _PRODUCT.fullmatch(item.value):
            item.problem(f"is {item.value!r}, a product", f"name a column: '{item.value}.…'")
    return tuple(dict.fromkeys(found))


def anonymisation(node: Node | None) -> Anonymisation | None:
    """The value of the property; None, with a finding, when it does not say how."""
    if node is None:
        return None
    if not isinstance(node.value, dict):
        node.problem("must be a mapping of fields", "write {method: keyedHash}")
        return None
    node.unknown_fields(ANONYMISATION_FIELDS)
    method = node.get("method")
    if method is None or method.value not in list(Method):
        given = "" if method is None else str(method.value)
        (method or node).problem(
            f"is {given!r}, no method" if method else "lacks the field 'method'",
            suggest(given, Method),
        )
        return None
    if method.value != Method.AGGREGATION:
        for name in ("minimumGroup", "groupSize"):
            if field := node.get(name):
                field.problem(f"means nothing for {method.value}", "remove it")
        return Anonymisation(Method(method.value))
    least, size = node.get("minimumGroup"), node.get("groupSize")
    if least is None or not is_number(least.value) or least.value < 2 or least.value % 1:
        (least or node).problem(
            "says no smallest group", "add minimumGroup: a whole number from 2, such as 10"
        )
        return None
    if size is None or not isinstance(size.value, str):
        (size or node).problem(
            "does not say where the size of each group stands",
            "add groupSize: the column that counts whose data a row sums up",
        )
        return None
    return Anonymisation(Method.AGGREGATION, int(least.value), size.value)

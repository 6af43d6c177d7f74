"""CUSTOM: a function of the domain's. `quality` items of type custom whose engine is python.

Belongs here: what such an item may say, and its limits.
Does not belong here: calling the function (`governance/audit/domain_rules/`).
"""

from __future__ import annotations

import re

from shared_resources.contracts.model import Rule, Threshold
from shared_resources.contracts.node import Node
from shared_resources.contracts.numbers import is_number
from shared_resources.contracts.reading.columns import DeclaredColumn
from shared_resources.contracts.reading.vendor import vendor_properties
from shared_resources.contracts.rules.items import item_rule
from shared_resources.contracts.rules.kind import OwnKind

# The most that a domain may give a function of its own.
LIMITS = {"seconds": 3_600, "memoryMiB": 16_384}
_IMPLEMENTATION = re.compile(r"rules:[A-Za-z_][A-Za-z0-9_]*")


class Custom(OwnKind):
    """`Rule.arguments`: {"implementation": "rules:function"} in the product's folder, with `LIMITS`."""

    name = "custom"
    rank = 57
    engine = "python"
    python = True
    of = "implementation"

    def read_item(self, node: Node, of: DeclaredColumn | None) -> Rule | None:
        field = node.get("implementation")
        if field is None:
            return None
        if not isinstance(field.value, str) or not _IMPLEMENTATION.fullmatch(field.value):
            field.problem(
                "names no function",
                "write 'rules:function', a function in rules.py beside this file",
            )
            return None
        names = (of.column.name,) if of else ()
        arguments = {"implementation": field.value, **_limits(node)}
        return item_rule(node, self.name, names, Threshold(), arguments)

    def keeps(self, was: Rule, now: Rule) -> bool:
        """Of the same function; how long it may take lets nothing through."""
        return bool(was.arguments["implementation"] == now.arguments["implementation"])


def _limits(node: Node) -> dict[str, int]:
    """How long a function may run and how much memory it may take, where the rule says so."""
    found = {}
    for name, field in vendor_properties(node, tuple(LIMITS)).items():
        value, most = field.value, LIMITS[name]
        if not is_number(value) or not 1 <= value <= most or value != int(value):
            field.problem("is no limit of a rule", f"give a whole number from 1 to {most:,}")
        else:
            found[name] = int(value)
    return found


KIND = Custom()

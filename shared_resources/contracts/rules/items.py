"""What every item of `quality` says, whichever its kind: its name, severity and reason.

Belongs here: the parts of a written rule that kinds share.
Does not belong here: what a kind reads of an item (the kinds), which kind an item is
(`contracts/compiling/quality.py`).
"""

from __future__ import annotations

import re
from typing import Any

from shared_resources.contracts.model import HEALTH_CHECK, Rule, Severity, Threshold
from shared_resources.contracts.node import Node, suggest

SEVERITIES = {
    "error": Severity.BLOCKING,
    "blocking": Severity.BLOCKING,
    "warning": Severity.WARNING,
    "info": Severity.WARNING,
}
_NAME = re.compile(r"[A-Za-z0-9_]+")


def item_rule(
    node: Node,
    kind: str,
    names: tuple[str, ...],
    threshold: Threshold | None,
    arguments: dict[str, Any],
) -> Rule | None:
    """The rule of that kind that an item of `quality` is; None after a finding, and without a threshold.

    The name is "" when the item has none.
    """
    name, severity = _name(node), _severity(node)
    if threshold is None or name is None or severity is None:
        return None
    tolerant = threshold != Threshold()
    description = node.text("description").strip()
    return Rule(
        name,
        kind,
        names,
        clause=node.path,
        threshold=threshold,
        severity=severity,
        arguments=arguments,
        description=description,
        dimension=node.text("dimension") or None,
        reason=description if tolerant else "",
        line=node.line,
    )


def _name(node: Node) -> str | None:
    field = node.get("name")
    if field is None or not isinstance(field.value, str):
        return ""
    if not _NAME.fullmatch(field.value):
        field.problem(
            f"is {field.value!r}, which cannot name a check", "use letters, digits and `_` only"
        )
        return None
    if field.value == HEALTH_CHECK:
        field.problem(
            f"is {field.value!r}, the platform's own check of the product's health",
            "choose another name",
        )
        return None
    return field.value


def _severity(node: Node) -> Severity | None:
    field = node.get("severity")
    if field is None or not isinstance(field.value, str):
        return Severity.BLOCKING
    if field.value not in SEVERITIES:
        field.problem(f"is {field.value!r}, which does not exist", suggest(field.value, SEVERITIES))
        return None
    return SEVERITIES[field.value]

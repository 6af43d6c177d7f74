"""The operator and unit of a quality rule.

Belongs here: exactly one of the eight operators, its numbers and its unit.
Does not belong here: what is measured (`contracts/rules/`) and applying it (`Threshold.holds`).
"""

from __future__ import annotations

from shared_resources.contracts.model import Operator, Threshold, Unit
from shared_resources.contracts.node import Node, suggest
from shared_resources.contracts.numbers import Number, is_number

OPERATORS = tuple(operator.value for operator in Operator)
_PAIRS = (Operator.BETWEEN, Operator.NOT_BETWEEN)


def read_threshold(rule: Node) -> Threshold | None:
    """The rule's threshold, or None after a finding."""
    used = [field for name, field in rule.fields() if name in OPERATORS]
    unit = _unit(rule)
    if not used:
        rule.problem("has no operator", f"add one of {', '.join(OPERATORS)}")
        return None
    if len(used) > 1:
        names = " and ".join(str(field.place[-1]) for field in used)
        used[1].problem(f"is a second operator in one rule ({names})", "make it two rules")
        return None
    operator, field = Operator(str(used[0].place[-1])), used[0]
    bounds = _pair(field) if operator in _PAIRS else _single(field)
    if bounds is None or unit is None:
        return None
    return Threshold(operator, bounds, unit)


def _unit(rule: Node) -> Unit | None:
    node = rule.get("unit")
    if node is None:
        return Unit.ROWS
    if node.value not in tuple(Unit):
        node.problem(
            f"is {node.value!r}, a unit that does not exist", suggest(str(node.value), Unit)
        )
        return None
    return Unit(node.value)


def _single(field: Node) -> tuple[Number, ...] | None:
    if not is_number(field.value):
        field.problem("takes one number", f"write `{field.place[-1]}: 0`")
        return None
    return (field.value,)


def _pair(field: Node) -> tuple[Number, ...] | None:
    value = field.value
    if not isinstance(value, list) or len(value) != 2 or not all(map(is_number, value)):
        field.problem("takes two numbers", f"write `{field.place[-1]}: [0, 10]`")
        return None
    if value[0] >= value[1]:
        field.problem(f"is {value}, the larger number first", "put the smaller number first")
        return None
    return tuple(value)

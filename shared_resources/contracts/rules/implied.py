"""Rules that a clause of a property implies, and what several kinds read from a property.

Belongs here: such a rule, lists of values, bounds and patterns with their findings.
Does not belong here: which clause implies which rule (the kinds), `quality` (`items.py`).

All of them are blocking and allow no failing row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from shared_resources.contracts.model import Rule
from shared_resources.contracts.node import Node
from shared_resources.contracts.patterns import BadPattern, check_pattern
from shared_resources.contracts.reading.columns import DeclaredColumn
from shared_resources.contracts.reading.constants import NotOfType, bound, constant
from shared_resources.contracts.types import Family

BOUNDS = ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")
ORDERED = frozenset(Family) - {Family.STRING, Family.BOOLEAN}


def implied_rule(
    prefix: str,
    kind: str,
    declared: DeclaredColumn,
    field: Node | None,
    description: str,
    *,
    dimension: str = "conformity",
    **arguments: Any,
) -> Rule:
    """The rule `prefix_column` that `field` of the property implies."""
    name, field = declared.column.name, field or declared.node
    return Rule(
        f"{prefix}_{name}",
        kind,
        (name,),
        clause=field.path,
        line=field.line,
        arguments=arguments,
        description=description,
        dimension=dimension,
    )


def options_of(declared: DeclaredColumn) -> Node:
    """The property's `logicalTypeOptions`, or a node without fields."""
    return declared.node.get("logicalTypeOptions") or declared.node.nothing()


def constants(
    nodes: Iterator[Node], declared: DeclaredColumn, value_of: Callable[[Node], Node | None]
) -> tuple[Any, ...]:
    """The listed values as values of the column, each once; findings for what does not fit."""
    values: list[Any] = []
    for item in nodes:
        node = value_of(item)
        if node is None:
            continue
        try:
            value = constant(node.value, declared.column.type)
        except NotOfType as error:
            node.problem(f"{error.message} (column {declared.column.name})", error.remedy)
            continue
        if value in values:
            node.problem(f"lists {node.value!r} a second time", "keep one of the two")
        else:
            values.append(value)
    return tuple(values)


def bounds(node: Node, declared: DeclaredColumn) -> dict[str, Any]:
    """`minimum`, `exclusiveMinimum`, `maximum`, `exclusiveMaximum` of a mapping, checked."""
    found: dict[str, Any] = {}
    for name in BOUNDS:
        field = node.get(name)
        if field is None:
            continue
        try:
            upwards = name in ("minimum", "exclusiveMaximum")
            found[name] = bound(field.value, declared.column.type, upwards=upwards)
        except NotOfType as error:
            field.problem(f"{error.message} (column {declared.column.name})", error.remedy)
    lows = [(found[n], n) for n in BOUNDS[:2] if n in found]
    highs = [(found[n], n) for n in BOUNDS[2:] if n in found]
    for low, low_name in lows:
        for high, high_name in highs:
            touching = low == high and (low_name, high_name) != ("minimum", "maximum")
            if low > high or touching:
                field = node.get(high_name) or node
                field.problem(f"leaves no value between it and {low_name}", "correct one of them")
    return found


def within(now: Mapping[str, Any], was: Mapping[str, Any]) -> bool:
    """Whether all between the bounds that `now` names lies between those of `was`."""
    low, lowest = _lowest(now), _lowest(was)
    high, highest = _highest(now), _highest(was)
    return (lowest is None or (low is not None and low >= lowest)) and (
        highest is None or (high is not None and high <= highest)
    )


def _lowest(bounds: Mapping[str, Any]) -> tuple[Any, bool] | None:
    """The lower bound that counts, and whether it is left out itself."""
    found = [_next(bounds[name], name == BOUNDS[1], 1) for name in BOUNDS[:2] if name in bounds]
    return max(found, default=None)


def _highest(bounds: Mapping[str, Any]) -> tuple[Any, bool] | None:
    """The upper bound that counts, and whether it is in itself."""
    found = [_next(bounds[name], name == BOUNDS[3], -1) for name in BOUNDS[2:] if name in bounds]
    return min(((value, not is_out) for value, is_out in found), default=None)


def _next(value: Any, is_out: bool, step: int) -> tuple[Any, bool]:
    """A bound and whether it is left out itself. Of whole numbers and days the one beside it is the
    bound then, and in."""
    if not is_out or isinstance(value, bool):
        return value, is_out
    if isinstance(value, int):
        return value + step, False
    if not isinstance(value, date) or isinstance(value, datetime):
        return value, True
    if value == (date.max if step > 0 else date.min):
        return value, True
    return value + timedelta(days=step), False


def pattern_of(field: Node) -> str | None:
    """A pattern of the common subset, or None after a finding."""
    if not isinstance(field.value, str):
        return None
    try:
        check_pattern(field.value)
    except BadPattern as error:
        field.problem(f"{error.message}: {field.value!r:.80}", error.remedy)
        return None
    return field.value

"""The rules that a contract implies without a quality rule: types, keys, options, partitions.

Belongs here: one function per clause of a property that is a rule (`required`, `enum`, `minimum`).
Does not belong here: rules written under `quality` (`quality.py`) and `relationships`.

All of them are blocking and allow no failing row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from shared_resources.contracts.model import Rule, RuleKind
from shared_resources.contracts.node import Node
from shared_resources.contracts.patterns import BadPattern, check_pattern
from shared_resources.contracts.reading.columns import DeclaredColumn
from shared_resources.contracts.reading.constants import NotOfType, bound, constant
from shared_resources.contracts.text_formats import STRING_FORMATS
from shared_resources.contracts.types import Family

BOUNDS = ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")
_ORDERED = frozenset(Family) - {Family.STRING, Family.BOOLEAN}


def batch_rules(table: Node, *, landing: Node | None, allow_empty: bool) -> Iterator[Rule]:
    """COLUMNS, PARSE (only what lands as an object is parsed) and NOT_EMPTY."""
    place: dict[str, Any] = {"clause": f"{table.path}.properties", "line": table.line}
    yield Rule(
        "columns", RuleKind.COLUMNS, (), **place, dimension="conformity",
        description="the batch has exactly the contract's columns, of their types",
    )  # fmt: skip
    if landing is not None:
        yield Rule(
            "parse", RuleKind.PARSE, (), **place, dimension="conformity",
            description="every cell of the landing object is a value of its column's type",
        )  # fmt: skip
    if not allow_empty:
        yield Rule(
            "not_empty", RuleKind.NOT_EMPTY, (), clause=table.path, line=table.line,
            dimension="completeness", description="the batch has at least one row",
        )  # fmt: skip


def column_rules(declared: DeclaredColumn, *, sole_key: bool) -> Iterator[Rule]:
    """What the property's own fields imply. `sole_key`: the column alone is the primary key."""
    column, node = declared.column, declared.node
    if column.required:
        field = node.get("required") if node.flag("required") else node.get("primaryKey")
        yield _rule("required", RuleKind.REQUIRED, declared, field, f"{column.name} is never null")
    if column.unique and not sole_key:
        yield _rule(
            "unique", RuleKind.UNIQUE, declared, node.get("unique"),
            f"no two rows have the same {column.name}",
        )  # fmt: skip
    yield from _enumeration(declared)
    options = node.get("logicalTypeOptions") or node.nothing()
    yield from _pattern(declared, options)
    yield from _format(declared, options)
    yield from _range(declared, options)
    yield from _length(declared, options)
    yield from _multiple_of(declared, options)


def primary_key_rule(columns: tuple[DeclaredColumn, ...]) -> Iterator[Rule]:
    keyed = [c for c in columns if c.column.primary_key_position is not None]
    keyed.sort(key=lambda c: c.column.primary_key_position or 0)
    if keyed:
        names = tuple(c.column.name for c in keyed)
        field = keyed[0].node.get("primaryKey") or keyed[0].node
        yield Rule(
            "primary_key", RuleKind.UNIQUE, names, clause=field.path, line=field.line,
            dimension="uniqueness", description=f"no two rows have the same {', '.join(names)}",
        )  # fmt: skip


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


def _enumeration(declared: DeclaredColumn) -> Iterator[Rule]:
    field = declared.node.get("enum")
    if field is None:
        return
    values = constants(field.items(), declared, lambda item: item.get("value"))
    shown = ", ".join(map(str, values[:10])) + (" ..." if len(values) > 10 else "")
    yield _rule(
        "enumeration", RuleKind.ENUMERATION, declared, field,
        f"{declared.column.name} is one of {shown}", values=list(values),
    )  # fmt: skip


def _pattern(declared: DeclaredColumn, options: Node) -> Iterator[Rule]:
    field = options.get("pattern")
    if field is None or declared.column.type.family is not Family.STRING:
        return
    pattern = pattern_of(field)
    if pattern is not None:
        yield _rule(
            "pattern", RuleKind.PATTERN, declared, field,
            f"{declared.column.name} matches {pattern}", pattern=pattern,
        )  # fmt: skip


def _format(declared: DeclaredColumn, options: Node) -> Iterator[Rule]:
    column = declared.column
    pattern = STRING_FORMATS.get(column.text_format)
    if column.type.family is Family.STRING and pattern is not None:
        yield _rule(
            "format", RuleKind.PATTERN, declared, options.get("format"),
            f"{column.name} is written as {column.text_format}",
            pattern=pattern, format=column.text_format,
        )  # fmt: skip


def _range(declared: DeclaredColumn, options: Node) -> Iterator[Rule]:
    if declared.column.type.family not in _ORDERED:
        return
    found = bounds(options, declared)
    if found:
        first = options.get(next(iter(found)))
        shown = ", ".join(f"{name} {value}" for name, value in found.items())
        yield _rule(
            "range", RuleKind.RANGE, declared, first, f"{declared.column.name}: {shown}", **found
        )


def _length(declared: DeclaredColumn, options: Node) -> Iterator[Rule]:
    if declared.column.type.family is not Family.STRING:
        return
    low, high = options.whole("minLength"), options.whole("maxLength")
    field = options.get("maxLength") or options.get("minLength")
    if declared.max_length is not None and (high is None or declared.max_length < high):
        high, field = declared.max_length, declared.node.get("physicalType")
    if low is not None and high is not None and low > high and field is not None:
        field.problem(f"is less than minLength {low}", "correct one of them")
    found = {name: n for name, n in (("minLength", low), ("maxLength", high)) if n is not None}
    if found:
        shown = ", ".join(f"{name} {value}" for name, value in found.items())
        yield _rule(
            "length", RuleKind.LENGTH, declared, field, f"{declared.column.name}: {shown}", **found
        )


def _multiple_of(declared: DeclaredColumn, options: Node) -> Iterator[Rule]:
    field = options.get("multipleOf")
    type_ = declared.column.type
    if field is None or type_.family not in (Family.INTEGER, Family.FLOAT, Family.DECIMAL):
        return
    try:
        step = constant(field.value, type_)
    except NotOfType as error:
        field.problem(f"{error.message} (column {declared.column.name})", error.remedy)
        return
    yield _rule(
        "multiple_of", RuleKind.MULTIPLE_OF, declared, field,
        f"{declared.column.name} is a multiple of {step}", multipleOf=step,
    )  # fmt: skip


_DIMENSIONS = {RuleKind.REQUIRED: "completeness", RuleKind.UNIQUE: "uniqueness"}


def _rule(
    prefix: str,
    kind: RuleKind,
    declared: DeclaredColumn,
    field: Node | None,
    description: str,
    **arguments: Any,
) -> Rule:
    name, field = declared.column.name, field or declared.node
    return Rule(
        f"{prefix}_{name}",
        kind,
        (name,),
        clause=field.path,
        line=field.line,
        arguments=arguments,
        description=description,
        dimension=_DIMENSIONS.get(kind, "conformity"),
    )

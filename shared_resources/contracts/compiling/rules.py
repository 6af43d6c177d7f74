"""Compiling a contract's rules: every check of a product, in one stable order, each with its name.

Belongs here: order, names and their uniqueness.
Does not belong here: what a clause implies (`contracts/reading/implied.py`), `quality`
(`contracts/reading/quality.py`), `contracts/reading/relationships.py`; running rules
(`governance/audit/audit.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from shared_resources.contracts.model import Rule, RuleKind
from shared_resources.contracts.node import Node
from shared_resources.contracts.reading.columns import DeclaredColumn
from shared_resources.contracts.reading.implied import batch_rules, column_rules, primary_key_rule
from shared_resources.contracts.reading.platform_properties import PlatformProperties
from shared_resources.contracts.reading.quality import declared_rule
from shared_resources.contracts.reading.relationships import (
    column_relationships,
    table_relationships,
)


def compile_rules(
    table: Node,
    columns: tuple[DeclaredColumn, ...],
    platform: PlatformProperties,
    own_key: str,
) -> tuple[Rule, ...]:
    """The batch's rules first (columns, parse, not_empty), then each column's, then the table's.

    Names that are written must be unique and must not be those of implied rules. A rule without a
    name is called after its column and kind, with a number from the second one on.
    """
    by_name = {declared.column.name: declared for declared in columns}
    landing = platform.nodes.get("landing")
    rules = list(batch_rules(table, landing=landing, allow_empty=platform.allow_empty))
    keyed = [c for c in columns if c.column.primary_key_position is not None]
    for declared in columns:
        if not declared.readable:
            continue
        rules += column_rules(declared, sole_key=keyed == [declared])
        for node in declared.node.each("quality"):
            if rule := declared_rule(node, by_name, declared):
                rules.append(rule)
        rules += column_relationships(declared, own_key)
    rules += primary_key_rule(columns)
    rules += _partition_rule(platform)
    for node in table.each("quality"):
        if rule := declared_rule(node, by_name, None):
            rules.append(rule)
    rules += table_relationships(table, by_name, own_key)
    return _named(table, rules)


def _partition_rule(platform: PlatformProperties) -> Iterator[Rule]:
    if platform.partitioning is not None:
        node = platform.nodes["partitions"]
        column = platform.partitioning.column
        yield Rule(
            "partition", RuleKind.PARTITION, (column,), clause=node.path, line=node.line,
            dimension="conformity",
            description=f"every row's {column} lies on the day of its partition",
        )  # fmt: skip


def _named(table: Node, rules: list[Rule]) -> tuple[Rule, ...]:
    """Give names to the rules without one, and complain about names that are taken."""
    lines: dict[str, int] = {}
    for rule in rules:
        if rule.name and rule.name in lines and rule.kind is not RuleKind.RELATIONSHIP:
            _complain(table, rule, lines[rule.name])
        if rule.name:
            lines.setdefault(rule.name, rule.line)
    taken: set[str] = set()
    named: list[Rule] = []
    for rule in rules:
        if not rule.name or (rule.kind is RuleKind.RELATIONSHIP and rule.name in taken):
            base = rule.name or "_".join((*rule.columns, rule.kind.value))
            rule = replace(rule, name=_free(base, taken | set(lines) if not rule.name else taken))
        taken.add(rule.name)
        named.append(rule)
    return tuple(named)


def _free(base: str, taken: set[str]) -> str:
    name, number = base, 2
    while name in taken:
        name, number = f"{base}_{number}", number + 1
    return name


def _complain(table: Node, rule: Rule, first: int) -> None:
    for _, node in _all_fields(table):
        if node.path == rule.clause:
            where = node.get("name") or node
            where.problem(
                f"names the rule {rule.name!r} a second time (first in line {first})", "rename it"
            )
            return


def _all_fields(node: Node) -> Iterator[tuple[str, Node]]:
    yield node.path, node
    for _, field in node.fields():
        yield from _all_fields(field)
    for item in node.items():
        yield from _all_fields(item)

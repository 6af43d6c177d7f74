"""Compiling a contract's rules: every check of a product, in one stable order, each with its name.

Belongs here: order, names and their uniqueness.
Does not belong here: what a clause implies (the kinds, in `contracts/rules/`), which kind an item of
`quality` is (`quality.py`), running rules (`governance/audit/audit.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from shared_resources.contracts.compiling.quality import declared_rule
from shared_resources.contracts.model import Rule
from shared_resources.contracts.node import Node
from shared_resources.contracts.reading.columns import DeclaredColumn
from shared_resources.contracts.reading.platform_properties import PlatformProperties
from shared_resources.contracts.rules.kind import QUALITY, Declared
from shared_resources.contracts.rules.registry import all_kinds, kind_of


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
    declared = Declared(table, columns, platform, own_key)
    kinds = tuple(all_kinds().values())
    before = [kind for kind in kinds if kind.rank < QUALITY]
    after = [kind for kind in kinds if kind.rank >= QUALITY]
    rules = [rule for kind in kinds for rule in kind.of_batch(declared)]
    for column in columns:
        if not column.readable:
            continue
        rules += (rule for kind in before for rule in kind.of_column(declared, column))
        rules += _written(column.node, declared, column)
        rules += (rule for kind in after for rule in kind.of_column(declared, column))
    rules += (rule for kind in before for rule in kind.of_table(declared))
    rules += _written(table, declared, None)
    rules += (rule for kind in after for rule in kind.of_table(declared))
    return _named(table, rules)


def _written(node: Node, declared: Declared, of: DeclaredColumn | None) -> Iterator[Rule]:
    for item in node.each("quality"):
        if rule := declared_rule(item, declared.by_name, of):
            yield rule


def _named(table: Node, rules: list[Rule]) -> tuple[Rule, ...]:
    """Give names to the rules without one, and complain about names that are taken."""
    lines: dict[str, int] = {}
    for rule in rules:
        if rule.name and rule.name in lines and not kind_of(rule).may_repeat:
            _complain(table, rule, lines[rule.name])
        if rule.name:
            lines.setdefault(rule.name, rule.line)
    taken: set[str] = set()
    named: list[Rule] = []
    for rule in rules:
        if not rule.name or (kind_of(rule).may_repeat and rule.name in taken):
            base = rule.name or "_".join((*rule.columns, rule.kind))
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

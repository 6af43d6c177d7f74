"""Relationships: columns whose values must exist in another product's published version.

Belongs here: the two places where ODCS allows them and the form of reference that the mesh knows.
Does not belong here: whether the other product exists (a load-time policy looks at the whole mesh).

A reference names the other contract by its path below `domains/`:
`product/products/catalog/contract.odcs.yaml#/schema/catalog/properties/product_id`
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from shared_resources.contracts.model import Operator, Rule, RuleKind, Severity, Threshold, Unit
from shared_resources.contracts.node import Node, suggest
from shared_resources.contracts.numbers import is_number
from shared_resources.contracts.reading.columns import DeclaredColumn
from shared_resources.contracts.reading.quality import SEVERITIES
from shared_resources.contracts.reading.vendor import vendor_properties

REFERENCE = re.compile(
    r"(?P<domain>[A-Za-z][A-Za-z0-9_]*)/products/(?P<product>[A-Za-z][A-Za-z0-9_]*)"
    r"/contract\.odcs\.yaml#/schema/(?P<table>[A-Za-z][A-Za-z0-9_]*)"
    r"/properties/(?P<column>[A-Za-z][A-Za-z0-9_]*)"
)
_FORM = "<domain>/products/<product>/contract.odcs.yaml#/schema/<product>/properties/<column>"
PROPERTIES = ("maxOrphansPercent", "reason", "severity")


@dataclass(frozen=True)
class _Target:
    product: str
    column: str


def column_relationships(declared: DeclaredColumn, own_key: str) -> Iterator[Rule]:
    """The relationships under a property; each names one column of another product."""
    for node in declared.node.each("relationships"):
        if from_ := node.get("from"):
            from_.problem("stands under a property, which it is", "remove it")
        targets = _targets(node.get("to"), own_key)
        if len(targets) > 1:
            (node.get("to") or node).problem(
                "names several columns for one", "move the relationship under the schema object"
            )
        elif targets and (rule := _rule(node, (declared.column.name,), targets)):
            yield rule


def table_relationships(
    table: Node, columns: dict[str, DeclaredColumn], own_key: str
) -> Iterator[Rule]:
    """The relationships under the schema object: `from` columns of it, `to` as many of another."""
    for node in table.each("relationships"):
        names = _own_columns(node, table, columns)
        targets = _targets(node.get("to"), own_key)
        if not names or not targets:
            continue
        if len(names) != len(targets):
            (node.get("to") or node).problem(
                f"names {len(targets)} columns for {len(names)}", "name as many as in `from`"
            )
        elif len({target.product for target in targets}) > 1:
            (node.get("to") or node).problem("names several products", "refer to one product")
        elif rule := _rule(node, names, targets):
            yield rule


def _own_columns(
    node: Node, table: Node, columns: dict[str, DeclaredColumn]
) -> tuple[str, ...] | None:
    field = node.get("from")
    if field is None:
        node.problem("lacks the field 'from'", "name the columns that refer, e.g. [table.column]")
        return None
    names = []
    if field.value == []:
        field.problem("names no column", f"write `from: [{table.text('name')}.column]`")
    for item in _one_or_many(field):
        object_, _, name = str(item.value).rpartition(".")
        if object_ != table.text("name") or name not in columns:
            known = [f"{table.text('name')}.{column}" for column in columns]
            item.problem(
                f"is {item.value!r}, a column that does not exist", suggest(str(item.value), known)
            )
            return None
        names.append(name)
    return tuple(names)


def _targets(field: Node | None, own_key: str) -> list[_Target]:
    """What a `to` names; empty after a finding."""
    found = []
    items = _one_or_many(field) if field else []
    if field is not None and not items:
        field.problem("refers to nothing", f"write {_FORM}")
    for item in items:
        reference = REFERENCE.fullmatch(item.value) if isinstance(item.value, str) else None
        if reference is None:
            item.problem(f"is {item.value!r}, a reference that is not understood", f"write {_FORM}")
            return []
        product = f"{reference['domain']}/{reference['product']}"
        if reference["table"] != reference["product"]:
            item.problem(
                f"names the table {reference['table']!r} of product {reference['product']!r}",
                f"a product has one table of its own name; write #/schema/{reference['product']}/",
            )
            return []
        if product == own_key:
            item.problem(
                "refers to this product itself", "use a sql rule over ${object}, or remove it"
            )
            return []
        found.append(_Target(product, reference["column"]))
    return found


def _one_or_many(field: Node) -> list[Node]:
    return list(field.items()) if isinstance(field.value, list) else [field]


def _rule(node: Node, names: tuple[str, ...], targets: list[_Target]) -> Rule | None:
    settings = vendor_properties(node, PROPERTIES)
    threshold = _threshold(settings.get("maxOrphansPercent"))
    severity = Severity.BLOCKING
    reason = ""
    if field := settings.get("reason"):
        reason = field.value if isinstance(field.value, str) else ""
        if not reason:
            field.problem("is no text", "say why the tolerance is what it is")
    if field := settings.get("severity"):
        if not isinstance(field.value, str) or field.value not in SEVERITIES:
            remedy = suggest(str(field.value), SEVERITIES)
            field.problem(f"is {field.value!r}, which does not exist", remedy)
            return None
        severity = SEVERITIES[field.value]
    if threshold is None:
        return None
    product = targets[0].product
    of = ", ".join(target.column for target in targets)
    return Rule(
        f"relationship_{'_'.join(names)}",
        RuleKind.RELATIONSHIP,
        names,
        clause=node.path,
        threshold=threshold,
        severity=severity,
        arguments={"product": product, "columns": [target.column for target in targets]},
        description=f"every {', '.join(names)} exists as {of} of {product}",
        dimension="consistency",
        reason=reason,
        line=node.line,
    )


def _threshold(field: Node | None) -> Threshold | None:
    if field is None:
        return Threshold()
    if not is_number(field.value) or not 0 <= field.value <= 100:
        field.problem("is no percentage", "give a number from 0 to 100")
        return None
    return Threshold(Operator.LESS_OR_EQUAL, (field.value,), Unit.PERCENT)

"""RELATIONSHIP: columns whose values must exist in another product's published version.

Belongs here: the two places where ODCS allows it, the form of reference that the mesh knows, the
condition, the words.
Does not belong here: whether the other product exists (a load-time policy looks at the whole mesh).

A reference names the other contract by its path below `domains/`:
`product/products/catalog/contract.odcs.yaml#/schema/catalog/properties/product_id`
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared_resources.contracts.model import Contract, Operator, Rule, Severity, Threshold, Unit
from shared_resources.contracts.node import Node, suggest
from shared_resources.contracts.numbers import is_number
from shared_resources.contracts.reading.columns import DeclaredColumn
from shared_resources.contracts.reading.vendor import vendor_properties
from shared_resources.contracts.rules.items import SEVERITIES
from shared_resources.contracts.rules.kind import QUALITY, Declared, ReferenceKind
from shared_resources.contracts.rules.view import compared
from shared_resources.sql import quote_identifier
from shared_resources.wording import a

if TYPE_CHECKING:
    import pyarrow as pa

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


class Relationship(ReferenceKind):
    """`Rule.arguments`: {"product": "domain/name", "columns": [...]}."""

    name = "relationship"
    rank = QUALITY + 10

    def of_column(self, declared: Declared, column: DeclaredColumn) -> Iterator[Rule]:
        """Those under a property; each names one column of another product."""
        for node in column.node.each("relationships"):
            if from_ := node.get("from"):
                from_.problem("stands under a property, which it is", "remove it")
            targets = _targets(node.get("to"), declared.own_key)
            if len(targets) > 1:
                (node.get("to") or node).problem(
                    "names several columns for one", "move the relationship under the schema object"
                )
            elif targets and (rule := _rule(node, (column.column.name,), targets)):
                yield rule

    def of_table(self, declared: Declared) -> Iterator[Rule]:
        """Those under the schema object: `from` columns of it, `to` as many of another."""
        table = declared.table
        for node in table.each("relationships"):
            names = _own_columns(node, table, declared.by_name)
            targets = _targets(node.get("to"), declared.own_key)
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

    def product(self, rule: Rule) -> str:
        return str(rule.arguments["product"])

    def orphaned(self, rule: Rule, reference: str, view: str) -> str:
        """A row without a complete reference is no orphan: a null in it leads nowhere else."""
        theirs = [quote_identifier(column) for column in rule.arguments["columns"]]
        ours = [f"{view}.{quote_identifier(column)}" for column in rule.columns]
        matches = " AND ".join(
            f"_reference.{their} = {our}" for their, our in zip(theirs, ours, strict=True)
        )
        return (
            f"{compared(rule)} AND NOT EXISTS (SELECT 1 FROM {quote_identifier(reference)} "
            f"_reference WHERE {matches})"
        )

    def not_compared(self, rule: Rule, contract: Contract, published: pa.Schema) -> str | None:
        """The version may be older than its contract, whose types `mesh check` has compared."""
        # Arrow's functions take a twentieth of a second to import: for who audits, not who reads.
        from shared_resources.contracts.values.comparing import (
            column_type,
            compared_exactly,
            fitting,
        )

        for ours, theirs in zip(rule.columns, rule.arguments["columns"], strict=True):
            own, found = contract.column(ours).type, published.field(theirs).type
            their_type = column_type(found)
            if their_type is None or not compared_exactly(own, their_type):
                return (
                    f"{ours} is {own}, and {theirs} in the published version of "
                    f"{rule.arguments['product']} is {their_type or found}: these cannot be "
                    "compared without converting one; publish that product anew with the type "
                    f"{fitting(own)}"
                )
        return None

    def failing(self, rule: Rule, contract: Contract) -> str:
        return f"have {a(', '.join(rule.columns))} that {rule.arguments['product']} does not have"


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
        Relationship.name,
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


KIND = Relationship()

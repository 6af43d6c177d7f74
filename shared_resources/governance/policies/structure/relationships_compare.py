"""Policy: a column and what it refers to are of types that are compared exactly.

Belongs here: this one rule, for relationships in contracts, composite ones too.
Does not belong here: whether the target exists (`relationships_exist.py`), or what a version was
published as, which may be older than its contract: the audit looks at that itself.
"""

from __future__ import annotations

from collections.abc import Iterator

from shared_resources.contracts.model import Contract, Rule
from shared_resources.contracts.rules.rows.relationship import KIND as RELATIONSHIP
from shared_resources.contracts.values.comparing import compared_exactly, fitting
from shared_resources.findings import Finding
from shared_resources.governance.example import fails, passes
from shared_resources.governance.policy import LoadTimePolicy
from shared_resources.mesh import Domain, Mesh

NAME = "relationships_compare"


def check(domain: Domain, mesh: Mesh) -> Iterator[Finding]:
    """Where an engine has to convert one side first, '007' exists as 7."""
    contracts = {product.key: product.contract for product in mesh.products}
    for product in domain.products:
        if product.contract is None:
            continue
        for rule in product.contract.rules:
            target = contracts.get(str(rule.arguments.get("product")))
            if rule.kind == RELATIONSHIP.name and target is not None:
                for message, remedy in _pairs(rule, product.contract, target):
                    yield Finding(product.contract_file, rule.line, NAME, message, remedy)


def _pairs(rule: Rule, contract: Contract, target: Contract) -> Iterator[tuple[str, str]]:
    types = {column.name: column.type for column in target.columns}
    for ours, theirs in zip(rule.columns, rule.arguments["columns"], strict=False):
        if theirs not in types:
            continue
        our_type, their_type = contract.column(ours).type, types[theirs]
        if not compared_exactly(our_type, their_type):
            yield (
                f"{contract.key}: {ours} is {our_type} and refers to {theirs} of {target.key}, "
                f"which is {their_type}: no engine compares these without converting one of them",
                f"give {ours} the type {fitting(their_type)}, or {theirs} {fitting(our_type)}",
            )


_RELATED = {
    "schema.orders.properties.order_id.relationships": [
        {"to": "shop/products/lines/contract.odcs.yaml#/schema/lines/properties/order_id"}
    ]
}
_TEXT = {
    "schema.lines.properties.order_id.logicalType": "string",
    "schema.lines.properties.order_id.physicalType": "VARCHAR",
}
EXAMPLES = (
    passes("two whole numbers", contract=_RELATED, others={"shop/lines": {}}),
    fails(
        "a number and a text",
        "order_id is BIGINT and refers to order_id of shop/lines, which is VARCHAR",
        contract=_RELATED,
        others={"shop/lines": _TEXT},
    ),
)

POLICY = LoadTimePolicy(
    NAME,
    "Columns refer to columns of a type that is compared exactly with their own.",
    check,
    # The audit refuses to compare them, so that a waiver would only move the failure there.
    waivable=False,
    examples=EXAMPLES,
)

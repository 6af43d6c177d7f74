"""Policy: one way to name things, and one name for each thing.

Belongs here: this one rule. Does not belong here: names within the code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from shared_resources.contracts.model import Contract
from shared_resources.findings import Finding
from shared_resources.governance.example import fails, passes
from shared_resources.governance.policy import LoadTimePolicy
from shared_resources.mesh import Domain, Mesh, ProductFolder

NAME = "naming"
_SNAKE_CASE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


def check(domain: Domain, mesh: Mesh) -> Iterator[Finding]:
    """Names become asset keys, table names and file names: one spelling fits all of them."""
    if not _snake_case(domain.name):
        yield Finding(
            domain.file, 1, NAME, f"the domain's folder {domain.name!r} is not snake_case", _RENAME
        )
    for product, contract in domain.contracts:
        yield from _of_product(product, contract)


def _of_product(product: ProductFolder, contract: Contract) -> Iterator[Finding]:
    def finding(line: int, message: str, remedy: str) -> Finding:
        return Finding(product.contract_file, line, NAME, f"{product.key}: {message}", remedy)

    if not _snake_case(product.name):
        yield finding(product.line("name"), "the product's folder is not snake_case", _RENAME)
    expected = f"{contract.domain}-{contract.name}".replace("_", "-")
    if contract.id != expected:
        yield finding(
            product.line("id"),
            f"the contract's id is {contract.id!r}",
            f"make it {expected!r}: domain and name, with hyphens",
        )
    for column in contract.columns:
        if not _snake_case(column.name):
            yield finding(column.line, f"column {column.name!r} is not snake_case", _RENAME)


def _snake_case(name: str) -> bool:
    return _SNAKE_CASE.fullmatch(name) is not None


_RENAME = "use lower-case letters and digits, words joined by single underscores"

EXAMPLES = (
    passes("everything is snake_case"),
    fails("another id", "the contract's id is 'orders'", contract={"id": "orders"}),
    fails(
        "a column in another spelling",
        "column 'orderId' is not snake_case",
        contract={"schema.orders.properties.order_id.name": "orderId"},
    ),
)

POLICY = LoadTimePolicy(
    NAME,
    "Names are snake_case, and a contract's id is made of its domain and name.",
    check,
    examples=EXAMPLES,
)

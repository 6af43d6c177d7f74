"""Policy: a product and each of its columns say what they are.

Belongs here: this one rule. Does not belong here: the wording of descriptions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from shared_resources.findings import Finding
from shared_resources.governance.example import fails, passes
from shared_resources.governance.policy import LoadTimePolicy
from shared_resources.mesh import Domain, Mesh

NAME = "described"


def check(domain: Domain, mesh: Mesh) -> Iterator[Finding]:
    """A consumer in another domain has nothing but the description to go by."""
    for product, contract in domain.contracts:
        if not _says_something(contract.description, contract.name):
            yield Finding(
                product.contract_file,
                product.line("description") or 1,
                NAME,
                f"{product.key} has no description",
                "say in description.purpose what one row is and what the product is for",
            )
        for column in contract.columns:
            if not _says_something(column.description, column.name):
                yield Finding(
                    product.contract_file,
                    column.line,
                    NAME,
                    f"{product.key}: column {column.name!r} has no description"
                    + (" beyond its name" if column.description.strip() else ""),
                    "add `description:` to the column: what a value means, and its unit",
                )


def _says_something(description: str, name: str) -> bool:
    """Whether the text is more than blank or the name again."""
    words = re.sub(r"[\W_]+", " ", description).strip().casefold()
    return bool(words) and words != name.replace("_", " ").casefold()


EXAMPLES = (
    passes("product and columns say what they are"),
    fails(
        "a product without a description",
        "shop/orders has no description",
        contract={"description.purpose": " "},
    ),
    fails(
        "a description that is the column's name again",
        "column 'order_id' has no description beyond its name",
        contract={"schema.orders.properties.order_id.description": "Order ID"},
    ),
)

POLICY = LoadTimePolicy(
    NAME, "A product and each of its columns have a description.", check, examples=EXAMPLES
)

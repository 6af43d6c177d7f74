"""Policy: a contract stands in the folder of the domain and the product that it names.

Belongs here: this one rule. Does not belong here: what names look like (`naming.py`).
"""

from __future__ import annotations

from collections.abc import Iterator

from shared_resources.findings import Finding
from shared_resources.governance.example import fails, passes
from shared_resources.governance.policy import LoadTimePolicy
from shared_resources.mesh import Domain, Mesh

NAME = "in_its_own_folder"


def check(domain: Domain, mesh: Mesh) -> Iterator[Finding]:
    """Who names another domain in a contract of its own publishes as that domain."""
    if domain.declared_name and domain.declared_name != domain.name:
        yield Finding(
            domain.file,
            domain.lines.get("name", 1),
            NAME,
            f"domain.yaml says name {domain.declared_name!r} but its folder is {domain.name!r}",
            "give both the same name",
        )
    for product, contract in domain.contracts:
        for field, named, folder in (
            ("name", contract.name, product.name),
            ("domain", contract.domain, product.domain),
        ):
            if named != folder:
                yield Finding(
                    product.contract_file,
                    product.line(field),
                    NAME,
                    f"{product.key}: the contract's {field} is {named!r} but its folder is "
                    f"{folder!r}",
                    "name the folder's, or move the product's folder",
                )


EXAMPLES = (
    passes("names are those of the folders"),
    fails(
        "a contract that names another product",
        "the contract's name is 'receipts' but its folder is 'orders'",
        contract={"name": "receipts", "schema.orders.name": "receipts"},
    ),
    fails(
        "a contract that publishes as another domain",
        "the contract's domain is 'sales' but its folder is 'shop'",
        contract={"domain": "sales"},
    ),
    fails(
        "a domain of another name than its folder's",
        "name 'store' but its folder is 'shop'",
        domain={"name": "store"},
    ),
)

POLICY = LoadTimePolicy(
    NAME,
    "A contract's name and domain are those of its folder, and so is a domain's name.",
    check,
    # What is published under another's name is another's product, whoever approved it.
    waivable=False,
    examples=EXAMPLES,
)

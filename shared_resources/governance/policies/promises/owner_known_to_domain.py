"""Policy: whoever a contract names as its owner is known to the domain's team.

Belongs here: this one rule. Does not belong here: how contracts or domains are read.
"""

from __future__ import annotations

from collections.abc import Iterator

from shared_resources.findings import Finding
from shared_resources.governance.example import fails, passes
from shared_resources.governance.policy import LoadTimePolicy
from shared_resources.mesh import Domain, Mesh

NAME = "owner_known_to_domain"


def check(domain: Domain, mesh: Mesh) -> Iterator[Finding]:
    """An owner nobody knows is an owner nobody can call when the product is wrong."""
    known = {owner.casefold() for owner in domain.owners}
    for product, contract in domain.contracts:
        if contract.owner.casefold() in known:
            continue
        yield Finding(
            product.contract_file,
            product.line("team"),
            NAME,
            f"{product.key}: its owner {contract.owner!r} is not among the owners of domain "
            f"{domain.name!r}"
            if contract.owner
            else f"{product.key}: the contract names no owner",
            f"name one of {', '.join(domain.owners) or 'the owners'} as the team member with role "
            f"owner, or add the address to `owners` in {domain.file}",
        )


EXAMPLES = (
    passes("the contract's owner is the domain's"),
    passes(
        "an owner in another case",
        contract={"team.members.0.username": "Shop@Example.com"},
    ),
    fails(
        "an owner whom the domain does not list",
        "its owner 'stranger@example.com' is not among the owners",
        contract={"team.members.0.username": "stranger@example.com"},
    ),
    fails("no owner", "the contract names no owner", contract={"team": None}),
)

POLICY = LoadTimePolicy(
    NAME,
    "A contract's owner is one of the owners that its domain.yaml lists.",
    check,
    examples=EXAMPLES,
)

"""Policy: a landing prefix belongs to one domain and one product.

Belongs here: this one rule. Does not belong here: what a prefix may look like (`contracts/`).
"""

from __future__ import annotations

from collections.abc import Iterator

from shared_resources.findings import Finding
from shared_resources.governance.example import Changes, fails, passes
from shared_resources.governance.policy import LoadTimePolicy
from shared_resources.mesh import Domain, Mesh, ProductFolder

NAME = "landing_prefix_owned"


def check(domain: Domain, mesh: Mesh) -> Iterator[Finding]:
    """Who could declare another's prefix again would publish its restricted columns as public."""
    everywhere = [pair for other in mesh.domains for pair in other.contracts]
    for product, contract in domain.contracts:
        if contract.landing is None:
            continue
        prefix = contract.landing.prefix
        if _owner(mesh, prefix) != domain.name:
            yield _finding(
                product,
                f"its landing prefix {prefix!r} does not belong to domain {domain.name!r}",
                f"land below {domain.name}/, or have the governance team grant the prefix in "
                f"`landingPrefixes` of {mesh.central.file}",
            )
        for other, theirs in everywhere:
            if other.folder == product.folder or theirs.landing is None:
                continue
            if _overlap(prefix, theirs.landing.prefix):
                yield _finding(
                    product,
                    f"its landing prefix {prefix!r} overlaps {theirs.landing.prefix!r} of {other.key}",
                    "give each product a prefix of its own, none below another",
                )


def _owner(mesh: Mesh, prefix: str) -> str:
    """The domain that the longest granted prefix around it names; by default its first part."""
    around = [granted for granted in mesh.central.landing_prefixes if _below(prefix, granted)]
    if around:
        return mesh.central.landing_prefixes[max(around, key=len)]
    return prefix.split("/")[0]


def _overlap(one: str, other: str) -> bool:
    return _below(one, other) or _below(other, one)


def _below(prefix: str, around: str) -> bool:
    """Whether objects below `prefix` lie below `around`. Some file systems ignore the case."""
    return f"{prefix}/".casefold().startswith(f"{around}/".casefold())


def _finding(product: ProductFolder, message: str, remedy: str) -> Finding:
    line = product.contract.landing.line if product.contract and product.contract.landing else 0
    return Finding(product.contract_file, line, NAME, f"{product.key}: {message}", remedy)


def _landing(prefix: str) -> Changes:
    value = {"prefix": prefix, "format": "csv", "object": "orders.csv"}
    return {"customProperties.landing": {"vendor": "mesh", "value": value}}


EXAMPLES = (
    passes("a prefix below the domain's name", contract=_landing("shop/orders")),
    passes(
        "a prefix that was granted",
        contract=_landing("crm/export/orders"),
        central={"landingPrefixes": {"crm/export": "shop"}},
    ),
    fails(
        "another domain's prefix",
        "'sales/orders' does not belong to domain 'shop'",
        contract=_landing("sales/orders"),
    ),
    fails(
        "a prefix within another product's",
        "overlaps 'shop' of shop/lines",
        contract=_landing("shop/orders"),
        others={"shop/lines": _landing("shop")},
    ),
)

POLICY = LoadTimePolicy(
    NAME,
    "A landing prefix lies below its domain's name, or is granted centrally; none overlaps another.",
    check,
    # Another domain's data does not become one's own because somebody approved it.
    waivable=False,
    examples=EXAMPLES,
)

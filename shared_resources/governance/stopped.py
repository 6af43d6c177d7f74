"""Stopped products: one whose files break a rule is not made, and neither is what reads it.

Belongs here: which products of a domain are stopped, and why; which publish nothing by their status.
Does not belong here: the rules (`policies/`), what is said of a domain as a whole (`catalogue.py`),
the asset that refuses to run (`data_products/`).

A finding about the domain itself keeps its location out; one about a product stops that product, and
the others of its domain go on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from shared_resources.contracts.model import Contract
from shared_resources.findings import Finding
from shared_resources.governance.catalogue import PolicyViolation, check_domain
from shared_resources.governance.waivers import product_of
from shared_resources.mesh import Domain, Mesh, ProductFolder
from shared_resources.problems import MeshProblem


class ProductStopped(MeshProblem):
    """The product is not made; the message lists the findings."""


# What ODCS calls a contract that promises nothing yet, or nothing any more.
_RESTING = {
    "proposed": "is proposed and not yet agreed",
    "draft": "is a draft",
    "retired": "is retired",
}


def why_resting(contract: Contract) -> str | None:
    """Why nothing is published under the contract by its `status`; None when it may be."""
    why = _RESTING.get(contract.status)
    if why is None:
        return None
    return (
        f"{contract.key} publishes nothing: its contract {why}. What is published stays; it is made "
        f"again once {contract.path} says `status: active`"
    )


def stopped_products(mesh: Mesh, domain: Domain) -> dict[str, str]:
    """Why each stopped product of the domain is, by its key.

    Raises `PolicyViolation`, with every finding, when something is wrong with the domain itself.
    """
    findings = check_domain(domain, mesh).findings
    if any(product_of(finding.file, domain) is None for finding in findings):
        raise PolicyViolation(domain.name, findings)
    own = _own_findings(domain, findings)
    foreign = {key for product in domain.products for key in product.reads} - set(own)
    broken = {**own, **_of_others(mesh, domain, foreign)}
    stopped = {key: _said(key, found) for key, found in own.items()}
    for product in domain.products:
        wrong = sorted(set(product.reads) & set(broken))
        if wrong and product.key not in stopped:
            stopped[product.key] = "\n".join(
                f"{product.key} is stopped until what it reads is mended: {_said(key, broken[key])}"
                for key in wrong
            )
    return stopped


def _own_findings(domain: Domain, findings: Iterable[Finding]) -> dict[str, tuple[Finding, ...]]:
    found: dict[str, list[Finding]] = {}
    for finding in findings:
        if name := product_of(finding.file, domain):
            found.setdefault(f"{domain.name}/{name}", []).append(finding)
    return {key: tuple(of) for key, of in found.items()}


def _of_others(
    mesh: Mesh, domain: Domain, read: Iterable[str]
) -> Mapping[str, tuple[Finding, ...]]:
    """The findings about those of these products that are other domains'."""
    names = {key.split("/")[0] for key in read} & set(mesh.domain_names) - {domain.name}
    others = [mesh.domain(name) for name in sorted(names)]
    return {
        key: found
        for other in others
        for key, found in _own_findings(other, check_domain(other, mesh).findings).items()
        if key in read
    }


def _said(key: str, findings: tuple[Finding, ...]) -> str:
    count = len(findings)
    return f"{key} is stopped by {count} finding{'s' if count != 1 else ''}\n" + "\n".join(
        f"  {finding}" for finding in findings
    )


def makeable(mesh: Mesh, key: str) -> tuple[Domain, ProductFolder]:
    """The product, and its domain, checked against the central policies.

    Raises `ProductStopped`, or `PolicyViolation` for what is wrong with its domain.
    """
    product = mesh.product(key)
    domain = mesh.domain(product.domain)
    if why := stopped_products(mesh, domain).get(key):
        raise ProductStopped(why)
    return domain, product

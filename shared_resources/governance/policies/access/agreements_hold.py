"""Policy: an agreement grants what its product has, for a purpose that allows it, approved by its owner.

Belongs here: this one rule. Does not belong here: what each of that means (`access/terms.py`).
"""

from __future__ import annotations

from collections.abc import Iterator

from shared_resources.access.terms import problems_with
from shared_resources.findings import Finding
from shared_resources.governance.example import fails, passes
from shared_resources.governance.policy import LoadTimePolicy
from shared_resources.mesh import Domain, Mesh
from shared_resources.mesh.agreements.folder import agreement_files, read_all

NAME = "agreements_hold"


def check(domain: Domain, mesh: Mesh) -> Iterator[Finding]:
    """What does not hold grants nothing at the door; here its owner learns of it."""
    for product, contract in domain.contracts:
        agreements, unreadable = read_all(agreement_files(product.folder))
        yield from (_of_policy(finding) for finding in unreadable)
        for agreement in agreements:
            for finding in problems_with(
                agreement, product.key, contract, domain.owners, mesh.central
            ):
                yield _of_policy(finding)


_AGREEMENT = """\
apiVersion: v0.9.0
kind: AccessAgreement
id: one
status: approved
description: {purpose: research}
provider: {teamId: shop, dataProductId: orders, outputPortId: orders}
consumer: {teamId: press}
roles: [{role: numbers}]
customProperties:
- {property: decidedBy, value: shop@example.com, vendor: mesh}
- {property: decidedAt, value: "2026-01-01T00:00:00Z", vendor: mesh}
"""
_FILE = "agreements/press.oaas.yaml"
_ROLES = {"roles": [{"role": "numbers"}]}
_PURPOSES = {
    "purposes": {"research": {"description": "To learn.", "classifications": ["internal"]}}
}
_CONFIDENTIAL = {**_ROLES, "schema.orders.properties.note.classification": "confidential"}
EXAMPLES = (
    passes("no agreement at all"),
    passes(
        "an agreement that its owner approved",
        files={_FILE: _AGREEMENT},
        contract=_ROLES,
        central=_PURPOSES,
    ),
    fails(
        "a role that the contract does not have",
        "shop/orders has no role 'numbers'",
        files={_FILE: _AGREEMENT},
        central=_PURPOSES,
    ),
    fails(
        "a purpose that nobody decided",
        "the purpose 'research' does not exist",
        files={_FILE: _AGREEMENT},
        contract=_ROLES,
    ),
    fails(
        "a purpose that does not allow what the role shows",
        "it shows what is confidential: 'note'; the purpose 'research' allows internal",
        files={_FILE: _AGREEMENT},
        contract=_CONFIDENTIAL,
        central=_PURPOSES,
    ),
    fails(
        "approved by somebody else",
        "it is approved by press@example.com, who does not own the product",
        files={_FILE: _AGREEMENT.replace("shop@example.com", "press@example.com")},
        contract=_ROLES,
        central=_PURPOSES,
    ),
    fails(
        "a file that is not called as its consumer is",
        "it serves press, whose file it is not: nobody reads it",
        files={"agreements/other.oaas.yaml": _AGREEMENT},
        contract=_ROLES,
        central=_PURPOSES,
    ),
    fails(
        "a file that cannot be read",
        "use one of requested, approved, rejected",
        files={_FILE: _AGREEMENT.replace("status: approved", "status: granted")},
        contract=_ROLES,
        central=_PURPOSES,
    ),
)


def _of_policy(finding: Finding) -> Finding:
    return Finding(finding.file, finding.line, NAME, finding.message, finding.remedy)


POLICY = LoadTimePolicy(
    NAME,
    "Each agreement names roles of its contract and a purpose that allows what they show; an approved "
    "one was approved by an owner.",
    check,
    waivable=False,
    examples=EXAMPLES,
)

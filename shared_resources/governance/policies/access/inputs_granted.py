"""Policy: a product reads of other domains what an agreement grants it.

Belongs here: this one rule, for what the files declare. Does not belong here: the door, which decides
at each opening (`access/door.py`); what rules refer to, which is counted and shown to nobody.
"""

from __future__ import annotations

from collections.abc import Iterator

from shared_resources.access.grants import NoAgreement, decide
from shared_resources.access.principal import product_principal
from shared_resources.findings import Finding
from shared_resources.governance.example import fails, passes
from shared_resources.governance.policy import LoadTimePolicy
from shared_resources.mesh import Domain, Mesh, ProductFolder, ProductReference

NAME = "inputs_granted"


def check(domain: Domain, mesh: Mesh) -> Iterator[Finding]:
    """A product without its inputs cannot be made: it is said before anything runs."""
    known = {product.key: product for product in mesh.products}
    for product in domain.products:
        for reference in product.inputs:
            read = known.get(reference.key)
            if read is None or read.domain == domain.name or read.contract is None:
                continue  # what does not exist, or has no contract, is found by others
            yield from _refused(product, reference, read, mesh)


def _refused(
    product: ProductFolder, reference: ProductReference, read: ProductFolder, mesh: Mesh
) -> Iterator[Finding]:
    owners = mesh.domain(read.domain).owners
    try:
        grant = decide(read, owners, mesh.central, product_principal(product.key))
    except NoAgreement as problem:
        message, _, remedy = str(problem).rpartition("; ")
        if not message:
            message, remedy = remedy, "see to it with the owner of the product"
        yield Finding(reference.file, reference.line, NAME, message, remedy)
        return
    if beyond := grant.beyond(reference.columns):
        shown = ", ".join(grant.terms.columns) if grant.terms else ""
        yield Finding(
            reference.file,
            reference.line,
            NAME,
            f"{product.key} may not read {', '.join(beyond)} of {read.key}: its agreement shows {shown}",
            "ask for another role (`mesh access request`), or leave the column out",
        )


_AGREEMENT = """\
apiVersion: v0.9.0
kind: AccessAgreement
id: one
status: approved
description: {purpose: research}
provider: {teamId: crm, dataProductId: people, outputPortId: people}
consumer: {teamId: shop}
roles: [{role: numbers}]
customProperties:
- {property: decidedBy, value: crm@example.com, vendor: mesh}
- {property: decidedAt, value: "2026-01-01T00:00:00Z", vendor: mesh}
"""
_CODE = """\
from shared_resources import data_product, product_input


@data_product(people=product_input("crm/people", columns=["order_id"COLUMN]))
def orders(people):
    return people
"""
_NUMBERS = [{"property": "columns", "value": ["order_id"], "vendor": "mesh"}]
_READS = {
    "others": {"crm/people": {"roles": [{"role": "numbers", "customProperties": _NUMBERS}]}},
    "central": {
        "purposes": {"research": {"description": "To learn.", "classifications": ["internal"]}}
    },
}
_FILE = "domains/crm/products/people/agreements/shop.oaas.yaml"
_ONE, _BOTH = (_CODE.replace("COLUMN", more) for more in ("", ', "note"'))
EXAMPLES = (
    passes("a product that reads nothing of others"),
    passes(
        "an agreement about what it reads", files={"product.py": _ONE, _FILE: _AGREEMENT}, **_READS
    ),
    passes(
        "what is open to everybody",
        files={"product.py": _ONE},
        others={"crm/people": {}},
        central={"open": ["internal"]},
    ),
    fails(
        "no agreement",
        "shop/orders may not read crm/people: there is no agreement",
        files={"product.py": _ONE},
        **_READS,
    ),
    fails(
        "an agreement that nobody has approved yet",
        "is requested, and not approved",
        files={"product.py": _ONE, _FILE: _AGREEMENT.replace("approved", "requested", 1)},
        **_READS,
    ),
    fails(
        "an agreement that has ended",
        "ended 2026-02-01T00:00:00Z",
        files={
            "product.py": _ONE,
            _FILE: _AGREEMENT + 'endTimestamp: "2026-02-01T00:00:00Z"\n',
        },
        **_READS,
    ),
    fails(
        "a column that the agreement does not show",
        "shop/orders may not read note of crm/people: its agreement shows order_id",
        files={"product.py": _BOTH, _FILE: _AGREEMENT},
        **_READS,
    ),
)

POLICY = LoadTimePolicy(
    NAME,
    "A product has an agreement about what it reads of other domains, and reads no other columns.",
    check,
    waivable=False,
    examples=EXAMPLES,
)

"""Policy: what a product's served rows are to follow is a stream, which the product may read.

Belongs here: this one rule, for what `@live` in its code names. Does not belong here: whether there is
such a product (`structure/relationships_exist.py`), the door, which decides while rows follow
(`streams/live/granted.py`).

It warns: the product is made without, and is then served as it was published.
"""

from __future__ import annotations

from collections.abc import Iterator

from shared_resources.access.grants import NoAgreement, decide
from shared_resources.access.principal import product_principal
from shared_resources.contracts.model import Severity
from shared_resources.findings import Finding
from shared_resources.governance.example import fails, passes
from shared_resources.governance.policy import LoadTimePolicy
from shared_resources.mesh import Domain, Mesh, ProductFolder

NAME = "live_rows_can_follow"


def check(domain: Domain, mesh: Mesh) -> Iterator[Finding]:
    """Else `mesh stream live` says it, to whoever starts it."""
    known = {product.key: product for product in mesh.products}
    for product, contract in domain.contracts:
        for given in product.followed:
            read = known.get(given.key)
            if read is None or read.contract is None:
                continue  # found by others
            for message, remedy in _why_not(product, read, mesh):
                yield Finding(given.file, given.line, NAME, message, remedy)
            if contract.serving is None:
                message = f"{product.key} has @live, and is served by its key nowhere"
                remedy = "give its contract a server `serving`, or take the class out"
                yield Finding(given.file, given.line, NAME, message, remedy)


def _why_not(product: ProductFolder, read: ProductFolder, mesh: Mesh) -> Iterator[tuple[str, str]]:
    """What is wrong, and what to do."""
    assert read.contract is not None
    if read.contract.stream is None:
        message = f"the served rows of {product.key} follow {read.key}, which is made of no topic"
        yield message, "name a product whose contract has `stream`"
        return
    if read.domain == product.domain:
        return
    try:
        owners = mesh.domain(read.domain).owners
        decide(read, owners, mesh.central, product_principal(product.key))
    except NoAgreement as problem:
        message, _, remedy = str(problem).rpartition("; ")
        yield f"its served rows follow no stream: {message}", remedy


_CODE = """\
from shared_resources import data_product, live


@data_product
def orders():
    return []


@live(of="crm/people")
class Following:
    def update(self, rows):
        return rows
"""
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
_NUMBERS = [{"property": "columns", "value": ["order_id"], "vendor": "mesh"}]
_ROLES = [{"role": "numbers", "customProperties": _NUMBERS}]
_STREAM = [
    {"property": "stream", "vendor": "mesh", "value": {"topic": "people", "format": "json"}},
    {"property": "lossBudgetPercent", "vendor": "mesh", "value": 5},
]
_LAKE = {"server": "lake", "type": "iceberg", "catalog": "mesh", "catalogUrl": "mesh://lake"}
_SERVED = {
    "servers": [{**_LAKE, "namespace": "shop"}, {"server": "serving", "type": "custom"}],
    "schema.orders.properties.order_id.primaryKey": True,
    "schema.orders.properties.order_id.primaryKeyPosition": 1,
}
_MESH = {
    "contract": _SERVED,
    "others": {"crm/people": {"roles": _ROLES, "customProperties": _STREAM}},
    "central": {
        "purposes": {"research": {"description": "To learn.", "classifications": ["internal"]}}
    },
}
_FILES = {"product.py": _CODE, "domains/crm/products/people/product.py": None}
_AGREED = {"domains/crm/products/people/agreements/shop.oaas.yaml": _AGREEMENT}
EXAMPLES = (
    passes("a product whose rows follow nothing"),
    passes("an agreement about the stream", files={**_FILES, **_AGREED}, **_MESH),
    fails("no agreement", "shop/orders may not read crm/people", files=_FILES, **_MESH),
    fails(
        "an agreement that has ended",
        "ended 2026-02-01T00:00:00Z",
        files={
            **_FILES,
            **{
                name: f'{text}endTimestamp: "2026-02-01T00:00:00Z"\n'
                for name, text in _AGREED.items()
            },
        },
        **_MESH,
    ),
    fails(
        "a product that is made of no topic",
        "follow crm/people, which is made of no topic",
        files={"product.py": _CODE},
        others={"crm/people": {}},
    ),
    fails(
        "a product that is served nowhere",
        "is served by its key nowhere",
        files={**_FILES, **_AGREED},
        **{**_MESH, "contract": {}},
    ),
)

POLICY = LoadTimePolicy(
    NAME,
    "What `@live` names is a stream that the product may read, and the product is served by its key.",
    check,
    severity=Severity.WARNING,
    examples=EXAMPLES,
)

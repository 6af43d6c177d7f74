"""Policy: a product's key, its contract's id and its checks' names exist once.

Belongs here: this one rule. Does not belong here: what names look like (`naming.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from shared_resources.contracts.model import Contract
from shared_resources.findings import Finding
from shared_resources.governance.example import fails, passes
from shared_resources.governance.policy import CHECK_PREFIX, LoadTimePolicy
from shared_resources.mesh import Domain, Mesh, ProductFolder

NAME = "unique_keys"


def check(domain: Domain, mesh: Mesh) -> Iterator[Finding]:
    """Dagster lets the last of two locations with one key win, and says nothing."""
    everywhere = [pair for other in mesh.domains for pair in other.contracts]
    for product, contract in domain.contracts:
        yield from _shared("key", product.key, lambda c: c.key, product, contract, everywhere)
        of_folder = product.key.replace("/", "-").replace("_", "-")
        yield from _shared("id", of_folder, lambda c: c.id, product, contract, everywhere)
        yield from _check_names(product, contract)


def _shared(
    what: str,
    of_folder: str,
    identity: Callable[[Contract], str],
    product: ProductFolder,
    contract: Contract,
    everywhere: list[tuple[ProductFolder, Contract]],
) -> Iterator[Finding]:
    own = identity(contract)
    if own == of_folder:
        return  # it is the others who took what is this product's, and they are found for it
    others = [
        str(other.contract_file)
        for other, theirs in everywhere
        if other.folder != product.folder and identity(theirs) == own
    ]
    if others:
        yield Finding(
            product.contract_file,
            product.line("name" if what == "key" else "id"),
            NAME,
            f"{product.key}: the {what} {own!r} is also that of {', '.join(others)}",
            f"give each contract its own {'domain and name' if what == 'key' else 'id'}",
        )


def _check_names(product: ProductFolder, contract: Contract) -> Iterator[Finding]:
    counts = Counter(rule.name for rule in contract.rules)
    lines = {rule.name: rule.line for rule in contract.rules}  # the last of several: the one to go
    for name, count in counts.items():
        if count > 1:
            yield Finding(
                product.contract_file,
                lines[name],
                NAME,
                f"{product.key}: {count} rules are named {name!r}, and a check's name must be "
                "unique in its product",
                "rename all but one of them",
            )
        if name.startswith(CHECK_PREFIX):
            yield Finding(
                product.contract_file,
                lines[name],
                NAME,
                f"{product.key}: the rule {name!r} has the prefix of central policies' checks",
                f"choose a name that does not start with {CHECK_PREFIX!r}",
            )


EXAMPLES = (
    passes("each has its own", others={"shop/lines": {}}),
    fails(
        "another product's key",
        "the key 'shop/lines' is also that of",
        contract={"name": "lines", "schema.orders.name": "lines"},
        others={"shop/lines": {}},
    ),
    fails(
        "another product's id",
        "the id 'shop-lines' is also that of",
        contract={"id": "shop-lines"},
        others={"shop/lines": {}},
    ),
    fails(
        "a rule with the prefix of the policies' checks",
        "has the prefix of central policies' checks",
        contract={
            "schema.orders.properties.note.quality": [
                {"name": "policy_of_ours", "metric": "nullValues", "mustBe": 0}
            ]
        },
    ),
)

POLICY = LoadTimePolicy(
    NAME,
    "No two products share a key or an id, no two checks of a product a name.",
    check,
    # Two assets of one key do not become harmless because somebody approved them.
    waivable=False,
    examples=EXAMPLES,
)

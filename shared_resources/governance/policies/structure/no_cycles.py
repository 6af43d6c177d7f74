"""Policy: no product depends on itself, by whatever detour.

Belongs here: this one rule, for inputs and relationships alike.
Does not belong here: whether what is referred to exists (`relationships_exist.py`).
"""

from __future__ import annotations

from collections.abc import Iterator

from shared_resources.findings import Finding
from shared_resources.governance.example import fails, passes
from shared_resources.governance.policy import LoadTimePolicy
from shared_resources.mesh import Domain, Mesh
from shared_resources.mesh.circles import way_back

NAME = "no_cycles"


def check(domain: Domain, mesh: Mesh) -> Iterator[Finding]:
    """Each location would load; the graph of all of them together would not."""
    reads = {product.key: product.reads for product in mesh.products}
    for product in domain.products:
        if way := way_back(product.key, reads):
            first = next(ref for ref in product.references if ref.key == way[1])
            yield Finding(
                first.file,
                first.line,
                NAME,
                f"{product.key} depends on itself: {' -> '.join(way)}",
                "take out one of these inputs or relationships",
            )


_READS = """
from shared_resources import data_product, product_input


@data_product(given=product_input("{key}"))
def made(given):
    return given
"""
_LINES = "domains/shop/products/lines/product.py"
EXAMPLES = (
    passes(
        "one reads the other",
        others={"shop/lines": {}},
        files={"product.py": _READS.format(key="shop/lines")},
    ),
    fails(
        "each reads the other",
        "shop/orders depends on itself: shop/orders -> shop/lines -> shop/orders",
        others={"shop/lines": {}},
        files={
            "product.py": _READS.format(key="shop/lines"),
            _LINES: _READS.format(key="shop/orders"),
        },
    ),
)

POLICY = LoadTimePolicy(
    NAME,
    "No product depends on itself through inputs and relationships.",
    check,
    # Dagster could not load a workspace with the cycle, whoever approved it.
    waivable=False,
    examples=EXAMPLES,
)

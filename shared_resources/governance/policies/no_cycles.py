"""Policy: no product depends on itself, by whatever detour.

Belongs here: this one rule, for inputs and relationships alike.
Does not belong here: whether what is referred to exists (`relationships_exist.py`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from shared_resources.findings import Finding
from shared_resources.governance.policy import LoadTimePolicy
from shared_resources.mesh import Domain, Mesh, ProductFolder

NAME = "no_cycles"


def check(domain: Domain, mesh: Mesh) -> Iterator[Finding]:
    """Each location would load; the graph of all of them together would not."""
    products = {product.key: product for product in mesh.products}
    for product in domain.products:
        way = _way_back(product, products)
        if way:
            first = next(ref for ref in product.references if ref.key == way[1])
            yield Finding(
                first.file,
                first.line,
                NAME,
                f"{product.key} depends on itself: {' -> '.join(way)}",
                "take out one of these inputs or relationships",
            )


def _way_back(start: ProductFolder, products: dict[str, ProductFolder]) -> list[str]:
    """The keys of the shortest way from `start` over what it reads back to it; [] if none."""
    ways: dict[str, list[str]] = {start.key: [start.key]}
    waiting = deque([start])
    while waiting:
        product = waiting.popleft()
        for key in product.reads:
            if key == start.key:
                return [*ways[product.key], key]
            if key in products and key not in ways:
                ways[key] = [*ways[product.key], key]
                waiting.append(products[key])
    return []


POLICY = LoadTimePolicy(
    NAME,
    "No product depends on itself through inputs and relationships.",
    check,
    # Dagster could not load a workspace with the cycle, whoever approved it.
    waivable=False,
)

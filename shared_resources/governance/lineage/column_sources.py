"""What each product's columns are made from, as policies ask it.

Belongs here: the lineage that contracts declare, and that which was derived or observed of what is
published and no contract declares; in words how it is known.
Does not belong here: judging it (`policies/`), finding it out (`data_products/`, `rehearsing/`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from shared_resources.contracts.model import Column, Contract
from shared_resources.governance.published import Published
from shared_resources.mesh import Domain, Mesh, ProductFolder


@dataclass(frozen=True)
class Sources:
    """Of each column, by name, the columns that it is made from, as (product, column)."""

    product: ProductFolder
    contract: Contract
    columns: Mapping[str, Sequence[tuple[str, str]]]
    how: str


def declared_sources(domain: Domain) -> Iterator[Sources]:
    for product, contract in domain.contracts:
        columns = {c.name: c.made_from for c in contract.columns if c.made_from is not None}
        yield Sources(product, contract, columns, "by its contract")


def published_sources(domain: Domain, published: Published) -> Iterator[Sources]:
    """Those of the version that readers see, of columns of which the contract declares nothing."""
    for product, contract in domain.contracts:
        declared = {c.name for c in contract.columns if c.made_from is not None}
        for version in published(product.key)[:1]:
            recorded = version.evidence.lineage if version.evidence else None
            if recorded is not None:
                left = {n: made for n, made in recorded.columns.items() if n not in declared}
                how = f"as was {recorded.how.value} of version {version.number}"
                yield Sources(product, contract, left, how)


def column_in(mesh: Mesh, key: str, name: str) -> Column | None:
    """The column of a product whose contract is known here."""
    contract = next((p.contract for p in mesh.products if p.key == key), None)
    return next((c for c in contract.columns if c.name == name), None) if contract else None

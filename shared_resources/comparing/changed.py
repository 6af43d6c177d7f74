"""What has become of a product's contract: a verdict, each change, and the consumers that it hits.

Belongs here: the verdict on one product, and on each product of two meshes.
Does not belong here: where the earlier contracts are from (`git_history.py`, `published.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from shared_resources.contracts.changes.change import Change, Effect
from shared_resources.contracts.changes.comparing import contract_changes
from shared_resources.contracts.model import Contract
from shared_resources.contracts.promise import goes_back, next_breaking
from shared_resources.data_products.compared.consumers import (
    Hit,
    agreed_consumers,
    hit_by_each,
    permitted,
)
from shared_resources.mesh import Domain, Mesh, ProductFolder


class Verdict(StrEnum):
    """What a change does to the readers of a product; unknown where a contract is not valid."""

    NEW = "new"
    UNCHANGED = "unchanged"
    COSMETIC = "cosmetic"
    COMPATIBLE = "compatible"
    BREAKING = "breaking"
    GONE = "gone"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Changed:
    """A product beside what it was. `refused` says why the change may not be as it is; empty where it
    may, `unsaid` what could not be compared. `hits` are in step with `changes`; of a product that is
    gone, `readers` still read it.
    """

    key: str
    file: Path
    against: str
    verdict: Verdict
    before: str = ""
    now: str = ""
    changes: tuple[Change, ...] = ()
    hits: tuple[Hit, ...] = ()
    refused: str = ""
    readers: tuple[str, ...] = ()
    unsaid: str = ""

    @property
    def hit(self) -> tuple[str, ...]:
        """The consumers of whatever breaks."""
        return tuple(sorted({consumer for hit in self.hits for consumer in hit} | {*self.readers}))


def changed(
    mesh: Mesh, product: ProductFolder, was: Contract, now: Contract, against: str
) -> Changed:
    """The product beside an earlier contract of it, with who in `mesh` is hit by what breaks."""
    changes = contract_changes(was, now)
    return of_changes(mesh, product, changes, (was.version, now.version), against)


def of_changes(
    mesh: Mesh,
    product: ProductFolder,
    changes: tuple[Change, ...],
    versions: tuple[str, str],
    against: str,
) -> Changed:
    """The verdict over the changes, from the first of the contract's versions to the second."""
    before, now = versions
    worst = changes[0].effect if changes else None
    refused = ""
    broken = [one for one in changes if one.effect is Effect.BREAKING]
    each = iter(hit_by_each(mesh, product.key, broken))
    hits = tuple(next(each) if one.effect is Effect.BREAKING else {} for one in changes)
    if broken and not permitted(before, now, {who: () for hit in hits for who in hit}):
        refused = (
            f"take it back, or raise the version from {now} to {next_breaking(before)}, once the "
            "consumers are ready"
        )
    elif goes_back(before, now):
        refused = f"the version goes back from {before} to {now}: say {before}, or a higher one"
    return Changed(
        product.key,
        product.contract_file,
        against,
        Verdict(worst.value) if worst else Verdict.UNCHANGED,
        before,
        now,
        changes,
        hits,
        refused,
    )


def mesh_changes(
    earlier: Mesh, mesh: Mesh, wanted: Collection[str], against: str
) -> Iterator[Changed]:
    """Each of the wanted products, and of those that are gone, beside what it was in `earlier`."""
    before = {product.key: product for product in earlier.own_products}
    after = {product.key: product for product in mesh.own_products}
    for key in sorted({*before, *after} & {*wanted}):
        yield product_changes(mesh, before.get(key), after.get(key), against)


def product_changes(
    mesh: Mesh, earlier: ProductFolder | None, product: ProductFolder | None, against: str
) -> Changed:
    """A product beside what it was; at least one of the two is there."""
    if product is None:
        assert earlier is not None
        return gone(mesh, earlier, against)
    now = product.contract
    version = now.version if now is not None else ""
    if earlier is None:
        return Changed(product.key, product.contract_file, against, Verdict.NEW, "", version)
    was = earlier.contract
    if now is None or was is None:
        refused = "" if now else "the contract is not valid; `mesh check` says why"
        unsaid = "" if was else "the earlier contract is not valid: nobody can say what changes"
        before = was.version if was is not None else ""
        return Changed(
            *(product.key, product.contract_file, against, Verdict.UNKNOWN, before, version),
            refused=refused,
            unsaid=unsaid,
        )
    return changed(mesh, product, was, now, against)


def gone(mesh: Mesh, product: ProductFolder, against: str) -> Changed:
    """A product that is there no more; it may go where nobody reads it."""
    there = any(domain.name == product.domain for domain in mesh.own_domains)
    # Of a domain that is gone, what the registry still knows of it goes with it.
    declared = (
        one.key for one in mesh.consumers(product.key) if there or one.domain != product.domain
    )
    readers = tuple(sorted({*declared, *agreed_consumers(product)}))
    refused = "bring it back until they read something else" if readers else ""
    file = mesh.root / "domains" / product.domain / "products" / product.name
    version = product.contract.version if product.contract else ""
    return Changed(
        *(product.key, file / product.contract_file.name, against, Verdict.GONE, version),
        refused=refused,
        readers=readers,
    )


def keys(domains: Collection[Domain]) -> set[str]:
    return {product.key for domain in domains for product in domain.products}

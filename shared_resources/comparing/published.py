"""Contracts beside what consumers have now: what is published, and what is deployed.

Belongs here: the contract that a product was published under, and the verdict against it.
Does not belong here: what is published (`data_products/compared/`), the registry (`registry/`).

A version's evidence names its contract by a digest, and says itself only what readers of data rely on:
columns, types, nulls, key, stores, partitions. The whole contract is looked for by that digest: among
those kept with what is published, in the registry and, of versions of an earlier release, in git.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from shared_resources.comparing.changed import (
    Changed,
    Verdict,
    changed,
    gone,
    of_changes,
    product_changes,
)
from shared_resources.comparing.git_history import NoBase, repository
from shared_resources.contracts.changes.change import breaking
from shared_resources.contracts.model import Contract
from shared_resources.data_products.compared.breaks import Compared, compared
from shared_resources.data_products.compared.kept import as_published, compiled
from shared_resources.environment import Environment
from shared_resources.findings import InvalidFile
from shared_resources.mesh import Domain, Mesh, ProductFolder
from shared_resources.mesh.kept_contracts import read_contract_anew
from shared_resources.mesh.promised import read_promised
from shared_resources.stores.opening import holding

DEPLOYED = "the release that is deployed"
_FOLDERS = "products/*"
_UNSAID = (
    "the contract that it was published under is neither in git nor in the registry: rules and "
    "whatever else no version says of itself were not compared"
)


def published_changes(
    environment: Environment, mesh: Mesh, promises: Mapping[str, Path], wanted: Collection[str]
) -> Iterator[Changed]:
    """Each of the wanted products beside what is published of it, and beside what is deployed where
    that is something else. `promises` are those of the registry, by domain."""
    domains = {key.partition("/")[0] for key in wanted}
    deployed = _deployed(place for domain, place in promises.items() if domain in domains)
    own = {product.key: product for product in mesh.own_products}
    for key in sorted({*wanted}):
        product, earlier = own.get(key), deployed.get(key)
        if product is None:
            if earlier is not None:
                yield gone(mesh, earlier, DEPLOYED)
            elif left := as_published(environment, key):
                current = holding(environment, key)[1][-1]
                against = f"version {current.number} of {key} in the {current.store}"
                yield gone(mesh, left, against)
            continue
        now = product.contract
        if now is None:
            refused = "the contract is not valid; `mesh check` says why"
            where = (key, product.contract_file, "what is published", Verdict.UNKNOWN)
            yield Changed(*where, refused=refused)
            continue
        yield from _of_product(environment, mesh, product, now, earlier)


def gone_products(
    environment: Environment, mesh: Mesh, promises: Mapping[str, Path]
) -> Iterator[str]:
    """What has no contract in this mesh any more and is still deployed or published, by key.

    What is published of a domain that is known from the registry alone is that domain's affair.
    """
    own = {product.key for product in mesh.own_products}
    there = {f"{name}/{at.name}" for name, place in promises.items() for at in place.glob(_FOLDERS)}
    elsewhere = {*environment.registry.promised(None).promises} - {
        domain.name for domain in mesh.own_domains
    }
    for store in environment.stores.values():
        there |= {key for key in store.products() if key.partition("/")[0] not in elsewhere}
    yield from sorted(there - own)


def _of_product(
    environment: Environment,
    mesh: Mesh,
    product: ProductFolder,
    now: Contract,
    earlier: ProductFolder | None,
) -> Iterator[Changed]:
    was = earlier.contract if earlier is not None else None
    beside = beside_published(environment, mesh, product, now, was)
    if beside.published or beside.findings:
        yield _published(mesh, product, now, beside)
    if earlier is not None and (was is None or was.digest != beside.contract_digest):
        yield product_changes(mesh, earlier, product, DEPLOYED)
    elif not beside.published and not beside.findings:
        where = (product.key, product.contract_file, "what is published", Verdict.NEW)
        yield Changed(*where, "", now.version)


def beside_published(
    environment: Environment,
    mesh: Mesh,
    product: ProductFolder,
    contract: Contract,
    deployed: Contract | None = None,
) -> Compared:
    """The contract beside the version that readers see: by the whole contract of it where anybody has
    that, this folder's history in git included."""

    def elsewhere(digest: str) -> Contract | None:
        if deployed is not None and deployed.digest == digest:
            return deployed
        return _in_git(mesh, product, digest)

    return compared(environment, mesh, product, contract, elsewhere)


def _published(mesh: Mesh, product: ProductFolder, now: Contract, beside: Compared) -> Changed:
    against = beside.published or "what is published"
    if beside.was is not None:
        found = changed(mesh, product, beside.was, now, against)
    else:
        changes = tuple(breaking("", one.message, *one.columns) for one in beside.breaks)
        found = of_changes(mesh, product, changes, (beside.contract_version, now.version), against)
        verdict = found.verdict if changes else Verdict.UNKNOWN
        found = replace(found, verdict=verdict, unsaid=_UNSAID)
    if not beside.never:
        return found
    # What no new version permits, and what cannot be compared.
    never = [one for one in beside.never if one.message not in {c.message for c in found.changes}]
    changes = (*(breaking("", one.message, line=one.line) for one in never), *found.changes)
    return replace(
        found,
        verdict=Verdict.BREAKING,
        changes=changes,
        hits=(*({} for _ in never), *found.hits),
        refused=beside.never[0].remedy,
    )


def _in_git(mesh: Mesh, product: ProductFolder, digest: str) -> Contract | None:
    """The contract with that digest among the earlier states of the product's file."""
    try:
        known = repository(mesh.root)
        for content in known.earlier(product.contract_file):
            if sha256(content).hexdigest() == digest:
                return compiled(content, product.contract_file)
    except NoBase:
        return None  # it is no checkout
    return None


def _deployed(promises: Iterable[Path]) -> Mapping[str, ProductFolder]:
    read: list[Domain] = [read_promised(one, read_contract_anew) for one in promises]
    # A promise that was damaged has no products: that nothing is deployed would be a guess.
    if damaged := [one for domain in read if not domain.products for one in domain.findings]:
        raise InvalidFile(damaged)
    return {product.key: product for domain in read for product in domain.products}

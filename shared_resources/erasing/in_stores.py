"""A subject's rows in every kept version of every store, and in the branches.

Belongs here: one product after the other under its lock, its branches first, and the new version by which
its readers learn that what they have made of it is out of date.
Does not belong here: how a store takes rows out (`stores/`), other places.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from shared_resources.contracts.model import Contract
from shared_resources.data_products.publishing import bring_level, product_lock
from shared_resources.environment import Environment
from shared_resources.erasing.subjects import Known, Subjects
from shared_resources.evidence.record import RolledBack
from shared_resources.stores.branched.names import in_branch
from shared_resources.stores.branched.registry import Branches
from shared_resources.stores.erased import Without, erasures_of
from shared_resources.stores.protocol import ProductStore, Version


@dataclass(frozen=True)
class InVersion:
    """`rows` left version `number` of the product in the store; `branch` is "" for production's."""

    store: str
    number: int
    rows: int
    branch: str = ""


def without_of(known: Known, who: Subjects, erasure: str) -> Without:
    return Without(erasure, known.names, frozenset(who.among(known.columns)))


def would_erase(environment: Environment, known: Known, who: Subjects) -> list[InVersion]:
    """What would leave which version."""
    asked = without_of(known, who, "")
    return [
        InVersion(store.name, one.number, one.rows, branch)
        for branch, contract in places(environment, known.contract)
        for store in holders(environment, known.contract)
        for one in store.would_erase(contract, asked)
    ]


def erase_in_stores(
    environment: Environment, known: Known, who: Subjects, erasure: str
) -> tuple[list[InVersion], tuple[Version, ...]]:
    """Take the rows out of every version; what left which, also by an attempt before that died, and the
    versions by which readers learn of it."""
    contract, asked = known.contract, without_of(known, who, erasure)
    stores, held = environment.stores_of(contract), holders(environment, contract)
    with product_lock(environment, contract.key):
        for _, renamed in places(environment, contract):
            for store in held:
                store.erase(renamed, asked)
        for store in held:  # what was staged by a process that is gone
            store.remove_orphans(contract.key)
        found = [
            InVersion(store.name, version.number, rows, branch)
            for branch, renamed in places(environment, contract)
            for store in held
            for version in store.versions(renamed.key)
            for id_, rows in erasures_of(version.properties)
            if id_ == erasure and rows and not _tells(version, erasure)
        ]
        told = _tell_readers(contract, stores, erasure)
        return found, told


def holders(environment: Environment, contract: Contract) -> tuple[ProductStore, ...]:
    """The product's stores, and those in which its contract once had it kept."""
    stores = environment.stores_of(contract)
    others = [
        s for s in environment.stores.values() if s not in stores and s.versions(contract.key)
    ]
    return (*stores, *others)


def places(environment: Environment, contract: Contract) -> Iterator[tuple[str, Contract]]:
    """The product in each branch, and last in production: in a bucket they share files."""
    for branch in Branches(environment.state).all():
        key = in_branch(contract.key, branch.name)
        yield branch.name, replace(contract, domain=key.partition("/")[0])
    yield "", contract


def _tell_readers(
    contract: Contract, stores: tuple[ProductStore, ...], erasure: str
) -> tuple[Version, ...]:
    """Publish what is left of the current version as the next one, where it has lost any row.

    No row is copied. Whatever was begun on the version before is overtaken by it, and whatever was made
    of it is behind: the next `mesh run` makes that again.
    """
    source = next((store for store in stores if store.versions(contract.key)), None)
    if source is None:
        return ()
    current = source.versions(contract.key)[-1]
    lost = dict(erasures_of(current.properties)).get(erasure, 0)
    if lost and not _tells(current, erasure):
        why = RolledBack(f"{lost:,} rows were erased", erasure)
        source.rollback(contract, current.number, why, batch_id=erasure)
    bring_level(contract, stores)
    told = [store.published_batch(contract.key, erasure) for store in stores]
    return tuple(version for version in told if version is not None)


def _tells(version: Version, erasure: str) -> bool:
    return version.batch_id == erasure

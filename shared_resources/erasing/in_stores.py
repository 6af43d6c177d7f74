"""A subject's rows in every kept version of every store, and in the branches.

Belongs here: one product after the other under its lock, its branches first, and the new version by which
its readers learn that what they have made of it is out of date.
Does not belong here: how a store takes rows out (`stores/`), other places.

What one store cannot read keeps no other store from being done: it is said, with its version and file.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from shared_resources.contracts.model import Contract
from shared_resources.data_products.publishing import bring_level, product_lock
from shared_resources.environment import Environment
from shared_resources.erasing.subjects import Known, Subjects
from shared_resources.evidence.record import RolledBack
from shared_resources.problems import MeshProblem
from shared_resources.stores.branched.names import in_branch
from shared_resources.stores.branched.registry import Branches
from shared_resources.stores.erased import Rewritten, Without, erasures_of
from shared_resources.stores.protocol import ProductStore, Version


@dataclass(frozen=True)
class InVersion:
    """`rows` left version `number` of the product in the store; `branch` is "" for production's.

    `problem` says what may hold rows and could not be rewritten; `number` is 0 where that is all of it.
    """

    store: str
    number: int
    rows: int
    branch: str = ""
    problem: str = ""

    @property
    def what(self) -> str:
        return f"version {self.number}" if self.number else "all versions"


def without_of(known: Known, who: Subjects, erasure: str) -> Without:
    return Without(erasure, known.names, frozenset(who.among(known.columns)))


def would_erase(environment: Environment, known: Known, who: Subjects) -> list[InVersion]:
    """What would leave which version."""
    asked, found = without_of(known, who, ""), list[InVersion]()
    for branch, contract in places(environment, known.contract):
        for store in holders(environment, known.contract):
            with _saying(found, store, branch):
                found += _of(store, branch, store.would_erase(contract, asked))
    return found


def erase_in_stores(
    environment: Environment, known: Known, who: Subjects, erasure: str
) -> tuple[list[InVersion], tuple[Version, ...]]:
    """Take the rows out of every version; what left which, also by an attempt before that died, and the
    versions by which readers learn of it."""
    contract, asked = known.contract, without_of(known, who, erasure)
    stores, held = environment.stores_of(contract), holders(environment, contract)
    found: list[InVersion] = []
    told: tuple[Version, ...] = ()
    with product_lock(environment, contract.key):
        for branch, renamed in places(environment, contract):
            for store in held:
                with _saying(found, store, branch):
                    done = _of(store, branch, store.erase(renamed, asked))
                    found += [one for one in done if one.problem]
        for store in held:  # what was staged by a process that is gone
            with _saying(found, store):
                store.remove_orphans(contract.key)
        for branch, renamed in places(environment, contract):
            for store in held:
                with _saying(found, store, branch):
                    found += _lost(store, branch, renamed, erasure)
        with _saying(found, held[0]):
            told = _tell_readers(contract, stores, erasure)
    return list(dict.fromkeys(found)), told


def holders(environment: Environment, contract: Contract) -> tuple[ProductStore, ...]:
    """The product's stores, and those in which its contract once had it kept."""
    stores = environment.stores_of(contract)
    others = [s for s in environment.stores.values() if s not in stores and _holds(s, contract.key)]
    return (*stores, *others)


def places(environment: Environment, contract: Contract) -> Iterator[tuple[str, Contract]]:
    """The product in each branch, and last in production: in a bucket they share files."""
    for branch in Branches(environment.state).all():
        key = in_branch(contract.key, branch.name)
        yield branch.name, replace(contract, domain=key.partition("/")[0])
    yield "", contract


def why(problem: Exception) -> str:
    """What to say of it: an engine's own words may quote a value."""
    return str(problem) if isinstance(problem, MeshProblem) else type(problem).__name__


def _holds(store: ProductStore, key: str) -> bool:
    try:
        return bool(store.versions(key))
    except MeshProblem:
        return True


def _of(store: ProductStore, branch: str, done: list[Rewritten]) -> list[InVersion]:
    return [InVersion(store.name, one.number, one.rows, branch, one.problem) for one in done]


def _lost(
    store: ProductStore, branch: str, contract: Contract, erasure: str
) -> Iterator[InVersion]:
    for version in store.versions(contract.key):
        for id_, rows in erasures_of(version.properties):
            if id_ == erasure and rows and not _tells(version, erasure):
                yield InVersion(store.name, version.number, rows, branch)


@contextmanager
def _saying(found: list[InVersion], store: ProductStore, branch: str = "") -> Iterator[None]:
    """What stops one store is noted among what was found, and the next is done."""
    import duckdb

    try:
        yield
    except (MeshProblem, OSError, duckdb.Error) as problem:
        found.append(InVersion(store.name, 0, 0, branch, why(problem)))


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
        reason = RolledBack(f"{lost:,} rows were erased", erasure)
        source.rollback(contract, current.number, reason, batch_id=erasure)
    bring_level(contract, stores)
    told = [store.published_batch(contract.key, erasure) for store in stores]
    return tuple(version for version in told if version is not None)


def _tells(version: Version, erasure: str) -> bool:
    return version.batch_id == erasure

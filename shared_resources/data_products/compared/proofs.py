"""Whether what readers see now is what was audited and published.

Belongs here: looking at the current version of every product in every store, as findings.
Does not belong here: how a store compares (`stores/intact.py`), showing findings (`cli/`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from shared_resources.contracts.model import Contract
from shared_resources.environment import Environment
from shared_resources.evidence.record import NoEvidence
from shared_resources.findings import Finding
from shared_resources.mesh import Domain
from shared_resources.stores.protocol import NotPublished, ProductStore, Unreadable

RULE = "published"


def unproven(environment: Environment, domains: Iterable[Domain]) -> Iterator[Finding]:
    """The products whose current version nobody audited, so that nobody may read it."""
    for contract, store in _published(environment, domains):
        try:
            versions = store.versions(contract.key)
            if versions:
                _ = versions[-1].evidence
        except (NoEvidence, Unreadable) as problem:
            yield _finding(contract, str(problem))


def damages(environment: Environment, domains: Iterable[Domain]) -> Iterator[Finding]:
    """The files of current versions that are not what was published, byte for byte."""
    for contract, store in _published(environment, domains):
        try:
            verified = store.open(contract.key).verify()
        except (NotPublished, NoEvidence):
            continue
        except Unreadable as problem:
            yield _finding(contract, str(problem))
            continue
        for differs in verified.problems:
            yield _finding(contract, f"{contract.key} in the {store.name}: {differs}")


def _published(
    environment: Environment, domains: Iterable[Domain]
) -> Iterator[tuple[Contract, ProductStore]]:
    for domain in domains:
        for product in domain.products:
            if product.contract is not None:
                for store in environment.stores_of(product.contract):
                    yield product.contract, store


def _finding(contract: Contract, message: str) -> Finding:
    remedy = f"restore it, `mesh run {contract.key}`, or `mesh rollback {contract.key}`"
    return Finding(contract.path, 0, RULE, message, remedy)

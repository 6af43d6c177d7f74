"""Which products hold a kind of subject's keys: by their contracts, and by those of their kept versions.

Belongs here: asking what each kept version was published under, also of products whose contract is gone.
Does not belong here: what a contract in force declares (`subjects.py`), finding rows.

A contract may drop a column, or the word that it holds keys, while versions from before are kept; and it
may be gone while all of them are: then the one counts under which the newest was published.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from shared_resources.contracts.model import Column, Contract
from shared_resources.data_products.compared.kept import compiled, kept_contract
from shared_resources.environment import Environment
from shared_resources.erasing.in_stores import holders, why
from shared_resources.erasing.subjects import Known, declared_in
from shared_resources.mesh.model import Mesh
from shared_resources.problems import MeshProblem
from shared_resources.stores.protocol import Version


@dataclass(frozen=True)
class Holding:
    """Whatever may hold subjects: the contracts in force, and of products that are published and whose
    contract is gone the last. `unknown` says of the others why nobody knows what they hold."""

    contracts: tuple[Contract, ...]
    unknown: tuple[str, ...] = ()


def who_holds(environment: Environment, mesh: Mesh) -> Holding:
    declared = declared_in(mesh)
    keys = {contract.key for contract in declared}
    elsewhere = {domain.name for domain in mesh.domains if domain.registered}
    gone: list[Contract] = []
    unknown: list[str] = []
    published: set[str] = set()
    for store in environment.stores.values():
        try:
            published |= set(store.products())
        except (MeshProblem, OSError) as problem:
            unknown.append(f"the {store.name}: what it holds cannot be listed ({why(problem)})")
    for key in sorted(published - keys):
        if key.partition("/")[0] not in elsewhere:
            last = _last(environment, key)
            if last is None:
                unknown.append(
                    f"{key} is published, and no contract says whose rows it holds: put its contract "
                    "back and erase again, or remove it from the stores"
                )
            else:
                gone.append(last)
    return Holding((*declared, *gone), tuple(unknown))


def who_knew(environment: Environment, contracts: Iterable[Contract], kind: str) -> list[Known]:
    """The products that declare a key of the kind, or did when a kept version was published."""
    found = []
    for contract in sorted(contracts, key=lambda one: one.key):
        columns = {c.name: c for c in _once(environment, contract) if c.subject == kind}
        columns |= {c.name: c for c in contract.columns if c.subject == kind}
        if columns:
            found.append(Known(contract, tuple(columns.values())))
    return found


def _last(environment: Environment, key: str) -> Contract | None:
    """The contract under which the newest version was published that says so."""
    domain, _, name = key.partition("/")
    file = environment.root / "domains" / domain / "products" / name / "contract.odcs.yaml"
    versions = [v for store in environment.stores.values() for v in _versions(store.versions, key)]
    for version in sorted(versions, key=lambda one: one.published_at, reverse=True):
        evidence = version.evidence_or_none
        text = evidence and environment.published_contracts.text(evidence.contract_digest)
        contract = compiled(text, file) if text else None
        if contract is not None and contract.key == key:
            return contract
    return None


def _once(environment: Environment, contract: Contract) -> Iterator[Column]:
    stores = holders(environment, contract)
    versions = [v for store in stores for v in _versions(store.versions, contract.key)]
    evidence = [version.evidence_or_none for version in versions]
    for digest in sorted({one.contract_digest for one in evidence if one is not None}):
        then = kept_contract(environment, contract, digest)
        yield from then.columns if then is not None and then is not contract else ()


def _versions(versions: Callable[[str], Sequence[Version]], key: str) -> Sequence[Version]:
    """None of a product of which nothing can be read: erasing from it says so."""
    try:
        return versions(key)
    except (MeshProblem, OSError):
        return ()

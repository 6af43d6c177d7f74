"""Which products hold a kind of subject's keys: by their contracts, and by those of their kept versions.

Belongs here: asking what each kept version was published under.
Does not belong here: what a contract in force declares (`subjects.py`), finding rows.

A contract may drop a column, or the word that it holds keys, while versions from before are kept.
"""

from __future__ import annotations

from collections.abc import Iterator

from shared_resources.contracts.model import Column, Contract
from shared_resources.data_products.compared.kept import kept_contract
from shared_resources.environment import Environment
from shared_resources.erasing.in_stores import holders
from shared_resources.erasing.subjects import Known, declared_in
from shared_resources.mesh.model import Mesh


def who_knew(environment: Environment, mesh: Mesh, kind: str) -> list[Known]:
    """The products that declare a key of the kind, or did when a kept version was published."""
    found = []
    for contract in sorted(declared_in(mesh), key=lambda one: one.key):
        columns = {c.name: c for c in _once(environment, contract) if c.subject == kind}
        columns |= {c.name: c for c in contract.columns if c.subject == kind}
        if columns:
            found.append(Known(contract, tuple(columns.values())))
    return found


def _once(environment: Environment, contract: Contract) -> Iterator[Column]:
    versions = [v for store in holders(environment, contract) for v in store.versions(contract.key)]
    evidence = [version.evidence_or_none for version in versions]
    for digest in sorted({one.contract_digest for one in evidence if one is not None}):
        then = kept_contract(environment, contract, digest)
        yield from then.columns if then is not None and then is not contract else ()

"""The contract that a version was published under, as it was kept with it.

Belongs here: finding it by the digest in the version's evidence, and compiling it; a product of which
nothing else is left.
Does not belong here: where texts are kept (`registry/contracts.py`), what it is compared with
(`breaks.py`, `refusing.py`).
"""

from __future__ import annotations

from pathlib import Path

from shared_resources.contracts.model import Contract
from shared_resources.contracts.odcs import compile_contract
from shared_resources.contracts.source import parse_source
from shared_resources.environment import Environment
from shared_resources.findings import InvalidFile
from shared_resources.mesh import ProductFolder
from shared_resources.mesh.model import CONTRACT_FILE
from shared_resources.stores.opening import holding


def kept_contract(environment: Environment, contract: Contract, digest: str) -> Contract | None:
    """The contract with that digest; None where it was published before contracts were kept, or by a
    platform that read contracts otherwise."""
    if contract.digest == digest:
        return contract
    text = environment.published_contracts.text(digest)
    return compiled(text, contract.path) if text is not None else None


def compiled(text: bytes, file: Path) -> Contract | None:
    """What the text says, as if it stood in that file; None where it says nothing today."""
    try:
        return compile_contract(parse_source(text, file))
    except InvalidFile:
        return None


def as_published(environment: Environment, key: str) -> ProductFolder | None:
    """A product whose folder is gone, as what is still published of it says: where its folder was, with
    the contract of the version that readers see. None of one that is not published."""
    _, versions = holding(environment, key)
    if not versions:
        return None
    domain, _, name = key.partition("/")
    folder = environment.domains / domain / "products" / name
    evidence = versions[-1].evidence_or_none
    text = evidence and environment.published_contracts.text(evidence.contract_digest)
    contract = compiled(text, folder / CONTRACT_FILE) if text else None
    return ProductFolder(domain, name, folder, contract, None)

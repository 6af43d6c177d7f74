"""Contracts beside what is published under them: what would break, and for whom.

Belongs here: comparing each contract's promise with the published version's, and naming the consumers
in this mesh that use what breaks.
Does not belong here: what a break is (`contracts/promise.py`), refusing it (`stores/evolution.py`).

Nothing here knows Dagster; stores are opened for what is published and nothing else.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from shared_resources.contracts.model import Contract
from shared_resources.contracts.promise import Break, Promise, may_break
from shared_resources.data_products.placement import misplaced
from shared_resources.environment import Environment
from shared_resources.evidence.record import Evidence, NoEvidence
from shared_resources.findings import Finding
from shared_resources.mesh import Domain, Mesh, ProductFolder
from shared_resources.stores.evolution import lowered, repartitioned
from shared_resources.stores.opening import holding
from shared_resources.stores.protocol import Unreadable, Version

RULE = "breaking_change"
_RISE = "raise it, at least to the published one"
_WHATEVER_VERSION = "do one of these: no version of the contract permits it as it is"


def breaking_changes(
    environment: Environment, mesh: Mesh, domains: Sequence[Domain]
) -> Iterator[Finding]:
    """A finding for each thing that published readers rely on and a contract no longer promises.

    Publication refuses the same without a new major version; this says so before, and whom it hits.
    Versions of earlier releases, which do not say what was promised, are passed over.
    """
    for domain in domains:
        for product, contract in domain.contracts:
            if contract.key == product.key:
                yield from _of_product(environment, mesh, product, contract)


def _of_product(
    environment: Environment, mesh: Mesh, product: ProductFolder, contract: Contract
) -> Iterator[Finding]:
    try:
        if why := misplaced(environment, contract):
            yield Finding(
                product.contract_file, product.line("servers"), RULE, why, _WHATEVER_VERSION
            )
            return
        _, versions = holding(environment, contract.key)
        if not versions:
            return
        current = versions[-1]
        evidence = Evidence.read(current.properties, _named(current))
    except (Unreadable, NoEvidence) as problem:
        yield Finding(
            product.contract_file, 0, RULE, str(problem), "until then nobody can say what breaks"
        )
        return
    if evidence.promise is None:
        return
    by = evidence.promise.partitioned_by
    if by is not None and (why := repartitioned(contract, by)):
        yield Finding(
            product.contract_file, product.line("customProperties"), RULE, why, _WHATEVER_VERSION
        )
    if may_break(evidence.contract_version, contract.version):
        return
    breaks = evidence.promise.broken_by(Promise.of(contract))
    if not breaks and (why := lowered(contract, evidence.contract_version)):
        yield Finding(product.contract_file, product.line("version"), RULE, why, _RISE)
    for found in breaks:
        hit = _consumers(mesh, product.key, found.columns)
        yield Finding(
            product.contract_file,
            _line(product, contract, found),
            RULE,
            f"{product.key}: {found.message}, against version {evidence.contract_version} of the "
            f"contract, under which {_named(current)} is published; "
            + (f"it breaks {'; '.join(hit)}" if hit else "nothing in this mesh reads it"),
            f"take it back, or raise the version from {contract.version} to a new major version above "
            f"{evidence.contract_version}, once the consumers are ready",
        )


def _named(version: Version) -> str:
    return f"version {version.number} of {version.product} in the {version.store}"


def _line(product: ProductFolder, contract: Contract, found: Break) -> int:
    """The line of the first of the columns that is still there, else of the contract's version."""
    lines = {column.name: column.line for column in contract.columns}
    return next((lines[name] for name in found.columns if name in lines), product.line("version"))


def _consumers(mesh: Mesh, key: str, columns: Collection[str]) -> list[str]:
    """Each product that reads one of these columns or relates to it, with those that it uses."""
    hit: dict[str, set[str]] = {}
    for consumer in mesh.consumers(key):
        for reference in consumer.references:
            used = (
                set(columns) if reference.columns is None else set(columns) & {*reference.columns}
            )
            if reference.key == key and used:
                hit.setdefault(consumer.key, set()).update(used)
    return [f"{consumer} ({', '.join(sorted(used))})" for consumer, used in sorted(hit.items())]

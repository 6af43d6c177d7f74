"""Contracts beside what is published under them: what would break, and for whom.

Belongs here: comparing each contract's promise with the published version's, and naming the consumers
in this mesh that use what breaks.
Does not belong here: what a break is (`contracts/promise.py`), refusing it (`stores/evolution.py`).

Nothing here knows Dagster; stores are opened for what is published and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from shared_resources.contracts.changes.change import Change
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
# The consumers of what breaks, each with the columns that it uses of it.
Hit = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Compared:
    """A contract beside what is published under it.

    `published` names that, with its contract's version and digest, or is empty. `findings` are what may
    not be; `hit` are the consumers of whatever `breaks`, `permitted` of which is what a new major
    version takes upon itself.
    """

    published: str = ""
    contract_version: str = ""
    contract_digest: str = ""
    findings: tuple[Finding, ...] = ()
    breaks: tuple[Break, ...] = ()
    permitted: tuple[Break, ...] = ()
    hit: Hit = field(default_factory=dict)


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
                yield from compared(environment, mesh, product, contract).findings


def compared(
    environment: Environment, mesh: Mesh, product: ProductFolder, contract: Contract
) -> Compared:
    """The contract beside the version of its product that readers see."""
    try:
        if why := misplaced(environment, contract):
            line = product.line("servers")
            found = Finding(product.contract_file, line, RULE, why, _WHATEVER_VERSION)
            return Compared(findings=(found,))
        _, versions = holding(environment, contract.key)
        if not versions:
            return Compared()
        current = versions[-1]
        evidence = Evidence.read(current.properties, _named(current))
    except (Unreadable, NoEvidence) as problem:
        remedy = "until then nobody can say what breaks"
        return Compared(findings=(Finding(product.contract_file, 0, RULE, str(problem), remedy),))
    under = Compared(_named(current), evidence.contract_version, evidence.contract_digest)
    if evidence.promise is None:
        return under
    findings = []
    by = evidence.promise.partitioned_by
    if by is not None and (why := repartitioned(contract, by)):
        line = product.line("customProperties")
        findings.append(Finding(product.contract_file, line, RULE, why, _WHATEVER_VERSION))
    breaks = evidence.promise.broken_by(Promise.of(contract))
    under = replace(under, breaks=breaks, hit=consumers_hit(mesh, product.key, breaks))
    if may_break(evidence.contract_version, contract.version):
        return replace(under, findings=tuple(findings), permitted=breaks)
    if not breaks and (why := lowered(contract, evidence.contract_version)):
        line = product.line("version")
        findings.append(Finding(product.contract_file, line, RULE, why, _RISE))
    against = f"under which {_named(current)} is published"
    findings += (
        break_finding(mesh, product, contract, found, evidence.contract_version, against)
        for found in breaks
    )
    return replace(under, findings=tuple(findings))


def break_finding(
    mesh: Mesh, product: ProductFolder, contract: Contract, found: Break, before: str, where: str
) -> Finding:
    """What breaks of the contract's version `before`, which stood `where`, and for whom."""
    hit = consumers_hit(mesh, product.key, (found,))
    return Finding(
        product.contract_file,
        _line(product, contract, found),
        RULE,
        f"{product.key}: {found.message}, against version {before} of the contract, {where}; "
        + (f"it breaks {in_words(hit)}" if hit else "nothing in this mesh reads it"),
        f"take it back, or raise the version from {contract.version} to a new major version above "
        f"{before}, once the consumers are ready",
    )


def _named(version: Version) -> str:
    return f"version {version.number} of {version.product} in the {version.store}"


def _line(product: ProductFolder, contract: Contract, found: Break) -> int:
    """The line of what changed, or of the first of the columns that is still there, else of the
    contract's version."""
    if isinstance(found, Change) and found.line:
        return found.line
    lines = {column.name: column.line for column in contract.columns}
    return next((lines[name] for name in found.columns if name in lines), product.line("version"))


def consumers_hit(mesh: Mesh, key: str, breaks: Iterable[Break]) -> Hit:
    """Each product that reads one of the columns or relates to it, with those that it uses. What is
    about no column is about the whole product, and hits whoever reads it."""
    breaks = tuple(breaks)
    columns = {name for found in breaks for name in found.columns}
    whole = any(not found.columns for found in breaks)
    hit: dict[str, set[str]] = {}
    for consumer in mesh.consumers(key):
        for reference in consumer.references:
            used = columns if reference.columns is None else columns & {*reference.columns}
            if reference.key == key and (used or whole):
                hit.setdefault(consumer.key, set()).update(used)
    return {consumer: tuple(sorted(used)) for consumer, used in sorted(hit.items())}


def in_words(hit: Hit) -> str:
    """`order/baskets (amount, day); order/sales`: the latter by what is about no column."""
    return "; ".join(f"{one} ({', '.join(used)})" if used else one for one, used in hit.items())

"""Contracts beside what is published under them: what would break, and for whom.

Belongs here: comparing each contract with the one that the published version was made under, or with
what the version says itself where nobody has that.
Does not belong here: what a break is (`contracts/`), who reads the product (`consumers.py`), refusing
a publication (`refusing.py`, `stores/evolution.py`).

Nothing here knows Dagster; stores are opened for what is published and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from shared_resources.contracts.changes.change import Change
from shared_resources.contracts.changes.comparing import breaks as broken
from shared_resources.contracts.model import Contract
from shared_resources.contracts.promise import Break, Promise, next_breaking
from shared_resources.data_products.compared.consumers import (
    Hit,
    consumers_hit,
    in_words,
    permitted,
)
from shared_resources.data_products.compared.kept import kept_contract
from shared_resources.data_products.placement import misplaced
from shared_resources.environment import Environment
from shared_resources.evidence.record import Evidence, NoEvidence
from shared_resources.findings import Finding
from shared_resources.governance.stopped import why_resting
from shared_resources.mesh import Domain, Mesh, ProductFolder
from shared_resources.stores.evolution import lowered, repartitioned
from shared_resources.stores.opening import holding
from shared_resources.stores.protocol import Unreadable, Version

RULE = "breaking_change"
_RISE = "raise it, at least to the published one"
_WHATEVER_VERSION = "do one of these: no version of the contract permits it as it is"
# Where the contract of a digest may be found beside those kept with what is published.
Elsewhere = Callable[[str], Contract | None]


def nowhere_else(_: str) -> Contract | None:
    return None


@dataclass(frozen=True)
class Compared:
    """A contract beside what is published under it.

    `published` names that, with its contract's version and digest, or is empty; `was` is that contract,
    None where nobody has it. `findings` are what may not be; those of `never` no version permits.
    `hit` are the consumers of whatever `breaks`, `permitted` of which is what a new version takes upon
    itself.
    """

    published: str = ""
    contract_version: str = ""
    contract_digest: str = ""
    was: Contract | None = None
    findings: tuple[Finding, ...] = ()
    never: tuple[Finding, ...] = ()
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
            # Under a contract that rests nothing is published, and what is published stays.
            if contract.key == product.key and why_resting(contract) is None:
                yield from compared(environment, mesh, product, contract).findings


def compared(
    environment: Environment,
    mesh: Mesh,
    product: ProductFolder,
    contract: Contract,
    elsewhere: Elsewhere = nowhere_else,
) -> Compared:
    """The contract beside the version of its product that readers see."""
    try:
        if why := misplaced(environment, contract):
            line = product.line("servers")
            return _never(Finding(product.contract_file, line, RULE, why, _WHATEVER_VERSION))
        _, versions = holding(environment, contract.key)
        if not versions:
            return Compared()
        current = versions[-1]
        evidence = Evidence.read(current.properties, _named(current))
    except (Unreadable, NoEvidence) as problem:
        remedy = "until then nobody can say what breaks"
        return _never(Finding(product.contract_file, 0, RULE, str(problem), remedy))
    digest = evidence.contract_digest
    was = kept_contract(environment, contract, digest) or elsewhere(digest)
    under = Compared(_named(current), evidence.contract_version, digest, was)
    if evidence.promise is None and was is None:
        return under
    by = _partitioned_by(evidence.promise, was)
    if by is not None and (why := repartitioned(contract, by)):
        line = product.line("customProperties")
        never = (Finding(product.contract_file, line, RULE, why, _WHATEVER_VERSION),)
        under = replace(under, findings=never, never=never)
    breaks = _breaks(evidence.promise, was, contract)
    return _judged(mesh, product, contract, replace(under, breaks=breaks))


def _never(found: Finding) -> Compared:
    return Compared(findings=(found,), never=(found,))


def _judged(mesh: Mesh, product: ProductFolder, contract: Contract, under: Compared) -> Compared:
    """With what of the breaks is permitted, and what is not."""
    breaks, before = under.breaks, under.contract_version
    under = replace(under, hit=consumers_hit(mesh, product.key, breaks))
    if permitted(before, contract.version, under.hit) and not lowered(contract, before):
        return replace(under, permitted=breaks)
    findings = [*under.findings]
    if not breaks and (why := lowered(contract, before)):
        line = product.line("version")
        findings.append(Finding(product.contract_file, line, RULE, why, _RISE))
    against = f"under which {under.published} is published"
    findings += (break_finding(mesh, product, contract, one, before, against) for one in breaks)
    return replace(under, findings=tuple(findings))


def _partitioned_by(promise: Promise | None, was: Contract | None) -> str | None:
    if was is None:
        return promise.partitioned_by if promise is not None else None
    return was.partitioning.column if was.partitioning else ""


def _breaks(promise: Promise | None, was: Contract | None, contract: Contract) -> tuple[Break, ...]:
    """By the whole contract where it is known; else by what the version says of itself."""
    if was is None:
        return promise.broken_by(Promise.of(contract)) if promise is not None else ()
    # Of other partitions it is said apart that no version permits them.
    return tuple(
        one for one in broken(was, contract) if one.clause != "customProperties.partitions"
    )


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
        f"take it back, or raise the version from {contract.version} to {next_breaking(before)}, once "
        "the consumers are ready",
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

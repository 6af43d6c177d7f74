"""Whether a release may go into service: its contracts, its policies, and who else it would break.

Belongs here: the findings about releases that are deployed together, against the registry and against
what is published.
Does not belong here: what each finding is (`governance/`, `data_products/compared/`), tests
(`domain_tests.py`).

A release is judged as it will run: by its own files, and by what the others promised.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from shared_resources.contracts.changes.comparing import breaks
from shared_resources.contracts.promise import may_break
from shared_resources.data_products.compared.breaks import (
    break_finding,
    breaking_changes,
)
from shared_resources.data_products.compared.consumers import consumers_hit, in_words, permitted
from shared_resources.environment import Environment
from shared_resources.findings import Finding
from shared_resources.governance.catalogue import check_domain
from shared_resources.governance.decisions import central_findings
from shared_resources.governance.unconfirmed import unconfirmed
from shared_resources.mesh import Domain, Mesh, ProductFolder, read_mesh
from shared_resources.mesh.code.definitions_file import definitions_findings
from shared_resources.mesh.code.product_code import installed_in
from shared_resources.mesh.kept_contracts import read_contract_anew
from shared_resources.mesh.promised import Registered, read_promised
from shared_resources.releasing.releases import Release


@dataclass(frozen=True)
class Judgement:
    """`findings` forbid it. `broken` says whom it breaks though its contracts permit it: by a new major
    version, or since a product goes away."""

    findings: tuple[Finding, ...]
    broken: tuple[str, ...]


def judge(
    environment: Environment,
    releases: Sequence[Release],
    places: Callable[[Release], Sequence[str]],
    *,
    back: bool = False,
) -> Judgement:
    """What is to be said of releases that go into service together.

    `places` is where what a release imports is installed. Who goes `back` to an earlier release lowers
    contracts' versions, which is no break by itself: whom it hits counts.
    """
    together = {release.domain: release for release in releases}

    def registered(domains: Collection[str] | None) -> Registered:
        """The registry without those whose releases are looked at."""
        found = environment.registry.promised(domains)
        rest = {name: one for name, one in found.promises.items() if name not in together}
        return Registered(rest, found.central)

    own = {}
    for name, release in together.items():
        with installed_in(places(release)):
            own[name] = read_mesh(release.root).domain(name)
    promised = environment.registry.promised([*together]).promises
    findings: set[Finding] = set()
    broken: list[str] = []
    for name, release in together.items():
        with installed_in(places(release)):
            mesh = read_mesh(release.root, registered=registered)
        others = [domain for other, domain in own.items() if other != name]
        domains = sorted((*mesh.domains, *others), key=lambda one: one.name)
        mesh = Mesh(mesh.root, tuple(domains), mesh.central)
        domain = mesh.domain(name)
        findings.update(check_domain(domain, mesh).findings, central_findings(mesh.central))
        findings.update(definitions_findings(domain.folder), unconfirmed(domain))
        findings.update(breaking_changes(environment, mesh, [domain]))
        if name in promised:
            before = read_promised(promised[name], read_contract_anew)
            if not back:
                findings.update(_not_permitted(mesh, before, domain))
            broken += consumers_broken(mesh, before, domain, always=back)
    return Judgement(tuple(sorted(findings)), tuple(broken))


def shown(findings: Sequence[Finding], releases: Sequence[Release]) -> list[str]:
    """Each in a line, with files as they are called in the project."""
    lines = [str(one) for one in findings]
    for release in releases:
        lines = [line.replace(f"{release.root}/", "") for line in lines]
    return lines


def _not_permitted(mesh: Mesh, before: Domain, now: Domain) -> Iterator[Finding]:
    """What the domain promised by the registry and would break without a new major version."""
    for old, new in _pairs(before, now):
        if new is None or new.contract is None or old.contract is None:
            continue
        broken, before_ = breaks(old.contract, new.contract), old.contract.version
        if permitted(before_, new.contract.version, consumers_hit(mesh, new.key, broken)):
            continue
        for found in broken:
            yield break_finding(mesh, new, new.contract, found, before_, "which is deployed")


def consumers_broken(mesh: Mesh, before: Domain, now: Domain, *, always: bool) -> Iterator[str]:
    """Whom it breaks where a contract permits it by its version, or `always`."""
    for old, new in _pairs(before, now):
        if new is None:
            readers = sorted(one.key for one in mesh.consumers(old.key))
            if readers:
                yield f"{old.key} is gone, and is read by {', '.join(readers)}"
        elif old.contract is not None and new.contract is not None:
            if not (always or may_break(old.contract.version, new.contract.version)):
                continue
            for found in breaks(old.contract, new.contract):
                if hit := consumers_hit(mesh, old.key, (found,)):
                    yield f"{old.key}: {found.message}, which breaks {in_words(hit)}"


def _pairs(before: Domain, now: Domain) -> Iterator[tuple[ProductFolder, ProductFolder | None]]:
    there = {product.name: product for product in now.products}
    for product in before.products:
        yield product, there.get(product.name)

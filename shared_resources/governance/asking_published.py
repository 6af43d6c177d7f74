"""What policies find in what is published: said by `mesh check`, and stopping nothing.

Belongs here: opening what readers see for the policies that look at it; severity and waivers of what
they find.
Does not belong here: what is shown to them (`published.py`), the policies (`policies/`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from shared_resources.contracts.model import Severity
from shared_resources.environment import Environment
from shared_resources.evidence.record import NoEvidence
from shared_resources.findings import Finding
from shared_resources.governance.catalogue import all_policies, load_time_policies, utc_today
from shared_resources.governance.published import Published, PublishedTable
from shared_resources.governance.waivers import (
    DomainCheck,
    WaivedFinding,
    apply_waivers,
    judge_waivers,
)
from shared_resources.mesh import Domain, Mesh
from shared_resources.stores.protocol import NotPublished, ProductStore, Unreadable


def ask_published(
    environment: Environment, mesh: Mesh, domains: Iterable[Domain], *, opened: bool = False
) -> DomainCheck:
    """What the policies find in the versions that readers see of the domains' products, by what stands in
    their evidence, and with `opened` in the tables, too."""
    published = published_in(environment, opened=opened)
    findings: list[Finding] = []
    warnings: list[Finding] = []
    waived: list[WaivedFinding] = []
    policies = [policy for policy in load_time_policies() if policy.published is not None]
    warn = {p.name for p in policies if p.severity_under(mesh.central) is Severity.WARNING}
    for domain in domains:
        found = [
            one
            for policy in policies
            if policy.published is not None
            for one in policy.published(domain, mesh, published)
        ]
        valid, _ = judge_waivers(domain, mesh.central, all_policies(), utc_today())
        outcome = apply_waivers(domain, sorted(set(found)), valid)
        findings += [one for one in outcome.findings if one.rule not in warn]
        warnings += [one for one in outcome.findings if one.rule in warn]
        waived += outcome.waived
    return DomainCheck(tuple(findings), tuple(waived), tuple(warnings))


def published_in(environment: Environment, *, opened: bool = False) -> Published:
    """What readers see of a product in each store of the environment; what cannot be read is left out,
    as `mesh check` says that of its own. Tables are `opened` for their schema alone."""
    known: dict[str, Sequence[PublishedTable]] = {}

    def of(key: str) -> Sequence[PublishedTable]:
        if key not in known:
            known[key] = tuple(
                found
                for store in environment.stores.values()
                if (found := _table(store, key, opened)) is not None
            )
        return known[key]

    return of


def _table(store: ProductStore, key: str, opened: bool) -> PublishedTable | None:
    schema = None
    try:
        versions = store.versions(key)
        if not versions:
            return None
        version = versions[-1]
        if opened:
            snapshot = store.open(key)
            version = snapshot.version
            schema = {field.name: field.type for field in snapshot.schema}
    except (NotPublished, NoEvidence, Unreadable):
        return None
    return PublishedTable(store.name, version.number, schema, version.evidence_or_none)

"""What the central policies, and everything else that `mesh check` looks for, find in a domain.

Belongs here: a case a policy, and the cases of what belongs to the whole mesh.
Does not belong here: the policies (`governance/`), what breaks a contract (`verdicts.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from shared_resources.environment import Environment
from shared_resources.findings import Finding
from shared_resources.governance.catalogue import (
    WaivedFinding,
    check_domain,
    load_time_policies,
)
from shared_resources.governance.decisions import central_findings
from shared_resources.governance.unconfirmed import unconfirmed
from shared_resources.mesh import Domain, Mesh
from shared_resources.mesh.locations import location_findings
from shared_resources.reviewing.cases import Case, Kind, Outcome


def of_domain(mesh: Mesh, domain: Domain) -> Iterator[Case]:
    """A case for each policy on files, and for each other rule that finds something."""
    check = check_domain(domain, mesh)
    located = (one for one in location_findings(mesh) if _is_of(one, domain))
    found = sorted({*check.findings, *unconfirmed(domain), *located})
    names = [policy.name for policy in load_time_policies()]
    yield from _cases(found, check.waived, names, check.warnings)


def of_published(environment: Environment, mesh: Mesh, domain: Domain) -> Iterator[Case]:
    """A case for each policy that also looks at what is published: at its tables, and at where its
    columns turned out to come from."""
    from shared_resources.governance.asking_published import ask_published

    check = ask_published(environment, mesh, [domain], opened=True)
    names = [policy.name for policy in load_time_policies() if policy.published is not None]
    for case in _cases(sorted(check.findings), check.waived, names, check.warnings):
        yield replace(case, name=f"{case.name}, of what is published")


def of_mesh(mesh: Mesh) -> Iterator[Case]:
    """What is wrong with the central file and the workspace, and is no one domain's."""
    located = (
        one for one in location_findings(mesh) if not any(_is_of(one, d) for d in mesh.own_domains)
    )
    yield from _cases(
        sorted({*central_findings(mesh.central), *located}), (), ("central", "location")
    )


def _is_of(finding: Finding, domain: Domain) -> bool:
    return finding.file.is_relative_to(domain.folder)


def _cases(
    found: Sequence[Finding],
    waived: Iterable[WaivedFinding],
    names: Sequence[str],
    warnings: Sequence[Finding] = (),
) -> Iterator[Case]:
    by_rule = {
        rule: tuple(of)
        for rule, of in groupby(sorted(found, key=lambda one: one.rule), lambda one: one.rule)
    }
    suspended: dict[str, list[WaivedFinding]] = {}
    for one in waived:
        suspended.setdefault(one.finding.rule, []).append(one)
    others = {*by_rule, *(one.rule for one in warnings)} - set(names)
    for name in (*names, *sorted(others)):
        findings = by_rule.get(name, ())
        waivers = [str(one) for one in suspended.get(name, ())]
        if findings:
            said = "; ".join(f"{one.message} -> {one.remedy}" for one in findings)
            outcome = Outcome.FAILED
        else:
            warned = [f"warning: {one}" for one in warnings if one.rule == name]
            said, outcome = "; ".join((*waivers, *warned)), Outcome.PASSED
        yield Case(Kind.POLICY, name, outcome, said, findings, {"waived": waivers})

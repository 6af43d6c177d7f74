"""`mesh check`: every contract, policy and location, from the files and against what is published.

Belongs here: the command and how its findings are shown.
Does not belong here: what is looked for (`contracts/`, `governance/`, `mesh/`).

No Dagster or pandas is imported, and no store where nothing is published or `--static` is given: this
is what an editor or a commit hook runs.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from shared_resources import wiring
from shared_resources.cli.output import say
from shared_resources.contracts.model import Contract
from shared_resources.environment import Environment
from shared_resources.findings import Finding
from shared_resources.governance.catalogue import (
    WaivedFinding,
    all_policies,
    check_domain,
    utc_today,
)
from shared_resources.governance.decisions import central_findings
from shared_resources.governance.unconfirmed import unconfirmed
from shared_resources.mesh import Domain, Mesh, ProductFolder, read_whole_mesh
from shared_resources.mesh.locations import location_findings
from shared_resources.mesh.majors import EarlierMajor, earlier_major, past_sunset


@dataclass(frozen=True)
class _Result:
    """What was checked, and what was found in it."""

    domains: tuple[Domain, ...]
    findings: tuple[Finding, ...]
    waived: tuple[WaivedFinding, ...]
    warnings: tuple[Finding, ...] = ()
    earlier: tuple[str, ...] = ()  # major versions that are served beside the current one

    @property
    def products(self) -> tuple[ProductFolder, ...]:
        return tuple(product for domain in self.domains for product in domain.products)

    @property
    def clauses(self) -> tuple[int, int]:
        """(enforced, not enforced) over all valid contracts."""
        flags = [
            clause.enforced
            for product in self.products
            if product.contract is not None
            for clause in product.contract.clauses
        ]
        return sum(flags), len(flags) - sum(flags)


@click.command(epilog="Example: mesh check --domain order")
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
@click.option("--domain", "only", metavar="NAME", help="Look at one domain.")
@click.option(
    "--clauses",
    "clauses_of",
    metavar="DOMAIN/PRODUCT",
    help="List each clause of a contract: what enforces it, or why nothing does.",
)
@click.option("--static", is_flag=True, help="Look at the files alone, at nothing published.")
@click.option(
    "--data",
    is_flag=True,
    help="Compare published files with their SHA-256, tables with what was promised.",
)
def check(
    as_json: bool, only: str | None, clauses_of: str | None, static: bool, data: bool
) -> None:
    """Check every contract, policy and location, without loading any of them, and whether each
    contract keeps what was published under it.

    Prints one line a finding, with file, line and remedy; exits with 1 if there is one.
    """
    if static and data:
        raise click.UsageError("--static looks at nothing published, and --data at all of it")
    here = wiring.current()
    root = here.root
    if not (root / "domains").is_dir():
        raise click.UsageError(f"there is no folder {root / 'domains'}; set MESH_ROOT")
    mesh = read_whole_mesh(here)
    if clauses_of is not None:
        _show_clauses(mesh, clauses_of, as_json)
        return
    result = _check(mesh, only, None if static else here, data)
    if as_json:
        from shared_resources.cli.tables import print_json

        print_json(_as_json(result, root))
    else:
        _show(result, root)
    if result.findings:
        sys.exit(1)


def _check(
    mesh: Mesh, only: str | None, published: Environment | None, data: bool = False
) -> _Result:
    names = [domain.name for domain in mesh.own_domains]
    if only is not None and only not in names:
        known = ", ".join(names) or "none yet"
        raise click.UsageError(f"there is no domain {only!r}; there are: {known}")
    domains = tuple(d for d in mesh.own_domains if only in (None, d.name))
    outcomes = [check_domain(domain, mesh) for domain in domains]
    found = {finding for outcome in outcomes for finding in outcome.findings}
    found.update(finding for domain in domains for finding in unconfirmed(domain))
    today = utc_today()
    found.update(one for domain in domains for _, one in past_sunset(mesh, domain, today))
    if only is None:
        found.update(location_findings(mesh), mesh.findings, central_findings(mesh.central))
    if published is not None and published.holds_anything:
        from shared_resources.data_products.compared.breaks import breaking_changes
        from shared_resources.data_products.compared.proofs import damages, unproven
        from shared_resources.governance.asking_published import ask_published

        found.update(breaking_changes(published, mesh, domains), unproven(published, domains))
        asked = ask_published(published, mesh, domains, opened=data)
        found.update(asked.findings)
        outcomes.append(asked)
        if data:
            found.update(damages(published, domains))
    return _Result(
        domains,
        tuple(sorted(found)),
        tuple(waived for outcome in outcomes for waived in outcome.waived),
        tuple(warning for outcome in outcomes for warning in outcome.warnings),
        tuple(
            f"{earlier.key}: {earlier}"
            for domain in domains
            for _, contract in domain.contracts
            if (earlier := _earlier(mesh, contract, published)) is not None
        ),
    )


def _earlier(mesh: Mesh, contract: Contract, published: Environment | None) -> EarlierMajor | None:
    """Who reads it of late is known where something is published."""
    if published is None or contract.previous_major is None:
        return earlier_major(mesh, contract)
    from shared_resources.governance.earlier_majors import read_earlier_major

    return read_earlier_major(published, mesh, contract)


def _show(result: _Result, root: Path) -> None:
    for finding in result.findings:
        say(_line(finding, root))
    for warning in result.warnings:
        say(f"warning: {_line(warning, root)}")
    for waived in result.waived:
        say(f"waived: {_line(waived, root)}")
    for earlier in result.earlier:
        say(f"two majors: {earlier}")
    enforced, not_enforced = result.clauses
    warned = f"{_count(len(result.warnings), 'warning')}, " if result.warnings else ""
    say(
        f"{_count(len(result.domains), 'domain')}, {_count(len(result.products), 'contract')}, "
        f"{_count(len(all_policies()), 'policy', 'policies')}; clauses: {enforced} enforced, "
        f"{not_enforced} not enforced; {_count(len(result.findings), 'finding')}, "
        f"{warned}{len(result.waived)} waived"
    )


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def _line(finding: Finding | WaivedFinding, root: Path) -> str:
    """One line, whatever the message holds; paths as seen from the project's root."""
    return " ".join(str(finding).replace(f"{root}/", "").split())


def _as_json(result: _Result, root: Path) -> dict[str, Any]:
    enforced, not_enforced = result.clauses
    return {
        "passed": not result.findings,
        "domains": [domain.name for domain in result.domains],
        "contracts": [product.key for product in result.products],
        "policies": sorted(all_policies()),
        "clauses": {"enforced": enforced, "not_enforced": not_enforced},
        "findings": [_finding_as_json(finding, root) for finding in result.findings],
        "warnings": [_finding_as_json(finding, root) for finding in result.warnings],
        "waived": [
            {
                **_finding_as_json(waived.finding, root),
                "reason": waived.waiver.reason,
                "approver": waived.waiver.approver,
                "expires": waived.waiver.expires.isoformat(),
            }
            for waived in result.waived
        ],
    }


def _finding_as_json(finding: Finding, root: Path) -> dict[str, Any]:
    file = finding.file.relative_to(root) if finding.file.is_relative_to(root) else finding.file
    return {
        "file": file.as_posix(),
        "line": finding.line,
        "rule": finding.rule,
        "message": finding.message,
        "remedy": finding.remedy,
    }


def _show_clauses(mesh: Mesh, key: str, as_json: bool) -> None:
    try:
        product = mesh.product(key)
    except KeyError:
        known = ", ".join(product.key for product in mesh.products) or "none yet"
        raise click.UsageError(f"there is no product {key!r}; there are: {known}") from None
    if product.contract is None:
        broken = [
            finding for finding in mesh.findings if finding.file.is_relative_to(product.folder)
        ]
        say(f"mesh: the contract of {key} is not valid:", err=True)
        for finding in broken:
            say(_line(finding, mesh.root), err=True)
        sys.exit(1)
    rows = [
        {"line": c.line, "clause": c.path, "enforced": c.enforced, "how": c.how}
        for c in product.contract.clauses
    ]
    from shared_resources.cli.tables import print_json, print_table  # rich is slow to import

    if as_json:
        print_json(rows)
        return

    print_table(rows, ["line", "clause", "enforced", "how"])

"""What other policies, or another central file, would find over the whole mesh, before they are merged.

Belongs here: the findings of now beside those that there would be; each with its domain and owners.
Does not belong here: policies, how what is found is shown (`cli/`).

Policies on data are asked of the version of each product that readers see, where their rules differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from shared_resources.contracts.model import Contract, Rule, Severity
from shared_resources.contracts.rules.batch.volume import KIND as VOLUME
from shared_resources.environment import Environment
from shared_resources.findings import Finding
from shared_resources.governance.catalogue import all_policies, check_domain, data_time_rules
from shared_resources.governance.decisions import central_findings
from shared_resources.governance.policy import Policy
from shared_resources.mesh import Central, Domain, Mesh
from shared_resources.stores.opening import open_product
from shared_resources.stores.protocol import NotPublished, Snapshot, Unreadable

WAIVED = "waived"


@dataclass(frozen=True, order=True)
class Said:
    """A finding in a domain, empty of the central file. `how`: blocking, warning or waived."""

    domain: str
    finding: Finding
    how: str
    owners: tuple[str, ...] = ()
    waiver: str = ""


@dataclass(frozen=True)
class DryRun:
    """`unasked` are the products whose rows were not looked at, with the reason, and what no published
    version can be asked."""

    new: tuple[Said, ...]
    gone: tuple[Said, ...]
    unasked: tuple[str, ...] = ()

    @property
    def blocking(self) -> tuple[Said, ...]:
        return tuple(one for one in self.new if one.how == Severity.BLOCKING.value)


def dry_run(
    environment: Environment, mesh: Mesh, tried: Iterable[Policy], central: Central | None
) -> DryRun:
    """What would be found if the policies `tried` were there, and `central` were what is decided.

    Of a policy that is there under the same name already, its findings are new ones; one from a file
    takes the place of that of its name.
    """
    policies = {policy.name: policy for policy in tried}
    there = all_policies()
    # Whoever asks for one that is there wants to see what it finds, not that nothing changes.
    before = {name: policy for name, policy in there.items() if policies.get(name) is not policy}
    after = dict(sorted({**there, **policies}.items()))
    decided = mesh.central if central is None else central
    now = set(_of_files(mesh, before, mesh.central))
    then = set(_of_files(mesh, after, decided))
    rows = _Rows(environment, mesh)
    for domain in mesh.domains:
        for product, contract in domain.contracts:
            was = data_time_rules(contract, domain.waivers, mesh.central, policies=before.values())
            will = data_time_rules(contract, domain.waivers, decided, policies=after.values())
            now.update(rows.findings(domain, product.contract_file, contract, was, will))
            then.update(rows.findings(domain, product.contract_file, contract, will, was))
    return DryRun(tuple(sorted(then - now)), tuple(sorted(now - then)), tuple(sorted(rows.unasked)))


def _of_files(mesh: Mesh, policies: Mapping[str, Policy], central: Central) -> Iterator[Said]:
    for finding in central_findings(central, {**all_policies(), **policies}):
        yield Said("", finding, Severity.BLOCKING.value)
    under = Mesh(
        mesh.root, tuple(replace(domain, central=central) for domain in mesh.domains), central
    )
    for domain in under.domains:
        check = check_domain(domain, under, policies={**policies})
        for finding in check.findings:
            yield Said(domain.name, finding, Severity.BLOCKING.value, domain.owners)
        for finding in check.warnings:
            yield Said(domain.name, finding, Severity.WARNING.value, domain.owners)
        for one in check.waived:
            waiver = f"until {one.waiver.expires} by {one.waiver.approver}: {one.waiver.reason}"
            yield Said(domain.name, one.finding, WAIVED, domain.owners, waiver)


class _Rows:
    """Asks rules of what is published."""

    def __init__(self, environment: Environment, mesh: Mesh) -> None:
        self._environment = environment
        self._mesh = mesh
        self.unasked: set[str] = set()

    def findings(
        self,
        domain: Domain,
        file: Path,
        contract: Contract,
        rules: tuple[Rule, ...],
        others: tuple[Rule, ...],
    ) -> Iterator[Said]:
        """What those of the rules find that are not among the `others`."""
        known = {repr(rule) for rule in others}
        asked = [rule for rule in rules if repr(rule) not in known]
        if any(rule.kind == VOLUME.name for rule in asked):
            self.unasked.add("how many rows are usual: that compares a batch with those before it")
            asked = [rule for rule in asked if rule.kind != VOLUME.name]
        if not asked or (published := self._published(contract)) is None:
            return
        from shared_resources.governance.audit.audit import audit  # DuckDB is slow to import

        report = audit(published, contract, rules=asked, scratch=self._environment.scratch)
        for one in report.results:
            if not one.passed:
                name = one.rule.name.removeprefix("policy_")
                said = f"{contract.key}, version {published.version.number}: {one.message}"
                found = Finding(file, 0, name, said, one.rule.description or "mend the data")
                how = WAIVED if one.rule.reason else one.rule.severity.value
                yield Said(domain.name, found, how, domain.owners, one.rule.reason)

    def _published(self, contract: Contract) -> Snapshot | None:
        try:
            return open_product(self._environment, contract.key)
        except NotPublished:
            return None
        except Unreadable as problem:
            self.unasked.add(f"{contract.key}: {problem}")
            return None

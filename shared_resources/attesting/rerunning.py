"""Running a version's rules again over the rows that are stored.

Belongs here: the rules and the contract as they were then, the rows, comparing what they come to.
Does not belong here: the audit (`governance/audit/`), what was attested (`verifying.py`).

What cannot be run again is said, and is no difference: a policy that reads otherwise today, a domain's
own code that has changed since, dbt's tests, a referenced version that has expired.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from shared_resources.attesting.differences import Difference
from shared_resources.contracts.model import UNPARTITIONED, Contract, Rule
from shared_resources.contracts.odcs import compile_contract
from shared_resources.contracts.rules.registry import kind_of
from shared_resources.contracts.source import parse_source
from shared_resources.data_products.history import after, compares
from shared_resources.environment import Environment
from shared_resources.evidence.record import CheckOutcome, Evidence
from shared_resources.evidence.statement import digest_of
from shared_resources.governance.audit.audit import audit_parts
from shared_resources.governance.audit.report import AuditReport
from shared_resources.governance.catalogue import data_time_policies, data_time_rules
from shared_resources.mesh import ProductFolder, Waiver, read_whole_mesh
from shared_resources.mesh.code.maker_code import maker_code
from shared_resources.problems import MeshProblem
from shared_resources.stores.protocol import ProductStore, Snapshot, StagedBatch, Version
from shared_resources.stores.staging.staging import write_staged

OWN_CODE = "custom"


@dataclass(frozen=True)
class Rerun:
    """The rules that were run again on a version, those that were not and why, and what differs."""

    product: str
    store: str
    version: int
    rules: tuple[str, ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()
    differences: tuple[Difference, ...] = ()


def rerun(
    environment: Environment,
    folder: ProductFolder,
    store: ProductStore,
    version: Version,
    terms: Mapping[str, Any] | None,
) -> Rerun:
    """Of one version. `terms` are those that were attested, None where nobody kept them.

    Raises nothing of what a version may be: what cannot be read is found by verifying its files.
    """
    made = _Rerun(environment, folder, store, version, terms or {})
    try:
        report = made.report()
    except MeshProblem as problem:
        return made.nothing(str(problem))
    return made.compared(report)


class _Rerun:
    def __init__(
        self,
        environment: Environment,
        folder: ProductFolder,
        store: ProductStore,
        version: Version,
        terms: Mapping[str, Any],
    ) -> None:
        self._environment = environment
        self._folder = folder
        self._store = store
        self._version = version
        self._terms = terms
        self._evidence: Evidence = version.evidence
        self._skipped: dict[str, str] = {}
        self._rows_read = 0

    def nothing(self, why: str) -> Rerun:
        names = (check.rule for check in self._evidence.checks)
        return self._made((), dict.fromkeys(names, why), ())

    def report(self) -> list[AuditReport]:
        contract = self._contract()
        rules = [rule for rule in self._rules(contract) if self._can(rule)]
        references = dict(self._references(rules))
        rules = [
            r for r in rules if (needs := kind_of(r).product(r)) is None or needs in references
        ]
        rules = [*after(self._before, self._evidence.partitions, rules)]
        snapshot = self._store.open(self._version.product, self._version.number)
        self._environment.scratch.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix="rerun-", dir=self._environment.scratch) as scratch:
            parts = self._parts(snapshot, contract, Path(scratch))
            return audit_parts(
                parts, contract, rules=rules, references=references, folder=self._folder.folder
            )

    def compared(self, reports: list[AuditReport]) -> Rerun:
        found: dict[str, CheckOutcome] = {}
        for report in reports:
            for result in report.results:
                rule, before = result.rule, found.get(result.rule.name)
                rows = _sum(before.rows_failed if before else 0, result.rows_failed)
                passed = result.passed and (before is None or before.passed)
                found[rule.name] = CheckOutcome(rule.name, passed, rule.severity, rows)
        differences = []
        same_rows = self._rows_read == sum(file.rows for file in self._evidence.files)
        for check in self._evidence.checks:
            again = found.get(check.rule)
            if again is None:
                self._skipped.setdefault(check.rule, "no rule of that name is made of it today")
            elif again.passed != check.passed or (same_rows and _count(again) != _count(check)):
                differences.append(
                    Difference(
                        self._version.product,
                        self._version.store,
                        self._version.number,
                        "rerun-differs",
                        check.rule,
                        f"{check.rule} comes to {_said(again)} on the stored rows, recorded is "
                        f"{_said(check)}",
                    )
                )
        known = {check.rule for check in self._evidence.checks}
        ran = tuple(name for name in found if name in known)
        skipped = {name: why for name, why in self._skipped.items() if name in known}
        return self._made(ran, skipped, tuple(differences))

    def _made(
        self, ran: tuple[str, ...], skipped: Mapping[str, str], found: tuple[Difference, ...]
    ) -> Rerun:
        version = self._version
        listed = tuple(skipped.items())
        return Rerun(version.product, version.store, version.number, ran, listed, found)

    def _contract(self) -> Contract:
        """As it was then. Raises `MeshProblem` where its text is not kept, or says nothing today."""
        digest = self._evidence.contract_digest
        text = self._environment.published_contracts.text(digest)
        if text is None:
            raise MeshProblem(f"the text of its contract (SHA-256 {digest[:12]}…) is not kept")
        return compile_contract(parse_source(text, self._folder.contract_file))

    def _rules(self, contract: Contract) -> Iterator[Rule]:
        """The contract's, and of the policies those that read as they did."""
        yield from contract.rules
        held = {str(policy["name"]): policy["digest"] for policy in self._terms.get("policies", ())}
        waived = {str(one["policy"]): one for one in self._terms.get("waivers", ())}
        central = read_whole_mesh(self._environment).central
        for policy in data_time_policies():
            waivers = [_waiver(waived[policy.name], contract)] if policy.name in waived else []
            day = waivers[0].expires if waivers else None
            rules = data_time_rules(contract, waivers, central, today=day, policies=[policy])
            if held.get(policy.name) == digest_of([repr(rule) for rule in rules]):
                yield from rules
                continue
            why = f"the policy {policy.name} reads otherwise today"
            self._skipped.update({rule.name: why for rule in rules})

    def _can(self, rule: Rule) -> bool:
        if rule.kind == OWN_CODE and not self._is_same_code:
            self._skipped[rule.name] = "the domain's code has changed since"
            return False
        if compares(rule) and len(self._before) < self._version.number - 1:
            self._skipped[rule.name] = "versions that it compared with have expired"
            return False
        return True

    @cached_property
    def _before(self) -> Sequence[Version]:
        """The versions before it that are kept."""
        kept = self._store.versions(self._version.product)
        return [one for one in kept if one.number < self._version.number]

    @property
    def _is_same_code(self) -> bool:
        return maker_code(self._environment.root, self._folder).digest == self._evidence.code

    def _references(self, rules: list[Rule]) -> Iterator[tuple[str, Snapshot]]:
        """What relationships look into, at the versions that they looked into."""
        for product in {kind_of(rule).product(rule) for rule in rules} - {None}:
            assert product is not None
            store, number = self._evidence.input_versions.get(product, ("", 0))
            for one in self._environment.stores.values():
                if one.name == store:
                    with suppress(MeshProblem):
                        yield product, one.open(product, number)
            names = [rule.name for rule in rules if kind_of(rule).product(rule) == product]
            why = f"the version of {product} that it looked into is not kept"
            self._skipped.update(dict.fromkeys(names, why))

    def _parts(self, snapshot: Snapshot, contract: Contract, scratch: Path) -> list[StagedBatch]:
        """The rows of each partition of the batch: rules hold for each of them by itself."""
        asked = self._evidence.partitions
        parts = []
        for place, key in enumerate(asked):
            folder = scratch / str(place)
            folder.mkdir()
            chosen = None if key == UNPARTITIONED else (key,)
            files = write_staged(snapshot.batches(partitions=chosen), folder, contract, (key,))
            self._rows_read += sum(file.rows for file in files)
            parts.append(StagedBatch(contract.key, f"rerun-{place}", folder, files, (key,)))
        return parts


def _waiver(said: Mapping[str, Any], contract: Contract) -> Waiver:
    """The waiver that was in force, as far as its words become part of a rule."""
    until = date.fromisoformat(str(said["expires"]))
    return Waiver(
        str(said["policy"]),
        contract.name,
        str(said["reason"]),
        str(said["approver"]),
        until,
        Path(),
    )


def _sum(*counts: int | None) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def _count(check: CheckOutcome) -> int:
    return check.rows_failed or 0


def _said(check: CheckOutcome) -> str:
    rows = f" with {check.rows_failed:,} rows" if check.rows_failed else ""
    return f"{'passed' if check.passed else 'failed'}{rows}"

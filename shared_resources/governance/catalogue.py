"""The catalogue of central policies: finding them, and applying them to a domain.

Belongs here: discovery of `policies/` and of other distributions' policies (entry points of the group
`dagster_data_mesh.policies` that lead to one), `check_domain`, and the rules that policies add to an
audit.
Does not belong here: any policy, or which domain may carry which waiver (`waivers.py`).
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import json
import pkgutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from types import ModuleType

from shared_resources.contracts.model import Contract, Rule, Severity
from shared_resources.extensions import UnusableExtension, extensions
from shared_resources.findings import Finding
from shared_resources.governance import policies
from shared_resources.governance.policy import DataTimePolicy, LoadTimePolicy, Policy
from shared_resources.governance.waivers import (
    DomainCheck,
    WaivedFinding,
    apply_waivers,
    ends_of_waivers,
    judge_waivers,
    soften,
)
from shared_resources.mesh import Central, Domain, Mesh, Waiver
from shared_resources.mesh.model import UNDECIDED
from shared_resources.problems import MeshProblem

__all__ = ["DomainCheck", "PolicyViolation", "WaivedFinding", "check_domain", "data_time_rules"]


GROUP = "dagster_data_mesh.policies"


class PolicyViolation(MeshProblem):
    """Something is wrong with a domain itself, so its location does not load. Lists every finding."""

    def __init__(self, domain: str, findings: Iterable[Finding]) -> None:
        self.domain = domain
        self.findings = tuple(sorted(findings))
        count = len(self.findings)
        super().__init__(
            f"domain {domain!r} does not load: {count} finding{'s' if count != 1 else ''}\n"
            + "\n".join(f"  {finding}" for finding in self.findings)
        )


class UnusablePolicy(MeshProblem):
    """A file holds no policy that could be asked; the message says why."""

    exit_code = 2


@cache
def all_policies() -> dict[str, Policy]:
    """Every policy below the folder, and those of other distributions, by name in alphabetical order.

    Raises `TypeError` for a file there that does not define `POLICY` under its own name,
    `UnusableExtension` for an entry point that leads to no policy, or to one whose name is taken.
    """
    found: dict[str, Policy] = {}
    for module in pkgutil.walk_packages(policies.__path__, f"{policies.__name__}."):
        if module.ispkg:
            continue
        policy = _defined(importlib.import_module(module.name))
        found[policy.name] = policy
    others: Iterator[tuple[str, Policy]] = extensions(GROUP, LoadTimePolicy, DataTimePolicy)
    for added, policy in others:
        if policy.name in found:
            raise UnusableExtension(
                f"{added} adds the policy {policy.name!r}, which there is already; rename it, or "
                "uninstall one of the two"
            )
        found[policy.name] = policy
    return dict(sorted(found.items()))


def policy_in(file: Path) -> Policy:
    """The policy that a file defines which is nowhere installed: one that is not merged yet.

    Raises `UnusablePolicy` when the file cannot be imported, or defines none under its own name.
    """
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        return _defined(module)
    except Exception as problem:
        raise UnusablePolicy(f"{file}: {type(problem).__name__}: {problem}") from problem


def _defined(module: ModuleType) -> Policy:
    name = module.__name__.rpartition(".")[2]
    policy = getattr(module, "POLICY", None)
    if not isinstance(policy, LoadTimePolicy | DataTimePolicy) or policy.name != name:
        raise TypeError(
            f"{module.__name__} must define POLICY, a LoadTimePolicy or a DataTimePolicy named "
            f"{name!r}"
        )
    return policy


def load_time_policies() -> tuple[LoadTimePolicy, ...]:
    """The policies that look at a domain's files."""
    return tuple(p for p in all_policies().values() if isinstance(p, LoadTimePolicy))


def data_time_policies() -> tuple[DataTimePolicy, ...]:
    """The policies that add rules to every product's audit."""
    return tuple(p for p in all_policies().values() if isinstance(p, DataTimePolicy))


def data_time_rules(
    contract: Contract,
    waivers: Sequence[Waiver] = (),
    central: Central = UNDECIDED,
    *,
    today: date | None = None,
    policies: Iterable[Policy] | None = None,
) -> tuple[Rule, ...]:
    """The rules that central policies add to the contract's own, for an audit on the day `today`.

    `policies` are all that there are, by default. `waivers` are those of the product's domain, which
    `check_domain` found to be in order. Until the end of its last day in UTC, a waiver turns the rules
    of its policy into warnings; so ask for each audit anew, rather than once for a code server that
    runs for weeks.
    """
    today = today or utc_today()
    holding = {
        waiver.policy: waiver
        for waiver in waivers
        if waiver.product == contract.name and not waiver.expired(today)
    }
    return tuple(
        rule
        for policy in (all_policies().values() if policies is None else policies)
        if isinstance(policy, DataTimePolicy)
        for rule in soften(_as_severe(policy, contract, central), holding.get(policy.name))
    )


def _as_severe(policy: DataTimePolicy, contract: Contract, central: Central) -> tuple[Rule, ...]:
    severity = policy.severity_under(central)
    return tuple(replace(rule, severity=severity) for rule in policy.rules(contract, central))


def policies_digest(
    contract: Contract, waivers: Sequence[Waiver] = (), central: Central = UNDECIDED
) -> str:
    """SHA-256 over the rules that do not stand in the contract: which policies are checked today."""
    own = set(contract.rules)
    rules = data_time_rules(contract, waivers, central)
    return hashlib.sha256(json.dumps([repr(r) for r in rules if r not in own]).encode()).hexdigest()


def check_domain(
    domain: Domain,
    mesh: Mesh,
    *,
    today: date | None = None,
    policies: Mapping[str, Policy] | None = None,
) -> DomainCheck:
    """Everything that is wrong with a domain: its files, its waivers, and the policies it breaks.

    `stopped.py` says what the findings stop; `mesh check` prints them. `policies` are all that there are,
    by default; a registered domain, which was checked where its files are, is asked of those that are
    given.
    """
    if domain.registered and policies is None:
        return DomainCheck(domain.findings, ())
    today = today or utc_today()
    known = all_policies() if policies is None else policies
    # A waiver may name one that is not asked now.
    valid, bad = judge_waivers(domain, mesh.central, {**all_policies(), **known}, today)
    files = [policy for policy in known.values() if isinstance(policy, LoadTimePolicy)]
    found = {finding for policy in files for finding in policy.check(domain, mesh)}
    outcome = apply_waivers(domain, sorted(found - set(domain.findings)), valid)
    warn = {p.name for p in files if p.severity_under(mesh.central) is Severity.WARNING}
    blocking = (finding for finding in outcome.findings if finding.rule not in warn)
    return DomainCheck(
        tuple(sorted({*domain.findings, *bad, *blocking})),
        outcome.waived,
        tuple(
            sorted(
                {
                    *(finding for finding in outcome.findings if finding.rule in warn),
                    *ends_of_waivers(domain, today),
                }
            )
        ),
    )


def utc_today() -> date:
    """Today in UTC: the same day for every location, wherever it runs."""
    return datetime.now(UTC).date()

"""Waivers: a domain may break one policy in one product, for a reason, until a day.

Belongs here: which waivers are acceptable, and what each does to findings and to data-time rules.
Does not belong here: reading them from `domain.yaml` (`mesh/domain_file.py`), or policies.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

from shared_resources.contracts.model import Rule, Severity
from shared_resources.findings import Finding
from shared_resources.governance.policy import Policy
from shared_resources.mesh import Central, Domain, Waiver

RULE = "waiver"
# Who approves it again may be on holiday.
SOON = timedelta(days=30)


@dataclass(frozen=True)
class WaivedFinding:
    """A finding that a waiver suspends: still listed, but it stops nothing."""

    finding: Finding
    waiver: Waiver

    def __str__(self) -> str:
        return (
            f"{self.finding} (waived until {self.waiver.expires} by {self.waiver.approver}: "
            f"{self.waiver.reason})"
        )


@dataclass(frozen=True)
class DomainCheck:
    """What a check of a domain found. What `findings` are about is stopped (`stopped.py`); `warnings`
    are of policies that only warn, and of waivers that have ended or will soon."""

    findings: tuple[Finding, ...]
    waived: tuple[WaivedFinding, ...] = ()
    warnings: tuple[Finding, ...] = ()

    @property
    def passed(self) -> bool:
        return not self.findings


def judge_waivers(
    domain: Domain, central: Central, policies: Mapping[str, Policy], today: date
) -> tuple[list[Waiver], list[Finding]]:
    """(the waivers that hold, what is wrong with the others) of a domain. One that has ended is neither,
    whatever else is wrong with it: `ends_of_waivers`."""
    valid: list[Waiver] = []
    findings: list[Finding] = []
    for waiver in domain.waivers:
        if waiver.expired(today):
            continue
        problems = [
            Finding(waiver.file, waiver.line, RULE, f"{_named(domain, waiver)} {message}", remedy)
            for message, remedy in _problems(domain, central, waiver, policies, today)
        ]
        findings += problems
        if not problems:
            valid.append(waiver)
    return valid, findings


def ends_of_waivers(domain: Domain, today: date) -> Iterator[Finding]:
    """That a waiver has ended, or ends soon: no fault by itself, since the policy holds again from then
    on and finds what it covered. What else the domain makes does not depend on the day.
    """
    products = {product.name for product in domain.products}
    for waiver in domain.waivers:
        if waiver.expired(today):
            said = f"ended on {waiver.expires}: the policy holds again"
            if waiver.product not in products:
                said = f"ended on {waiver.expires}, and names no product of this domain (any more)"
        elif waiver.expires <= today + SOON:
            said = f"ends on {waiver.expires}: the policy holds again from the next day on"
        else:
            continue
        remedy = "mend what it covers and remove it, or have it approved again with a later day"
        yield Finding(waiver.file, waiver.line, RULE, f"{_named(domain, waiver)} {said}", remedy)


def _named(domain: Domain, waiver: Waiver) -> str:
    return f"the waiver of {waiver.policy!r} for {domain.name}/{waiver.product}"


def _problems(
    domain: Domain,
    central: Central,
    waiver: Waiver,
    policies: Mapping[str, Policy],
    today: date,
) -> Iterator[tuple[str, str]]:
    """(what is wrong, what to do) for each reason for which a waiver does not hold."""
    products = {product.name for product in domain.products}
    policy = policies.get(waiver.policy)
    if policy is None:
        yield "names no policy", f"name one of: {', '.join(sorted(policies))}"
    elif not policy.waivable:
        yield "cannot be: that policy has no waivers", "remove the waiver and mend the product"
    if waiver.product not in products:
        yield (
            "names no product of this domain",
            f"name one of: {', '.join(sorted(products)) or 'none yet'}",
        )
    # Whoever wants the exception does not grant it: that is all that a waiver is worth.
    team = {address.casefold() for address in (domain.owner, *domain.owners) if address}
    if waiver.approver.casefold() in team:
        yield (
            f"is approved by {waiver.approver}, an owner of the domain itself",
            "let somebody outside of the domain, such as the governance team, approve it",
        )
    elif waiver.approver.casefold() not in map(str.casefold, central.approvers):
        known = ", ".join(central.approvers)
        yield (
            f"is approved by {waiver.approver}, who approves nothing in this mesh",
            f"have it approved by one of: {known}"
            if known
            else f"the governance team names who approves, in `approvers` of {central.file}",
        )
    last = today + timedelta(days=central.waiver_days)
    if waiver.expires > last:
        yield (
            f"ends on {waiver.expires}, more than {central.waiver_days} days from now",
            f"let it end by {last}, and have it approved again if it is still needed then",
        )


def apply_waivers(domain: Domain, found: Iterable[Finding], valid: Iterable[Waiver]) -> DomainCheck:
    """Part the policies' findings into those that count and those that a valid waiver suspends."""
    by_place = {(waiver.policy, waiver.product): waiver for waiver in valid}
    counting: list[Finding] = []
    waived: list[WaivedFinding] = []
    for finding in found:
        waiver = by_place.get((finding.rule, product_of(finding.file, domain) or ""))
        if waiver is None:
            counting.append(finding)
        else:
            waived.append(WaivedFinding(finding, waiver))
    return DomainCheck(tuple(counting), tuple(waived))


def product_of(file: Path, domain: Domain) -> str | None:
    """The name of the product that a file belongs to; None for the files of the whole domain."""
    for product in domain.products:
        if file.is_relative_to(product.folder) or file == product.model_file:
            return product.name
    return None


def soften(rules: Sequence[Rule], waiver: Waiver | None) -> tuple[Rule, ...]:
    """A data-time policy's rules under a waiver: they still run and report, but do not block."""
    if waiver is None:
        return tuple(rules)
    return tuple(
        replace(
            rule,
            severity=Severity.WARNING,
            reason=f"waived until {waiver.expires} by {waiver.approver}: {waiver.reason}",
        )
        for rule in rules
    )

"""Verdicts on contracts: what a change does to those who rely on a product, and who they are.

Belongs here: each product beside what it was at the base, and beside what is published.
Does not belong here: what a break is (`contracts/changes/`), what is published
(`data_products/compared/breaks.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from shared_resources.comparing.changed import Verdict
from shared_resources.contracts.changes.comparing import breaks as contract_breaks
from shared_resources.contracts.model import Contract
from shared_resources.contracts.promise import Break, goes_back, may_break
from shared_resources.data_products.compared.breaks import (
    RULE,
    Compared,
    Hit,
    break_finding,
    compared,
    consumers_hit,
    in_words,
)
from shared_resources.environment import Environment
from shared_resources.findings import Finding
from shared_resources.governance.stopped import why_resting
from shared_resources.mesh import Domain, Mesh, ProductFolder
from shared_resources.reviewing.cases import Base, Case, Kind, Outcome


@dataclass(frozen=True)
class Before:
    """The mesh as it was at the base."""

    base: Base
    mesh: Mesh


def own_domain(mesh: Mesh, name: str) -> Domain | None:
    """The domain, if its files are here: of others there is nothing to review."""
    return next((one for one in mesh.own_domains if one.name == name), None)


def against_base(before: Before, mesh: Mesh, name: str) -> Iterator[Case]:
    """A case for each product that the domain has, or had at the base."""
    now, earlier = own_domain(mesh, name), own_domain(before.mesh, name)
    products = {one.name: one for one in (now.products if now else ())}
    gone = {one.name: one for one in (earlier.products if earlier else ())}
    for product in products.values():
        yield _of_product(before, mesh, product, gone.pop(product.name, None))
    for product in gone.values():
        yield _gone(before, mesh, product)


def against_published(environment: Environment, mesh: Mesh, domain: Domain) -> Iterator[Case]:
    """A case for each product of the domain that has been published."""
    for product, contract in domain.contracts:
        if contract.key != product.key:
            continue
        beside = compared(environment, mesh, product, contract)
        if not beside.published and not beside.findings:
            continue
        yield _published(product, contract, beside)


def _of_product(
    before: Before, mesh: Mesh, product: ProductFolder, earlier: ProductFolder | None
) -> Case:
    if earlier is None:
        return _case(product.key, before, Verdict.NEW, f"{product.key} is new")
    if product.contract is None or earlier.contract is None:
        which = "" if product.contract is None else f" of {before.base}"
        said = f"{product.key}: the contract{which} is not valid, so nobody can say what changes"
        return _case(product.key, before, Verdict.UNKNOWN, said, Outcome.SKIPPED)
    was, now = earlier.contract, product.contract
    breaks = contract_breaks(was, now)
    hit = consumers_hit(mesh, product.key, breaks)
    versions = {"from": was.version, "to": now.version}
    if breaks and may_break(was.version, now.version):
        said = (
            f"{product.key}: version {now.version} breaks what {was.version} promised: "
            f"{_listed(breaks)}; " + (f"it breaks {in_words(hit)}" if hit else _NOBODY)
        )
        line = product.line("version")
        note = Finding(product.contract_file, line, RULE, said, "tell the consumers when it comes")
        return _case(
            *(product.key, before, Verdict.BREAKING, said, Outcome.WARNING, (note,)),
            _facts(breaks, hit, versions, permitted=True),
        )
    if breaks:
        at = f"at {before.base}"
        found = [break_finding(mesh, product, now, one, was.version, at) for one in breaks]
        said = f"{product.key}: {_listed(breaks)}; {in_words(hit) or _NOBODY}"
        return _case(
            *(product.key, before, Verdict.BREAKING, said, Outcome.FAILED, found),
            _facts(breaks, hit, versions, permitted=False),
        )
    return _kept(before, mesh, product, was, now)


def _kept(before: Before, mesh: Mesh, product: ProductFolder, was: Contract, now: Contract) -> Case:
    """Of a contract that still promises all that it did."""
    versions = {"from": was.version, "to": now.version}
    file, line = product.contract_file, product.line("version")
    if goes_back(was.version, now.version):
        said = f"{product.key}: the version goes back from {was.version} to {now.version}"
        remedy = f"say {was.version}, or a higher one if the contract has changed"
        found = Finding(file, line, RULE, said, remedy)
        return _case(
            *(product.key, before, Verdict.BREAKING, said, Outcome.FAILED, (found,)),
            {"versions": versions},
        )
    readers = [one.key for one in mesh.consumers(product.key)]
    why = why_resting(now)
    if why is not None and why_resting(was) is None and readers:
        said = f"{why}; {', '.join(readers)} read it"
        found = Finding(file, product.line("status"), RULE, said, "tell the consumers first")
        return _case(
            *(product.key, before, Verdict.COMPATIBLE, said, Outcome.WARNING, (found,)),
            {"versions": versions, "consumers": _told(dict.fromkeys(readers, ()))},
        )
    same = was.path.read_bytes() == now.path.read_bytes()
    verdict = Verdict.UNCHANGED if same else Verdict.COMPATIBLE
    said = f"{product.key}: {verdict} with {before.base}"
    return _case(product.key, before, verdict, said, facts={"versions": versions})


def _gone(before: Before, mesh: Mesh, product: ProductFolder) -> Case:
    there = own_domain(mesh, product.domain) is not None
    # Of a domain that is gone, what the registry still knows of it goes with it.
    readers = [
        one.key for one in mesh.consumers(product.key) if there or one.domain != product.domain
    ]
    said = f"{product.key} is gone; " + (
        f"it is read by {', '.join(readers)}" if readers else _NOBODY
    )
    remedy = (
        "bring it back until they read something else"
        if readers
        else "what is published of it stays until somebody drops it"
    )
    # Of a file that is gone there is no line; where the domain is, CI shows its domain.yaml.
    folder = mesh.root / "domains" / product.domain
    file = folder / product.contract_file.relative_to(product.folder.parents[1])
    found = Finding(file, 0, RULE, said, remedy)
    outcome = Outcome.FAILED if readers else Outcome.WARNING
    return _case(
        *(product.key, before, Verdict.GONE, said, outcome, (found,)),
        {"consumers": _told(dict.fromkeys(readers, ()))},
    )


def _published(product: ProductFolder, contract: Contract, beside: Compared) -> Case:
    facts: dict[str, object] = {"against": beside.published or "what is published"}
    facts["versions"] = {"from": beside.contract_version, "to": contract.version}
    facts["consumers"] = _told(beside.hit)
    name = f"{product.key} against what is published"
    if beside.findings:
        said = "; ".join(found.message for found in beside.findings)
        facts |= {"verdict": Verdict.BREAKING.value, "permitted": False}
        return Case(Kind.CONTRACT, name, Outcome.FAILED, said, beside.findings, facts)
    if beside.permitted:
        said = (
            f"{product.key}: version {contract.version} breaks what {beside.published} promised: "
            f"{_listed(beside.permitted)}; {in_words(beside.hit) or _NOBODY}"
        )
        line = product.line("version")
        note = Finding(product.contract_file, line, RULE, said, "tell the consumers when it comes")
        facts |= {"verdict": Verdict.BREAKING.value, "permitted": True}
        return Case(Kind.CONTRACT, name, Outcome.WARNING, said, (note,), facts)
    facts["verdict"] = Verdict.COMPATIBLE.value
    said = f"{product.key}: compatible with {beside.published}"
    return Case(Kind.CONTRACT, name, Outcome.PASSED, said, facts=facts)


_NOBODY = "nothing in this mesh reads it"


def _facts(
    breaks: Sequence[Break], hit: Hit, versions: dict[str, str], *, permitted: bool
) -> dict[str, object]:
    return {
        "breaks": [one.message for one in breaks],
        "consumers": _told(hit),
        "versions": versions,
        "permitted": permitted,
    }


def _told(hit: Hit) -> list[dict[str, object]]:
    return [{"product": one, "columns": list(columns)} for one, columns in hit.items()]


def _listed(breaks: Sequence[Break]) -> str:
    return ", ".join(one.message for one in breaks)


def _case(
    key: str,
    before: Before,
    verdict: Verdict,
    said: str,
    outcome: Outcome = Outcome.PASSED,
    findings: Sequence[Finding] = (),
    facts: Mapping[str, object] | None = None,
) -> Case:
    told = {"verdict": verdict.value, "against": str(before.base), **(facts or {})}
    name = f"{key} against {before.base.ref}"
    return Case(Kind.CONTRACT, name, outcome, said, tuple(findings), told)
